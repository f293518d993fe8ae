//! `[mirror]`: where the journal is mirrored, and what is promised.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bucket::{self, Bucket};
use super::document::Reader;
use super::files::Files;
use super::kind::Kind;
use super::mistake::Fault;
use super::service::TYPED;
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, duration, set, size};
use super::values::Values;

pub(super) const URL: Setting = set(
    "mirror.url",
    Kind::Mirror,
    Absent("\"file:///srv/andon-mirror\""),
    "file:///FOLDER, a folder of the other region that is mounted here and knows hard links, or s3://BUCKET/PREFIX.",
);
pub(super) const ACK: Setting = set(
    "mirror.ack",
    Kind::Word(&["local", "mirrored"]),
    Is("\"local\""),
    "When a message is acknowledged: once it is durable here (local), or once the mirror has it too (mirrored): then \
     nothing is lost with this machine, and nothing is acknowledged while the mirror is away.",
);
pub(super) const TAKEOVER: Setting = set(
    "mirror.takeover",
    Kind::Word(&["automatic", "manual"]),
    Is("\"manual\""),
    "Who decides that a standby leads: itself, once the lease is stale (automatic), or a person by `andon standby promote` \
     (manual). With automatic a leader that cannot renew its lease acknowledges nothing, whatever ack is.",
);
pub(super) const LEASE: Setting = set(
    "mirror.lease",
    duration("500ms", "1min"),
    Is("\"2s\""),
    "A leader that has not renewed its lease for so long is gone.",
);
pub(super) const INTERVAL: Setting = set(
    "mirror.interval",
    duration("1ms", "1min"),
    Is("\"100ms\""),
    "With ack = \"local\" new entries are put into the mirror this often: what may be lost with this machine.",
);
pub(super) const CHECKPOINT_INTERVAL: Setting = set(
    "mirror.checkpoint_interval",
    duration("100ms", "1d"),
    Is("\"1min\""),
    "A checkpoint is put into the mirror this often, rounded up to whole cuts. A new standby begins at the newest, and \
     each compares its state with it.",
);
pub(super) const RETAIN: Setting = set(
    "mirror.retain",
    duration("1s", "30d"),
    Is("\"6h\""),
    "The journal is kept in the mirror for so long, and as far back as its oldest checkpoint: a standby that was away \
     for less goes on where it was.",
);
pub(super) const BEHIND_BYTES_MAX: Setting = set(
    "mirror.behind_bytes_max",
    size("1MiB", "1024GiB"),
    Is("\"16GiB\""),
    "While the mirror is away the journal grows here, and up to this size messages are still acknowledged.",
);

/// Where a mirror is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorPlace {
    /// `file:///FOLDER`
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`
    Bucket(Bucket),
}

/// `[mirror]`, where it has a `url`.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    pub place: MirrorPlace,
    pub ack: Ack,
    pub takeover: Takeover,
    /// A leader that has not renewed its lease for so long is gone.
    pub lease: Duration,
    /// How long entries wait for a chunk, where no acknowledgement waits for it.
    pub interval: Duration,
    /// Each so-manyth epoch's checkpoint is mirrored, and states are compared at it.
    pub checkpoint_epochs: u64,
    /// Chunks are kept for so long.
    pub retain: Duration,
    /// Nothing is acknowledged while the mirror is further behind.
    pub behind_bytes_max: u64,
}

/// `ack = "…"`: when a message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Once it is durable here.
    Local,
    /// Once the mirror has it as well.
    Mirrored,
}

impl Ack {
    /// The name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ack::Local => "local",
            Ack::Mirrored => "mirrored",
        }
    }
}

/// `takeover = "…"`: who decides that a standby leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// The standby itself, once the lease is stale.
    Automatic,
    /// A person.
    Manual,
}

pub(super) fn read_url(path: &str, text: &str) -> Result<MirrorPlace, Fault> {
    let folder = text.strip_prefix("file://").filter(|folder| folder.starts_with('/') && folder.len() > 1);
    let place = folder
        .map(|folder| MirrorPlace::Folder(PathBuf::from(folder)))
        .or_else(|| bucket::read_url(text).map(MirrorPlace::Bucket));
    place.ok_or_else(|| {
        let remedy = "write \"file:///FOLDER\", a folder of the other region that is mounted here, or \
                      \"s3://BUCKET/PREFIX\"";
        Fault::new(format!("`{path}` is no mirror's URL: `{text}`"), remedy)
    })
}

/// The settings, where there is a URL.
pub(super) fn read(
    values: &Values,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) -> Option<MirrorSettings> {
    let place = match values.mirror("mirror.url") {
        Some(MirrorPlace::Bucket(bucket)) => {
            MirrorPlace::Bucket(bucket::read(bucket, values, folder, files, reader))
        }
        folder => {
            bucket::check_needless(values, reader);
            folder?.clone()
        }
    };
    let duration = |key: &str| values.duration(key).expect(TYPED);
    let cut = duration("engine.cut_interval").as_millis().max(1);
    let epochs = duration("mirror.checkpoint_interval").as_millis().div_ceil(cut);
    Some(MirrorSettings {
        place,
        ack: match values.text("mirror.ack").expect(TYPED) {
            "mirrored" => Ack::Mirrored,
            _ => Ack::Local,
        },
        takeover: match values.text("mirror.takeover").expect(TYPED) {
            "automatic" => Takeover::Automatic,
            _ => Takeover::Manual,
        },
        lease: duration("mirror.lease"),
        interval: duration("mirror.interval"),
        checkpoint_epochs: u64::try_from(epochs).unwrap_or(u64::MAX).max(1),
        retain: duration("mirror.retain"),
        behind_bytes_max: values.size("mirror.behind_bytes_max").expect(TYPED),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrors_url_names_a_folder_or_a_bucket() {
        let read = |text: &str| read_url("mirror.url", text);
        assert_eq!(read("file:///srv/mirror"), Ok(MirrorPlace::Folder(PathBuf::from("/srv/mirror"))));
        for (text, name, prefix) in
            [("s3://shop", "shop", ""), ("s3://shop/", "shop", ""), ("s3://shop/a/b-1/", "shop", "a/b-1")]
        {
            let Ok(MirrorPlace::Bucket(bucket)) = read(text) else { panic!("{text} is a bucket") };
            assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), (name, prefix));
        }
        for wrong in [
            "/srv/mirror",
            "file://srv",
            "file:///",
            "s3://",
            "s3:///x",
            "s3://key:secret@shop",
            "s3://shop//a",
            "s3://shop/../a",
            "file:",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
