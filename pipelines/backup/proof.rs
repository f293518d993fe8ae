//! That a backup is whole, and that its journal gives the state which the service had.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest::entry::Entry;
use ingest::journal::{Journal, ReadOnlyJournal};
use ingest::time::Offset;
use serde::Serialize;

use super::{BackupError, CHECKPOINTS, Contents, JOURNAL, failed};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::engine::{Engine, PastEntries, PastError, configuration_of};
use crate::wire;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    pub files: usize,
    pub bytes: u64,
    /// The epoch of the checkpoint at which the replay began, 0 for the journal's beginning; none where the backup's newest is
    /// the only one, and its journal does not go back to its beginning: then only what follows was applied.
    pub from_epoch: Option<u64>,
    /// Entries that were applied up to the newest checkpoint, where the states were compared.
    pub compared_entries: u64,
    /// The state there: as stored, and as replayed.
    pub epoch: u64,
    pub state_hash: String,
    /// Entries behind it, up to the journal's end, and the state there.
    pub entries_behind: u64,
    pub end_offset: u64,
    pub end_state_hash: String,
}

/// Looks at every file's hash, replays from the oldest checkpoint in it to the newest, and compares the two states; then
/// goes on to the journal's end. Writes nothing.
///
/// # Errors
/// A file that is not as the manifest says, a state that is another.
pub fn prove(backup: &Path, told: &mut dyn FnMut(u64)) -> Result<Proof, BackupError> {
    let contents = Contents::read(backup)?;
    look_at_files(backup, &contents, told)?;
    let journal = Arc::new(Journal::open_read_only(backup.join(JOURNAL))?);
    if journal.next_offset().0 != contents.next_offset {
        let reason = format!("ends at entry {} and not {}", journal.next_offset().0, contents.next_offset);
        return Err(BackupError::Damaged { path: JOURNAL.to_owned(), reason });
    }
    let mut checkpoints = checkpoints(backup, &contents)?;
    let newest = checkpoints.pop();
    let is_whole = contents.first_offset <= 1;
    let older = checkpoints.into_iter().find(|older| older.resume_at >= contents.first_offset);
    let mut walk = match (&older, &newest) {
        (Some(older), _) => Walk::from(older, &journal)?,
        (None, Some(newest)) if !is_whole => Walk::from(newest, &journal)?,
        _ => Walk::from_the_beginning(&journal)?,
    };
    let from_epoch = (is_whole || older.is_some()).then(|| older.as_ref().map_or(0, |older| older.epoch));
    let mut compared_entries = 0;
    let mut stored = String::new();
    if let Some(newest) = &newest {
        stored = state_hash(newest)?;
        let offset = newest.resume_at.saturating_sub(1);
        compared_entries = walk.go_to(Offset(newest.resume_at))?;
        let replayed = walk.engine.state_hash()?;
        for other in [&replayed, &contents.state_hash] {
            if *other != stored {
                return Err(BackupError::Differs { offset, replayed: other.clone(), stored });
            }
        }
    }
    let entries_behind = walk.go_to(journal.next_offset())?;
    Ok(Proof {
        files: contents.files.len(),
        bytes: contents.bytes(),
        from_epoch,
        compared_entries,
        epoch: contents.epoch,
        state_hash: stored,
        entries_behind,
        end_offset: journal.next_offset().0 - 1,
        end_state_hash: walk.engine.state_hash()?,
    })
}

/// Each file is there as the manifest says.
pub(super) fn look_at_files(
    backup: &Path,
    contents: &Contents,
    told: &mut dyn FnMut(u64),
) -> Result<(), BackupError> {
    let mut seen = 0;
    for file in &contents.files {
        let path = place_of(backup, &file.path)?;
        let (bytes, found) = hash(&path).map_err(failed(&path, "read"))?;
        if bytes != file.bytes || found != file.hash {
            let reason = "is not what was copied: its hash is not the one in the manifest".to_owned();
            return Err(BackupError::Damaged { path: file.path.clone(), reason });
        }
        seen += bytes;
        told(seen);
    }
    Ok(())
}

