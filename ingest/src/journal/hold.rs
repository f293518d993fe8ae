//! A hold: while somebody has the file `hold` beside the segments, nothing is removed and nothing new is shown, so that
//! what stands on the disk can be copied.

use std::io;
use std::path::Path;

use super::{Journal, JournalError};
use crate::storage::{Storage, StorageFile};

const NAME: &str = "hold";
/// Locked by who writes the journal.
pub(super) const LOCK: &str = "lock";

/// Held until it is dropped, or its process ends.
#[derive(Debug)]
pub struct Hold(#[allow(dead_code, reason = "its end ends the hold")] Box<dyn StorageFile>);

/// Takes the hold of the journal in a folder.
///
/// # Errors
/// [`JournalError::Held`] passes: another has it.
pub fn hold(storage: &dyn Storage, folder: &Path) -> Result<Hold, JournalError> {
    storage.lock(&folder.join(NAME)).map(Hold).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => JournalError::Held { folder: folder.to_owned() },
        _ => JournalError::from_storage(error, folder),
    })
}

/// Takes a journal that nobody has open, so that nobody opens it; `None` where somebody has.
///
/// # Errors
/// When the storage fails.
pub fn alone(storage: &dyn Storage, folder: &Path) -> Result<Option<Hold>, JournalError> {
    match storage.lock(&folder.join(LOCK)) {
        Ok(lock) => Ok(Some(Hold(lock))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(JournalError::from_storage(error, folder)),
    }
}

impl Journal {
    /// Takes the hold of this journal.
    ///
    /// # Errors
    /// As [`hold`].
    pub fn hold(&self) -> Result<Hold, JournalError> {
        hold(&*self.storage, &self.folder)
    }
}
