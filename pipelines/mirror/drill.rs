//! What is remembered of rehearsals, in the file `drill` beside the journal's segments.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ingest::storage::Storage;
use serde::{Deserialize, Serialize};

const NAME: &str = "drill";

/// A rehearsal: from nothing but the mirror to a state that could lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// When it was, ms since 1970 UTC.
    pub at_ms: i64,
    /// How long it took.
    pub seconds: f64,
    /// Entries that were applied behind the checkpoint.
    pub entries: u64,
    /// The epoch of that; 0 where it began at the first entry.
    pub checkpoint: u64,
    /// The mirror's end.
    pub offset: u64,
    pub state_hash: String,
}

impl Drill {
    /// The last one, if there was any that can be read.
    #[must_use]
    pub fn last(storage: &Arc<dyn Storage>, journal: &Path) -> Option<Drill> {
        serde_json::from_slice(&storage.read(&journal.join(NAME)).ok()?).ok()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn write(&self, storage: &Arc<dyn Storage>, journal: &Path) -> io::Result<()> {
        storage.create_folder(journal)?;
        storage.create(&journal.join(NAME), &serde_json::to_vec(self).map_err(io::Error::other)?)
    }
}