/// A path of the manifest below a folder, and nowhere else.
pub(super) fn place_of(folder: &Path, path: &str) -> Result<PathBuf, BackupError> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.split('/').all(is_plain) && !path.contains('\\') {
        return Ok(folder.join(path));
    }
    let reason = "is a name that no backup has".to_owned();
    Err(BackupError::Damaged { path: path.to_owned(), reason })
}

/// Bytes and BLAKE3 of a file.
pub(super) fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// Hash of the state that a checkpoint holds.
pub(super) fn state_hash(checkpoint: &Checkpoint) -> Result<String, BackupError> {
    Ok(restored(checkpoint)?.state_hash()?)
}

fn restored(checkpoint: &Checkpoint) -> Result<Engine, BackupError> {
    let config = configured(&configuration_of(&checkpoint.engine)?)?;
    let mut engine = wire::engine(&config)?;
    engine.restore(&config, &checkpoint.engine)?;
    Ok(engine)
}

fn configured(text: &str) -> Result<Config, BackupError> {
    Config::from_text(text).map_err(|mistakes| {
        let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
        BackupError::Unfit(format!("the journaled configuration does not load: {first}"))
    })
}

fn checkpoints(backup: &Path, contents: &Contents) -> Result<Vec<Checkpoint>, BackupError> {
    let is_one = |path: &str| path.starts_with(CHECKPOINTS);
    let mut paths: Vec<&str> =
        contents.files.iter().map(|file| file.path.as_str()).filter(|path| is_one(path)).collect();
    paths.sort_unstable();
    let read = |path: &&str| {
        let path = place_of(backup, path)?;
        Ok(Checkpoint::decode(&std::fs::read(&path).map_err(failed(&path, "read"))?)?)
    };
    paths.iter().map(read).collect()
}

/// An engine on its way through the journal.
struct Walk {
    engine: Engine,
    journal: Arc<ReadOnlyJournal>,
    next: Offset,
}

impl Walk {
    fn from(checkpoint: &Checkpoint, journal: &Arc<ReadOnlyJournal>) -> Result<Walk, BackupError> {
        Ok(Walk::with(restored(checkpoint)?, journal, checkpoint.resume_at()))
    }

    fn from_the_beginning(journal: &Arc<ReadOnlyJournal>) -> Result<Walk, BackupError> {
        let first = journal.read(journal.first_offset())?.next().transpose()?;
        let Some((_, Entry::Configuration { text, .. })) = first else {
            return Err(BackupError::Unfit("the journal does not begin with a configuration".into()));
        };
        Ok(Walk::with(wire::engine(&configured(&text)?)?, journal, journal.first_offset()))
    }

    fn with(mut engine: Engine, journal: &Arc<ReadOnlyJournal>, next: Offset) -> Walk {
        engine.remember(Box::new(Past(Arc::clone(journal))));
        Walk { engine, journal: Arc::clone(journal), next }
    }

    /// Applies what is before `until`; how many entries that were.
    fn go_to(&mut self, until: Offset) -> Result<u64, BackupError> {
        let from = self.next;
        let mut out = Vec::new();
        for entry in self.journal.read(from)?.take(usize::try_from(until.0 - from.0).unwrap_or(usize::MAX)) {
            let (offset, entry) = entry?;
            self.engine.stands_at(offset);
            self.engine.apply(&entry, &mut out)?;
            self.engine.take_answers().for_each(drop);
            out.clear();
        }
        self.next = until;
        Ok(until.0 - from.0)
    }
}

/// The backup's journal, for an engine to read again.
#[derive(Debug)]
struct Past(Arc<ReadOnlyJournal>);

impl crate::engine::Past for Past {
    fn entries(&self, from: Offset) -> Result<PastEntries<'_>, PastError> {
        Ok(Box::new(self.0.read(from)?.map(|entry| Ok(entry?.1))))
    }
}
