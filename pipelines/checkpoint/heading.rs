//! Where a start goes on from when the newest checkpoint is of another version of this program.
//!
//! A state of a version before is read still. One of a version to come is not: whoever moves back to the Andon of before
//! goes on from the newest checkpoint that this one knows, or from the journal's first entry, and computes the rest
//! again; sinks hold what comes of it against what they show already. So that there is such a checkpoint, the newest of
//! the version before stays until the journal no longer reaches back to it.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use ingest::time::Offset;

use super::{BODY_AT, Checkpoint, CheckpointError, CheckpointFolder, NoCheckpoint, check_kind};
use crate::engine::{STATE_VERSION, check_state_version};

/// Bytes that hold all that a heading says; the program's name for its version is short.
const HEADING_BYTES: usize = 512;

/// What stands at the front of a checkpoint's file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heading {
    resume_at: Offset,
    /// Program version that wrote it.
    program: String,
    /// Of the engine's state.
    state_version: u32,
}

impl Heading {
    fn decode(bytes: &[u8]) -> Result<Heading, NoCheckpoint> {
        check_kind(bytes)?;
        let read = || -> postcard::Result<Heading> {
            let (_epoch, rest) = postcard::take_from_bytes::<u64>(&bytes[BODY_AT..])?;
            let (resume_at, rest) = postcard::take_from_bytes::<u64>(rest)?;
            let (program, rest) = postcard::take_from_bytes::<String>(rest)?;
            let (_state_bytes, rest) = postcard::take_from_bytes::<u64>(rest)?;
            let (state_version, _) = postcard::take_from_bytes::<u32>(rest)?;
            Ok(Heading { resume_at: Offset(resume_at), program, state_version })
        };
        read().map_err(|error| NoCheckpoint::Damaged(error.to_string()))
    }
}

impl CheckpointFolder {
    /// The newest checkpoint that this program can go on from, where the journal is kept from `journal_from` on. `None`
    /// where all is to be computed from the first entry.
    ///
    /// # Errors
    /// If one is damaged or cannot be read, or none serves.
    pub fn newest_usable(&self, journal_from: Offset) -> Result<Option<Checkpoint>, CheckpointError> {
        let mut files = self.files()?.into_iter().rev();
        let mut unusable = None;
        let usable = loop {
            let Some(path) = files.next() else { break None };
            match self.known(&path)? {
                Ok(heading) => break Some((path, heading)),
                Err(reason) => {
                    unusable.get_or_insert((path, reason));
                }
            }
        };
        let usable = usable.filter(|(_, heading)| unusable.is_none() || heading.resume_at >= journal_from);
        // Those before it need not be whole: a start does not begin at them.
        let before = files.filter_map(|path| {
            let heading = self.known(&path).ok()?.ok()?;
            Some((path, heading))
        });
        let is_way_back = |(_, heading): &(PathBuf, Heading)| {
            heading.state_version != STATE_VERSION && heading.resume_at >= journal_from
        };
        let way_back = usable.iter().cloned().chain(before).find(is_way_back);
        let way_back = way_back.map(|(path, heading)| (path, heading.resume_at));
        *self.way_back.lock().unwrap_or_else(PoisonError::into_inner) = way_back;
        match (usable, unusable) {
            (Some((path, heading)), unusable) => {
                if let Some((newer, reason)) = unusable {
                    let (program, from) = (heading.program, heading.resume_at.0);
                    tracing::warn!(
                        newest = %newer.display(), reason, from, program,
                        "goes on from the checkpoint before it, and computes what came since again"
                    );
                }
                self.read(&path).map(Some)
            }
            (None, None) => Ok(None),
            (None, Some((path, reason))) if journal_from <= Offset(1) => {
                tracing::warn!(newest = %path.display(), reason, "computes all again, from the journal's first entry");
                Ok(None)
            }
            (None, Some((path, reason))) => {
                Err(CheckpointError::Unusable { path, reason, journal_from: journal_from.0 })
            }
        }
    }

    /// The checkpoint of the version before that stays, unless the journal begins behind it.
    pub(super) fn way_back(&self, journal_from: Offset) -> Option<PathBuf> {
        let mut way_back = self.way_back.lock().unwrap_or_else(PoisonError::into_inner);
        if way_back.as_ref().is_some_and(|(_, resume_at)| *resume_at < journal_from) {
            *way_back = None;
        }
        way_back.as_ref().map(|(path, _)| path.clone())
    }

    /// The heading of one whose state this program knows; else why not.
    fn known(&self, path: &Path) -> Result<Result<Heading, String>, CheckpointError> {
        match self.heading(path) {
            Ok(heading) => {
                let known = check_state_version(heading.state_version);
                Ok(known.map(|()| heading).map_err(|error| error.to_string()))
            }
            Err(CheckpointError::Newer { reason, .. }) => Ok(Err(reason.to_string())),
            Err(error) => Err(error),
        }
    }

    fn heading(&self, path: &Path) -> Result<Heading, CheckpointError> {
        let mut bytes = vec![0; HEADING_BYTES];
        let file = self.storage.open(path);
        let read = file.and_then(|file| file.read_at(0, &mut bytes));
        let failed = |source| CheckpointError::Storage { path: path.to_owned(), what: "read", source };
        bytes.truncate(read.map_err(failed)?);
        Heading::decode(&bytes).map_err(|reason| CheckpointError::of(path, reason))
    }
}
