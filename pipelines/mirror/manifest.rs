//! Checkpoints in a mirror: parts first, then the manifest that makes them one.
//!
//! The manifest is a line of 64 hex digits, the BLAKE3 of all behind it, and a [`Manifest`] in JSON.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::MirrorError;
use super::store::{Store, StoreError, list_all};

/// Folder of the checkpoints.
pub(super) const CHECKPOINTS: &str = "checkpoints/";
const FORMAT: u32 = 1;
/// A part is at most so large: it passes in one request.
const PART_BYTES: usize = 8 << 20;

/// What a checkpoint is and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub epoch: u64,
    /// The first entry not yet applied.
    pub resume_at: u64,
    pub generation: u64,
    pub writer: String,
    /// Program version that made it.
    pub engine: String,
    /// [`crate::engine::Engine::state_hash`] as of it.
    pub state_hash: String,
    /// Text of all files of the configuration.
    pub configuration: String,
    /// In order: the checkpoint's bytes.
    pub parts: Vec<Part>,
}

/// A piece of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub bytes: u64,
    /// BLAKE3.
    pub hash: String,
}

/// A checkpoint on its way to the mirror.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Without parts.
    pub manifest: Manifest,
    pub content: Bytes,
}

impl Manifest {
    pub(crate) const FORMAT: u32 = FORMAT;

    fn folder(epoch: u64) -> String {
        format!("{CHECKPOINTS}{epoch:020}/")
    }

    fn name(epoch: u64) -> String {
        format!("{}manifest", Manifest::folder(epoch))
    }

    fn epoch_of(name: &str) -> Option<u64> {
        name.strip_prefix(CHECKPOINTS)?.strip_suffix("/manifest")?.parse().ok()
    }

    /// The manifest of an epoch, if there is one.
    ///
    /// # Errors
    /// A store that does not answer, a manifest that is damaged or newer.
    pub async fn read(store: &dyn Store, epoch: u64) -> Result<Option<Manifest>, MirrorError> {
        let name = Manifest::name(epoch);
        let Some(bytes) = store.get(&name).await? else { return Ok(None) };
        let damaged = |reason: &str| MirrorError::Object {
            place: store.place(),
            name: name.clone(),
            reason: reason.to_owned(),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is no text"))?;
        let (hash, body) = text.split_once('\n').ok_or_else(|| damaged("it has no hash"))?;
        if blake3::hash(body.as_bytes()).to_hex().as_str() != hash {
            return Err(damaged("its hash does not fit its content; remove it, then an older one serves"));
        }
        let manifest: Manifest = serde_json::from_str(body).map_err(|error| damaged(&error.to_string()))?;
        if manifest.format > FORMAT {
            return Err(damaged("it is of a newer version; upgrade this Andon first"));
        }
        Ok(Some(manifest))
    }

    /// The newest checkpoint whose manifest is there.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub async fn newest(store: &dyn Store) -> Result<Option<Manifest>, MirrorError> {
        match epochs(store).await?.last() {
            Some(epoch) => Manifest::read(store, *epoch).await,
            None => Ok(None),
        }
    }

    /// Its content.
    ///
    /// # Errors
    /// A part that is absent or not as the manifest says.
    pub async fn content(&self, store: &dyn Store) -> Result<Vec<u8>, MirrorError> {
        let mut content = Vec::new();
        for part in &self.parts {
            let damaged = |reason: &str| {
                let reason =
                    format!("{reason}; remove the manifest beside it, then an older checkpoint serves");
                MirrorError::Object { place: store.place(), name: part.name.clone(), reason }
            };
            let bytes = store.get(&part.name).await?.ok_or_else(|| damaged("it is absent"))?;
            if blake3::hash(&bytes).to_hex().as_str() != part.hash {
                return Err(damaged("its hash is not the one in the manifest"));
            }
            content.extend_from_slice(&bytes);
        }
        Ok(content)
    }
}

impl Offered {
    /// Puts the parts, and the manifest last.
    ///
    /// # Errors
    /// A store that does not take them; what is there without a manifest is no checkpoint.
    pub(crate) async fn put(mut self, store: &dyn Store) -> Result<(), StoreError> {
        let epoch = self.manifest.epoch;
        self.manifest.parts.clear();
        for (number, start) in (0..self.content.len()).step_by(PART_BYTES).enumerate() {
            let bytes = self.content.slice(start..self.content.len().min(start + PART_BYTES));
            // By generation, so that the parts of a fork never take the place of others.
            let generation = self.manifest.generation;
            let name = format!("{}part-{generation:010}-{number:06}", Manifest::folder(epoch));
            let part =
                Part { name, bytes: bytes.len() as u64, hash: blake3::hash(&bytes).to_hex().to_string() };
            store.put(&part.name, bytes).await?;
            self.manifest.parts.push(part);
        }
        let body = serde_json::to_string(&self.manifest).expect("plain fields are JSON");
        let text = format!("{}\n{body}", blake3::hash(body.as_bytes()).to_hex());
        store.put(&Manifest::name(epoch), text.into()).await
    }
}

/// Epochs of the checkpoints whose manifest is there, oldest first.
pub(super) async fn epochs(store: &dyn Store) -> Result<Vec<u64>, StoreError> {
    let found = list_all(store, CHECKPOINTS, "").await?;
    Ok(found.iter().filter_map(|found| Manifest::epoch_of(&found.name)).collect())
}

/// Removes the checkpoints before `first`: their manifests, then all else of them.
pub(super) async fn remove_before(store: &dyn Store, first: u64) -> Result<(), StoreError> {
    let limit = Manifest::folder(first);
    let mut found = list_all(store, CHECKPOINTS, "").await?;
    found.retain(|found| found.name < limit);
    found.sort_by_key(|found| Manifest::epoch_of(&found.name).is_none());
    for found in found {
        store.remove(&found.name).await?;
    }
    Ok(())
}
