//! What can go wrong with the journal, and whose turn it then is.

use std::io;
use std::path::{Path, PathBuf};

use crate::entry::EntryError;
use crate::storage::is_full;
use crate::time::Offset;

/// Why the journal could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("no space for the journal in `{}`; make room there", folder.display())]
    Full { folder: PathBuf, source: io::Error },

    #[error("the journal's storage failed")]
    Storage { source: io::Error },

    #[error(
        "the journal takes no more entries, since a sync failed and nobody knows what is on the disk; \
         check the disk, then start again"
    )]
    Poisoned,

    #[error(
        "the journal is damaged in `{}` at byte {position}: expected {expected}; put the file back from \
         a backup or a mirror, and do not delete it, since what no checkpoint holds would be lost",
        file.display()
    )]
    Damaged { file: PathBuf, position: u64, expected: String },

    #[error(
        "the journal's file `{}` is of format `{found}`, and this program knows `ANDONJ01`: start the Andon that wrote \
         it, or a newer one",
        file.display()
    )]
    Newer { file: PathBuf, found: String },

    #[error("the journal holds an entry in `{}` at byte {position} that cannot be read", file.display())]
    Unreadable { file: PathBuf, position: u64, source: EntryError },

    #[error(
        "the journal in `{}` is in use by another process; stop that one, or set another \
         `journal.folder` for this one",
        folder.display()
    )]
    InUse { folder: PathBuf },

    #[error("the journal in `{}` is held while a backup is made", folder.display())]
    Held { folder: PathBuf },

    #[error("there is no journal in `{}`; name the folder that holds `*.journal` files", folder.display())]
    Missing { folder: PathBuf },

    #[error("entry {} of the journal is trimmed; the oldest kept is {}", from.0, oldest.0)]
    Trimmed { from: Offset, oldest: Offset },

    #[error(
        "the journal ends before entry {}, its next is {}; it is not the one that was asked for, or has \
         lost its end: put it back from a backup or a mirror",
        from.0, next.0
    )]
    Ahead { from: Offset, next: Offset },

    #[error("an entry of {bytes} bytes is too large for the journal; commit less at once")]
    TooLarge { bytes: usize },
}

impl JournalError {
    /// Whether trying the same call again can help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, JournalError::Full { .. } | JournalError::Held { .. })
    }

    pub(super) fn from_storage(source: io::Error, folder: &Path) -> Self {
        if is_full(&source) {
            JournalError::Full { folder: folder.to_owned(), source }
        } else {
            JournalError::Storage { source }
        }
    }
}
