//! A copy of a journal that somebody may go on writing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{JournalError, recover, segment};
use crate::storage::DiskStorage;

/// Copies the segments of the journal in `folder`, up to the last whole entry, into the empty folder `to`. Nothing must be
/// removed meanwhile ([`hold`](super::hold()) sees to that).
///
/// # Errors
/// When there is no journal, when it is damaged, when the disk fails.
pub fn copy(folder: &Path, to: &Path) -> Result<(), JournalError> {
    let failed = |source| JournalError::Storage { source };
    let survey = recover::survey(&DiskStorage, folder)?;
    let survey = survey.ok_or_else(|| JournalError::Missing { folder: folder.to_owned() })?;
    let newest = *survey.segments.last().expect("a survey finds at least one segment");
    for first in survey.segments {
        let name = segment::name(first);
        // Behind the end of the newest one an entry may be on its way.
        let bytes = if first == newest { survey.position } else { u64::MAX };
        copy_bytes(&folder.join(&name), &to.join(&name), bytes).map_err(failed)?;
    }
    Ok(())
}

fn copy_bytes(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut File::open(from)?.take(bytes), &mut file)?;
    file.sync_all()
}
