//! The newest entries of the journal, kept for the mirror so that it need not read them again.

use std::collections::VecDeque;

use ingest::entry::Entry;
use ingest::time::Offset;

/// Beyond it the oldest are let go: the mirror is behind, and reads them from the journal's files.
const TAIL_BYTES_MAX: usize = 32 << 20;

/// What to put next.
#[derive(Debug)]
pub(super) enum Work {
    Entries(Vec<Entry>),
    /// In the journal's files, up to this offset.
    Behind(Offset),
    Nothing,
}

/// Entries without gaps, up to the newest that was appended.
#[derive(Debug)]
pub(super) struct Tail {
    entries: VecDeque<(Entry, usize)>,
    /// Of the oldest.
    first: Offset,
    bytes: usize,
}

impl Tail {
    /// Behind what is in the journal already.
    pub(super) fn at(first: Offset) -> Self {
        Tail { entries: VecDeque::new(), first, bytes: 0 }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let bytes = size_of_entry(&entry);
        self.bytes += bytes;
        self.entries.push_back((entry, bytes));
        while self.bytes > TAIL_BYTES_MAX {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some((_, bytes)) = self.entries.pop_front() else { return };
        self.bytes -= bytes;
        self.first = self.first.next();
    }

    /// Lets go of what is before `offset`.
    pub(super) fn drop_before(&mut self, offset: Offset) {
        while self.first < offset && !self.entries.is_empty() {
            self.pop();
        }
    }

    /// Entries from `from` up to `until`, of about `bytes_max` in all; `None` where they are let go.
    pub(super) fn get(&self, from: Offset, until: Offset, bytes_max: usize) -> Option<Vec<Entry>> {
        let skipped = usize::try_from(from.0.checked_sub(self.first.0)?).ok()?;
        let count = usize::try_from(until.0.saturating_sub(from.0)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let taken = self.entries.iter().skip(skipped).take(count).take_while(|(_, size)| {
            let is_room = bytes < bytes_max;
            bytes += size;
            is_room
        });
        Some(taken.map(|(entry, _)| entry.clone()).collect())
    }
}

/// About what an entry takes.
pub(super) fn size_of_entry(entry: &Entry) -> usize {
    let body = match entry {
        Entry::Intake(intake) => intake.body().len(),
        Entry::Configuration { text, .. } => text.len(),
        Entry::Command(command) => command.order.len() + command.messages.body().len(),
        Entry::Filling { windows, .. } => windows.len(),
        Entry::Tick { .. } | Entry::Cut { .. } | Entry::Generation { .. } => 0,
    };
    body + 64
}

#[cfg(test)]
mod tests {
    use ingest::entry::{Command, IntakeBuilder};

    use super::*;

    fn tick(second: i64) -> Entry {
        Entry::Tick { first_ms: second * 1000, last_ms: second * 1000 }
    }

    #[test]
    fn what_was_let_go_is_not_there_and_the_rest_is_in_order() {
        let mut tail = Tail::at(Offset(5));
        (5..15).for_each(|second| tail.push(tick(second)));
        assert_eq!(tail.get(Offset(4), Offset(15), 1 << 20), None);
        assert_eq!(tail.get(Offset(6), Offset(8), 1 << 20), Some(vec![tick(6), tick(7)]));
        assert_eq!(tail.get(Offset(6), Offset(15), 64).map(|entries| entries.len()), Some(1));
        assert_eq!(tail.get(Offset(15), Offset(15), 64), Some(vec![]));
        tail.drop_before(Offset(7));
        assert_eq!(tail.get(Offset(6), Offset(8), 64), None);
    }

    #[test]
    fn a_mirror_that_is_away_does_not_fill_the_memory() {
        let mut tail = Tail::at(Offset(1));
        let text = "x".repeat(1 << 20);
        for _ in 0..100 {
            tail.push(Entry::Configuration { engine: String::new(), text: text.clone(), change: None });
        }
        assert!(tail.bytes <= TAIL_BYTES_MAX && tail.entries.len() < 33);
        assert_eq!(tail.first.0 + tail.entries.len() as u64, 101);
        // What people bring takes room as what sensors say does.
        let mut messages = IntakeBuilder::new();
        messages.push("workshop/lyon/bay-01/tool-1/telemetry", text.as_bytes(), 0);
        let messages = messages.finish(1);
        for _ in 0..100 {
            tail.push(Entry::Command(Command { at_ms: 0, order: String::new(), messages: messages.clone() }));
        }
        assert!(tail.bytes <= TAIL_BYTES_MAX && tail.entries.len() < 33);
    }
}
