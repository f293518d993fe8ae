//! Forks: what a region took in while it led and the log does not have, on its way to whoever leads now.
//!
//! ```text
//! journal ─► FOLDER/fork-OFFSET-WRITER.chunk ─► forks/ in the mirror ─► commands of the new leader ─► gone from the mirror
//!                 then handed-OFFSET-WRITER.chunk, which stays
//! ```
//!
//! Each step is done again after a crash. Messages that come twice are known by their ordinals, and those that the broker
//! has brought again as all repeats are (rule 6.3). What people had asked for is asked again, by its key.

use std::path::{Path, PathBuf};

use ingest::entry::command::{Order, What};
use ingest::entry::{Entry, Intake};
use ingest::journal::Place;
use ingest::storage::Storage;
use ingest::time::Offset;

use super::chunk::Chunk;
use super::store::{Store, list_all};
use super::tail::size_of_entry;
use super::{MirrorError, decoded};

/// Folder in the mirror.
const FORKS: &str = "forks/";
/// A file beside the journal, and what it is called once the mirror has it.
const ASIDE: &str = "fork-";
const HANDED: &str = "handed-";
const END: &str = ".chunk";
/// About the content of a file.
const FILE_BYTES: usize = 4 << 20;
/// Who asks.
const ACTOR: &str = "andon";

/// Writes the entries of a fork into files beside the journal.
pub(super) struct Aside<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) folder: &'a Path,
    pub(super) writer: &'a str,
}

impl Aside<'_> {
    /// All of `entries`; their files. One that is there is whole, and a power cut may have left less of it in the journal
    /// since: it stays.
    pub(super) fn put(
        &self,
        entries: impl Iterator<Item = Result<(Offset, Entry), MirrorError>>,
    ) -> Result<Vec<PathBuf>, MirrorError> {
        let mut files = Vec::new();
        let (mut first, mut held, mut bytes) = (Offset::default(), Vec::new(), 0);
        for read in entries {
            let (offset, entry) = read?;
            if held.is_empty() {
                first = offset;
            }
            bytes += size_of_entry(&entry);
            held.push(entry);
            if bytes >= FILE_BYTES {
                files.push(self.file(first, std::mem::take(&mut held))?);
                bytes = 0;
            }
        }
        if !held.is_empty() {
            files.push(self.file(first, held)?);
        }
        Ok(files)
    }

    fn file(&self, first: Offset, entries: Vec<Entry>) -> Result<PathBuf, MirrorError> {
        let place = Place { offset: first, ..Place::FIRST };
        let chunk = Chunk { place, generation: 0, writer: self.writer.to_owned(), entries };
        let name = format!("{:020}-{}{END}", first.0, self.writer);
        let [aside, handed] = [ASIDE, HANDED].map(|begin| self.folder.join(format!("{begin}{name}")));
        let there = self.storage.list(self.folder).map_err(MirrorError::Note)?;
        if !there.contains(&aside) && !there.contains(&handed) {
            self.storage.create(&aside, &chunk.encode()).map_err(MirrorError::Note)?;
        }
        Ok(aside)
    }
}

/// Puts what is aside in `folder` into the mirror; how many files.
///
/// # Errors
/// A mirror that does not answer, a folder that cannot be read or written.
pub async fn hand_over(
    store: &dyn Store,
    storage: &dyn Storage,
    folder: &Path,
) -> Result<usize, MirrorError> {
    let mut handed = 0;
    for path in storage.list(folder).map_err(MirrorError::Note)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (Some(name), Some(_)) = (name.strip_prefix(ASIDE), name.strip_suffix(END)) else { continue };
        let content = storage.read(&path).map_err(MirrorError::Note)?;
        // One of that name has the same content: it was put before a crash.
        store.put_new(&format!("{FORKS}{name}"), content).await?;
        storage.rename(&path, &folder.join(format!("{HANDED}{name}"))).map_err(MirrorError::Note)?;
        handed += 1;
    }
    Ok(handed)
}

/// A file of a fork that the mirror holds for whoever leads.
#[derive(Debug)]
pub struct Fork {
    name: String,
    /// What is to be asked of the service, in order.
    pub orders: Vec<(Order, Intake)>,
}

impl Fork {
    /// The oldest, if there is one.
    ///
    /// # Errors
    /// A mirror that does not answer, or a file in it that is damaged.
    pub async fn oldest(store: &dyn Store) -> Result<Option<Fork>, MirrorError> {
        let Some(found) = list_all(store, FORKS, "").await?.into_iter().next() else { return Ok(None) };
        let name = found.name;
        let first = name.strip_prefix(FORKS).and_then(|rest| rest.split('-').next()?.parse().ok());
        let first = Offset(first.unwrap_or_default());
        let Some(content) = store.get(&name).await? else { return Ok(None) };
        let chunk = decoded(store, first, &content)?;
        let orders = chunk.entries.into_iter().filter_map(|entry| asked(&chunk.writer, entry)).collect();
        Ok(Some(Fork { name, orders }))
    }

    /// All of it is safe elsewhere.
    ///
    /// # Errors
    /// A mirror that does not answer.
    pub async fn remove(self, store: &dyn Store) -> Result<(), MirrorError> {
        Ok(store.remove(&self.name).await?)
    }
}

/// What an entry of a fork asks of who leads now. Time goes on without it, and each leader has a configuration of its own. No
/// item has left the house for a fork's attempts: the log would know them.
fn asked(writer: &str, entry: Entry) -> Option<(Order, Intake)> {
    match entry {
        Entry::Intake(messages) => {
            let from = messages.first_message;
            let what = What::Rejoin { fork: writer.to_owned(), from };
            Some((Order { actor: ACTOR.to_owned(), key: format!("fork-{writer}-{from}"), what }, messages))
        }
        Entry::Command(command) => {
            let order = command.order().ok().filter(|order| !matches!(order.what, What::Deliver { .. }))?;
            Some((order, command.messages))
        }
        Entry::Tick { .. }
        | Entry::Cut { .. }
        | Entry::Configuration { .. }
        | Entry::Generation { .. }
        | Entry::Filling { .. } => None,
    }
}
