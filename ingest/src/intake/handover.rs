//! Durable entries on their way to the engine.
//!
//! Their bound is in bytes, not in entries: a pause of the engine, for a checkpoint, is not felt by whoever waits for an
//! acknowledgement as long as what comes meanwhile finds room here. At the bound the journal's thread waits, and with it
//! the acknowledgements.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Durable;
use crate::entry::Entry;

/// What an entry takes beside its messages, about.
const ENTRY_BYTES: usize = 128;

/// A way for entries of up to `bytes_max` together; one that is larger goes alone.
#[must_use]
pub fn handover(bytes_max: usize) -> (EntrySender, EntryReceiver) {
    let (sender, receiver) = channel();
    let room = Arc::new(Room { taken: Mutex::default(), freed: Condvar::new(), bytes_max });
    (EntrySender { sender, room: Arc::clone(&room) }, EntryReceiver { receiver, room })
}

#[derive(Debug)]
struct Room {
    taken: Mutex<Taken>,
    freed: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    /// Nobody takes entries any more.
    is_closed: bool,
}

/// The journal's end.
#[derive(Debug)]
pub struct EntrySender {
    sender: Sender<Durable>,
    room: Arc<Room>,
}

/// The engine's end.
#[derive(Debug)]
pub struct EntryReceiver {
    receiver: Receiver<Durable>,
    room: Arc<Room>,
}

/// The other end is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl EntrySender {
    /// Sends; waits for room before, if need be.
    ///
    /// # Errors
    /// If nobody takes it.
    pub fn send(&self, durable: Durable) -> Result<(), Closed> {
        let bytes = bytes_of(&durable.entry);
        let is_full = |taken: &mut Taken| {
            !taken.is_closed && taken.bytes > 0 && taken.bytes + bytes > self.room.bytes_max
        };
        let taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.room.freed.wait_while(taken, is_full).unwrap_or_else(PoisonError::into_inner);
        if taken.is_closed {
            return Err(Closed);
        }
        taken.bytes += bytes;
        drop(taken);
        self.sender.send(durable).map_err(|_| Closed)
    }
}

impl EntryReceiver {
    /// The next entry, waited for.
    ///
    /// # Errors
    /// If there is none in that time, or will be none any more.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Durable, RecvTimeoutError> {
        let durable = self.receiver.recv_timeout(timeout)?;
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.bytes -= bytes_of(&durable.entry);
        self.room.freed.notify_one();
        Ok(durable)
    }
}

impl Drop for EntryReceiver {
    fn drop(&mut self) {
        self.room.taken.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.room.freed.notify_one();
    }
}

fn bytes_of(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.messages().map_or(0, |messages| messages.body().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::IntakeBuilder;
    use crate::time::Offset;

    fn durable(offset: u64, bytes: usize) -> Durable {
        let mut intake = IntakeBuilder::new();
        intake.push("workshop/lyon/bay-01/tq-1/telemetry", &vec![b' '; bytes], 1);
        Durable { offset: Offset(offset), entry: Entry::Intake(intake.finish(1)), received_us: 0 }
    }

    fn next(entries: &EntryReceiver) -> Option<u64> {
        entries.recv_timeout(Duration::ZERO).ok().map(|durable| durable.offset.0)
    }

    #[test]
    fn many_small_entries_wait_while_the_engine_pauses() {
        let (sender, entries) = handover(1 << 20);
        (1..=1_000).for_each(|offset| sender.send(durable(offset, 100)).expect("there is room"));
        (1..=1_000).for_each(|offset| assert_eq!(next(&entries), Some(offset)));
        drop(sender);
        let end = entries.recv_timeout(Duration::ZERO).expect_err("no more");
        assert_eq!(end, RecvTimeoutError::Disconnected);
    }

    #[test]
    fn the_journal_waits_at_the_bound_and_an_entry_beyond_it_goes_alone() {
        let (sender, entries) = handover(4_096);
        sender.send(durable(1, 3_000)).expect("there is room");
        let journal = std::thread::spawn(move || {
            let sent = [durable(2, 3_000), durable(3, 100_000)].map(|durable| sender.send(durable));
            drop(sender);
            sent
        });
        let patience = Duration::from_secs(60);
        let taken = (0..3).map(|_| entries.recv_timeout(patience).expect("it comes").offset.0);
        assert_eq!(taken.collect::<Vec<u64>>(), [1, 2, 3]);
        assert_eq!(journal.join().expect("it ends"), [Ok(()), Ok(())]);
    }

    #[test]
    fn a_journal_that_waits_is_told_that_the_engine_is_gone() {
        let (sender, entries) = handover(4_096);
        sender.send(durable(1, 4_000)).expect("there is room");
        let journal = std::thread::spawn(move || sender.send(durable(2, 4_000)));
        drop(entries);
        assert_eq!(journal.join().expect("it ends"), Err(Closed));
    }
}
