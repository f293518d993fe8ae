//! `[mirror]`: where the journal is mirrored, and what is promised.

use std::path::PathBuf;
use std::time::Duration;

use super::mistake::Fault;
use super::service::TYPED;
use super::values::Values;

/// `[mirror]`, where it has a `url`.
#[derive(Clone, Debug)]
pub struct MirrorSettings {
    /// `url = "file:///FOLDER"`
    pub folder: PathBuf,
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

pub(super) fn read_url(path: &str, text: &str) -> Result<PathBuf, Fault> {
    let folder = text.strip_prefix("file://").filter(|folder| folder.starts_with('/') && folder.len() > 1);
    let fault = || {
        let remedy = "write \"file:///FOLDER\", a folder of the other region that is mounted here";
        Fault::new(format!("`{path}` is no mirror's URL: `{text}`"), remedy)
    };
    folder.map(PathBuf::from).ok_or_else(fault)
}

/// The settings, where there is a URL.
pub(super) fn read(values: &Values) -> Option<MirrorSettings> {
    let folder = values.mirror("mirror.url")?.clone();
    let duration = |key: &str| values.duration(key).expect(TYPED);
    let cut = duration("engine.cut_interval").as_millis().max(1);
    let epochs = duration("mirror.checkpoint_interval").as_millis().div_ceil(cut);
    Some(MirrorSettings {
        folder,
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
    fn a_mirrors_url_names_a_folder() {
        let read = |text: &str| read_url("mirror.url", text);
        assert_eq!(read("file:///srv/mirror"), Ok(PathBuf::from("/srv/mirror")));
        for wrong in ["/srv/mirror", "file://srv", "file:///", "s3://shop", "file:"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
