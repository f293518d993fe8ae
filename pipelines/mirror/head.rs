//! The small objects of a mirror: whose it is, and who leads.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::MirrorError;
use super::store::Store;

/// Whose mirror it is and where it begins.
pub(super) const HEAD: &str = "HEAD";
/// Who leads, renewed all the time.
const LEASE: &str = "lease";
/// Of both.
const FORMAT: u32 = 1;

/// `HEAD`: made once, and replaced when the mirror is trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// The journal's name: the same in all regions, another for each journal.
    pub cluster: String,
    /// The first entry that is kept: none before it may be asked for.
    pub lowest: u64,
    /// Of the writer that wrote this.
    pub generation: u64,
}

/// `lease`: the heartbeat of the one that leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    pub format: u32,
    pub generation: u64,
    pub writer: String,
    /// Rises with each renewal: a lease whose beat stands still is not renewed.
    pub beat: u64,
    /// How long it lasts without being renewed.
    pub lease_ms: u64,
    /// First entry of the newest chunk, and the entry behind it.
    pub chunk: u64,
    pub mirrored: u64,
    /// Ordinal of the first message behind the newest chunk; 0 from a leader that does not say so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mirrored_message: u64,
    /// What the leader has made durable and the mirror does not have yet.
    pub lag_entries: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lag_messages: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lag_bytes: u64,
    pub lag_seconds: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Head {
    pub(crate) fn new(cluster: &str, lowest: u64, generation: u64) -> Head {
        Head { format: FORMAT, cluster: cluster.to_owned(), lowest, generation }
    }

    /// The mirror's, if there is one.
    pub(crate) async fn read(store: &dyn Store) -> Result<Option<Head>, MirrorError> {
        read(store, HEAD).await
    }

    /// Makes it, or finds that there is one: then that.
    pub(crate) async fn make(self, store: &dyn Store) -> Result<Head, MirrorError> {
        if store.put_new(HEAD, text(&self)).await? {
            return Ok(self);
        }
        Ok(Head::read(store).await?.unwrap_or(self))
    }

    pub(crate) async fn replace(&self, store: &dyn Store) -> Result<(), MirrorError> {
        Ok(store.put(HEAD, text(self)).await?)
    }
}

impl Lease {
    pub(crate) const FORMAT: u32 = FORMAT;

    pub(crate) async fn read(store: &dyn Store) -> Result<Option<Lease>, MirrorError> {
        read(store, LEASE).await
    }

    pub(crate) async fn write(&self, store: &dyn Store) -> Result<(), MirrorError> {
        Ok(store.put(LEASE, text(self)).await?)
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

async fn read<T: serde::de::DeserializeOwned>(
    store: &dyn Store,
    name: &'static str,
) -> Result<Option<T>, MirrorError> {
    let Some(bytes) = store.get(name).await? else { return Ok(None) };
    let damaged =
        |reason: String| MirrorError::Object { place: store.place(), name: name.to_owned(), reason };
    let format: Format = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if format.format > FORMAT {
        let reason =
            format!("it has format {}, this version knows {FORMAT}; upgrade this Andon first", format.format);
        return Err(damaged(reason));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

fn text(object: &impl Serialize) -> Bytes {
    serde_json::to_vec(object).expect("plain fields are JSON").into()
}
