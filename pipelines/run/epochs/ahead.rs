//! The journal, read ahead while the entries before are applied.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use ingest::entry::Entry;
use ingest::journal::{Entries, JournalError};
use ingest::time::Offset;

type Item = Result<(Offset, Entry), JournalError>;

/// Entries that wait; the reader waits at the bound.
const ENTRIES_MAX: usize = 16;

/// Entries in their order, read and checked on a thread of its own, which ends with this.
pub(super) struct Ahead {
    items: Option<Receiver<Item>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    pub(super) fn of(entries: Entries) -> std::io::Result<Ahead> {
        let (sender, items) = sync_channel(ENTRIES_MAX);
        let work = move || {
            for item in entries {
                if sender.send(item).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("andon-reader".into()).spawn(work)?;
        Ok(Ahead { items: Some(items), thread: Some(thread) })
    }

    /// A panic of the reader is one of ours: a journal that only seems to end is not read to its end.
    fn join(&mut self) {
        self.items = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Iterator for Ahead {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let item = self.items.as_ref()?.recv().ok();
        if item.is_none() {
            self.join();
        }
        item
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.join();
    }
}
