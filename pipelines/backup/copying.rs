//! Making a backup.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ingest::journal::{self, Journal, JournalError};
use ingest::storage::{DiskStorage, Storage};
use ingest::time::Clock;
use sinks::parquet::{STAGING, is_shown};
use sinks::sink::Receipt;
use sinks::store::Address;

use super::{
    BackupError, CHECKPOINTS, Contents, Copied, EXPORT, FORMAT, JOURNAL, MANIFEST, STORE, failed, is_empty,
    proof,
};
use crate::checkpoint::{Checkpoint, CheckpointFolder};
use crate::config::Config;

/// How long the service may show an epoch until it lets us have the hold.
const PATIENCE_TRIES: u32 = 3_000;
const PAUSE: Duration = Duration::from_millis(20);
/// Files beside the segments that go with them: who we are to a mirror, and what it does not have.
const NOTES: [&str; 1] = ["mirror"];
const FORK: (&str, &str) = ("fork-", ".chunk");

/// Where a service keeps what.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    pub config: &'a Config,
    /// Without them a backup is smaller: `andon replay --journal` writes what the journal holds anew.
    pub with_exports: bool,
}

/// Copies everything into the folder `to`, which is empty or not there; `told` hears how many bytes are copied.
///
/// # Errors
/// What could not be read or written, or does not belong together. What is in `to` then is no backup.
pub fn back_up(
    source: &Source<'_>,
    to: &Path,
    clock: &dyn Clock,
    told: &mut dyn FnMut(u64),
) -> Result<Contents, BackupError> {
    let config = source.config;
    if !is_empty(to)? {
        let remedy = "name a folder that is empty or not there yet";
        return Err(BackupError::Occupied { path: to.to_owned(), remedy });
    }
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    storage.create_folder(to).map_err(failed(to, "made"))?;
    let folder = &config.journal.folder;
    if !folder.is_dir() {
        return Err(JournalError::Missing { folder: folder.clone() }.into());
    }
    // Nobody has it: then the service does not run, and does not begin to.
    let alone = journal::alone(&*storage, folder)?;
    let held = held(&*storage, folder)?;
    let mut copy = Copy { storage: Arc::clone(&storage), to, files: Vec::new(), told, bytes: 0 };
    let newest = copy.checkpoints(config, alone.is_some())?;
    if source.with_exports {
        copy.exports(&config.export.folder, alone.is_some())?;
    }
    copy.store(&config.store.url)?;
    copy.journal(folder)?;
    drop((held, alone));

    let copied = Journal::open_read_only(to.join(JOURNAL))?;
    let found = copied.recovered();
    let state_hash = newest.as_ref().map(proof::state_hash).transpose()?;
    let contents = Contents {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at_ms: clock.now_ms(),
        epoch: newest.as_ref().map_or(0, |newest| newest.epoch),
        resume_at: newest.as_ref().map_or(1, |newest| newest.resume_at),
        state_hash: state_hash.unwrap_or_default(),
        exports: source.with_exports,
        first_offset: found.first_offset.0,
        next_offset: found.next_offset.0,
        next_message: found.next_message,
        files: std::mem::take(&mut copy.files),
    };
    if !(contents.first_offset..=contents.next_offset).contains(&contents.resume_at) {
        return Err(BackupError::Unfit(format!(
            "the journal holds entries {} to {}, and the newest checkpoint goes on at {}: they do not belong together",
            contents.first_offset, contents.next_offset, contents.resume_at
        )));
    }
    let manifest = to.join(MANIFEST);
    storage.create(&manifest, contents.text().as_bytes()).map_err(failed(&manifest, "written"))?;
    Ok(contents)
}

fn held(storage: &dyn Storage, folder: &Path) -> Result<journal::Hold, BackupError> {
    let mut tries = 0;
    loop {
        match journal::hold(storage, folder) {
            Err(JournalError::Held { .. }) if tries < PATIENCE_TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            held => return Ok(held?),
        }
    }
}

struct Copy<'a> {
    storage: Arc<dyn Storage>,
    to: &'a Path,
    files: Vec<Copied>,
    told: &'a mut dyn FnMut(u64),
    bytes: u64,
}

