//! What this region remembers of its mirror, in the file `mirror` beside the journal's segments.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ingest::storage::Storage;
use ingest::time::{Clock, Offset};
use serde::{Deserialize, Serialize};

use super::MirrorError;

const NAME: &str = "mirror";

/// Who we are to the mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The journal's name.
    pub cluster: String,
    /// This region's name: it stays.
    pub node: String,
    /// The newest generation of which the journal here may hold an entry, and its writer.
    pub generation: u64,
    pub writer: String,
    /// Where the mirror ended, as far as we know, when the writer, who is ours, began to lead. Until the log has that
    /// writer's chunk there the place may be another's, whatever generation that has. None once it is ours for certain,
    /// and where another leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_from: Option<u64>,
    /// Epochs up to this offset have been shown; those behind it only once the mirror has them.
    pub shown: u64,
}

impl Identity {
    /// Reads it from the journal's folder.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(storage: &Arc<dyn Storage>, journal: &Path) -> Result<Option<Identity>, MirrorError> {
        match storage.read(&journal.join(NAME)) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                read.map(Some).map_err(|error| MirrorError::Note(io::Error::other(error)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(MirrorError::Note(error)),
        }
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn write(&self, storage: &Arc<dyn Storage>, journal: &Path) -> Result<(), MirrorError> {
        storage.create_folder(journal).map_err(MirrorError::Note)?;
        let text = serde_json::to_vec(self).map_err(|error| MirrorError::Note(io::Error::other(error)))?;
        storage.create(&journal.join(NAME), &text).map_err(MirrorError::Note)
    }

    /// A new node of a journal.
    #[must_use]
    pub fn new(cluster: String, clock: &dyn Clock) -> Identity {
        Identity {
            cluster,
            node: fresh(clock),
            generation: 0,
            writer: String::new(),
            claims_from: None,
            shown: 0,
        }
    }

    /// Name of a process of this node.
    #[must_use]
    pub fn process(&self, clock: &dyn Clock) -> String {
        format!("{}.{}", self.node, fresh(clock))
    }

    /// Epochs that have been shown, as an offset.
    #[must_use]
    pub fn shown(&self) -> Offset {
        Offset(self.shown)
    }
}

/// A name that nobody else has: of what the kernel draws, and of process and time where there is no such kernel.
/// Names tell writers apart and change no result.
#[must_use]
pub fn fresh(clock: &dyn Clock) -> String {
    let drawn = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let text = format!("{drawn}{host}{} {} {}", std::process::id(), clock.now_ms(), clock.boot_us());
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}