impl Copy<'_> {
    /// The newest checkpoint that is shown and those before it; of a service that does not run the newest that there is.
    fn checkpoints(&mut self, config: &Config, is_still: bool) -> Result<Option<Checkpoint>, BackupError> {
        let folder = &config.checkpoint.folder;
        let checkpoints = CheckpointFolder::open(Arc::clone(&self.storage), folder, config.checkpoint.keep)?;
        let mut newest = None;
        for path in checkpoints.files()?.into_iter().rev() {
            let bytes = match fs::read(&path) {
                // One that is not shown yet may be let go.
                Err(error) if error.kind() == io::ErrorKind::NotFound && newest.is_none() => continue,
                bytes => bytes.map_err(failed(&path, "read"))?,
            };
            if newest.is_none() {
                let checkpoint = Checkpoint::decode(&bytes)?;
                let receipt = checkpoint.receipts.get(sinks::parquet::NAME);
                let is_shown = |receipt: &Receipt| is_shown(&config.export.folder, receipt);
                if !is_still && !receipt.is_none_or(is_shown) {
                    continue;
                }
                newest = Some(checkpoint);
            }
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            self.bytes_of(&format!("{CHECKPOINTS}/{name}"), &bytes)?;
        }
        Ok(newest)
    }

    /// Of a service that runs without what is staged: that belongs to epochs that the journal brings again.
    fn exports(&mut self, folder: &Path, is_still: bool) -> Result<(), BackupError> {
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            let found = match self.storage.list(&next) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found.map_err(failed(&next, "listed"))?,
            };
            for path in found {
                let below = path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
                let is_staged = below.starts_with(&format!("{STAGING}/")) && !below.ends_with("/shown");
                if path.is_dir() {
                    folders.push(path);
                } else if is_still || !is_staged {
                    self.file(&path, &format!("{EXPORT}/{below}"))?;
                }
            }
        }
        Ok(())
    }

    /// Of SQLite. What is in PostgreSQL is copied by the means of PostgreSQL.
    fn store(&mut self, url: &Address) -> Result<(), BackupError> {
        let path = self.to.join(STORE);
        let folder = path.parent().expect("it is in a folder");
        self.storage.create_folder(folder).map_err(failed(folder, "made"))?;
        if sinks::store::copy(url, &path)? {
            self.note(STORE)?;
        }
        Ok(())
    }

    fn journal(&mut self, folder: &Path) -> Result<(), BackupError> {
        let to = self.to.join(JOURNAL);
        self.storage.create_folder(&to).map_err(failed(&to, "made"))?;
        journal::copy(folder, &to)?;
        let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let copied = self.storage.list(&to).map_err(failed(&to, "listed"))?;
        for name in copied.iter().filter_map(name) {
            self.note(&format!("{JOURNAL}/{name}"))?;
        }
        for path in self.storage.list(folder).map_err(failed(folder, "listed"))? {
            let Some(name) = name(&path) else { continue };
            if NOTES.contains(&name.as_str()) || (name.starts_with(FORK.0) && name.ends_with(FORK.1)) {
                self.file(&path, &format!("{JOURNAL}/{name}"))?;
            }
        }
        Ok(())
    }

    fn bytes_of(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let to = self.place(name)?;
        self.storage.write(&to, bytes).map_err(failed(&to, "written"))?;
        self.note(name)
    }

    fn file(&mut self, from: &Path, name: &str) -> Result<(), BackupError> {
        let to = self.place(name)?;
        fs::copy(from, &to).map_err(failed(from, "copied"))?;
        File::open(&to).and_then(|file| file.sync_all()).map_err(failed(&to, "synced"))?;
        self.note(name)
    }

    fn place(&self, name: &str) -> Result<PathBuf, BackupError> {
        let to = self.to.join(name);
        let folder = to.parent().expect("it is in a folder");
        self.storage.create_folder(folder).map_err(failed(folder, "made"))?;
        Ok(to)
    }

    /// Remembers a file as it is in the backup.
    fn note(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.to.join(name);
        let (bytes, hash) = proof::hash(&path).map_err(failed(&path, "read"))?;
        self.files.push(Copied { path: name.to_owned(), bytes, hash });
        let folder = path.parent().expect("it is in a folder");
        self.storage.sync_folder(folder).map_err(failed(folder, "synced"))?;
        self.bytes += bytes;
        (self.told)(self.bytes);
        Ok(())
    }
}
