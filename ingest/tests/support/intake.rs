//! A running intake with a journal in memory that can be held up, and an engine that collects.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ingest::config::SourceSettings;
use ingest::entry::Entry;
use ingest::intake::{
    Durable, EntryReceiver, IntakeCounts, IntakeError, IntakeHandle, IntakeSettings, Log, LogError, Start,
    handover,
};
use ingest::time::{Epoch, Offset, SystemClock};

/// How the journal behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Fine,
    /// A sync takes 20 ms.
    Slow,
    /// A sync takes until the disk is something else.
    Stuck,
    Full,
    Broken,
}

/// The test's hand on the journal.
#[derive(Clone)]
pub(crate) struct DiskControl(Arc<(Mutex<Disk>, Condvar)>);

impl DiskControl {
    pub(crate) fn set(&self, disk: Disk) {
        *self.0.0.lock().expect("disk") = disk;
        self.0.1.notify_all();
    }
}

struct MemoryLog {
    disk: DiskControl,
    appended: u64,
}

impl MemoryLog {
    fn wait(&self) -> Result<(), LogError> {
        let mut disk = self.disk.0.0.lock().expect("disk");
        loop {
            match *disk {
                Disk::Fine => return Ok(()),
                Disk::Slow => {
                    drop(disk);
                    std::thread::sleep(Duration::from_millis(20));
                    return Ok(());
                }
                Disk::Stuck => disk = self.disk.0.1.wait(disk).expect("disk"),
                Disk::Full => return Err(LogError::Full { folder: "/journal".to_owned() }),
                Disk::Broken => return Err(LogError::Failed { reason: "fdatasync: I/O error".to_owned() }),
            }
        }
    }
}

impl Log for MemoryLog {
    fn append(&mut self, _entry: &Entry) -> Result<Offset, LogError> {
        self.appended += 1;
        Ok(Offset(self.appended))
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.wait()
    }
}

/// An intake under test.
pub(crate) struct Intake {
    pub(crate) handle: Option<IntakeHandle>,
    pub(crate) disk: DiskControl,
    entries: EntryReceiver,
    /// (topic, payload) of all durable messages, in order.
    pub(crate) messages: Vec<(String, Vec<u8>)>,
    /// All durable entries.
    pub(crate) durable: Vec<Durable>,
}

pub(crate) fn source(port: u16) -> SourceSettings {
    SourceSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        client_id: "andon".to_owned(),
        username: None,
        password: None,
        qos: 1,
        keep_alive: Duration::from_secs(30),
        inflight_window: 1000,
        message_bytes_max: 1 << 20,
        waiting_bytes_max: 8 << 20,
    }
}

impl Intake {
    pub(crate) fn start(source: SourceSettings) -> Intake {
        Intake::start_on(source, Disk::Fine)
    }

    pub(crate) fn start_on(source: SourceSettings, disk: Disk) -> Intake {
        Intake::try_start(source, disk).expect("the intake starts")
    }

    pub(crate) fn try_start(source: SourceSettings, disk: Disk) -> Result<Intake, IntakeError> {
        Intake::subscribed_to(source, disk, &["workshop/#"])
    }

    pub(crate) fn subscribed_to(
        source: SourceSettings,
        disk: Disk,
        filters: &[&str],
    ) -> Result<Intake, IntakeError> {
        let disk = DiskControl(Arc::new((Mutex::new(disk), Condvar::new())));
        let log = MemoryLog { disk: disk.clone(), appended: 0 };
        let settings = IntakeSettings {
            source,
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            commit_interval: Duration::from_millis(5),
            commit_bytes: 256 << 10,
            cut_interval: Duration::from_secs(5),
        };
        let opening =
            vec![Entry::Configuration { engine: "test".to_owned(), text: String::new(), change: None }];
        let start = Start { next_message: 1, last_at_ms: None, last_epoch: Epoch(0), opening };
        let (sender, entries) = handover(1 << 30);
        let handle =
            IntakeHandle::spawn(settings, Box::new(log), Arc::new(SystemClock::default()), start, sender)?;
        Ok(Intake { handle: Some(handle), disk, entries, messages: Vec::new(), durable: Vec::new() })
    }

    pub(crate) fn counts(&self) -> IntakeCounts {
        self.handle.as_ref().expect("it runs").status().counts()
    }

    pub(crate) fn source_state(&self) -> String {
        self.handle.as_ref().expect("it runs").status().source()
    }

    pub(crate) fn not_ready(&self) -> Vec<String> {
        self.handle.as_ref().expect("it runs").status().not_ready()
    }

    /// Waits until `is_so`; fails with `what` after 20 s.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&Intake) -> bool) {
        for _ in 0..4000 {
            self.collect(Duration::from_millis(5));
            if is_so(self) {
                return;
            }
        }
        panic!(
            "not within 20 s: {what}; {:?}, {}, {} messages",
            self.counts(),
            self.source_state(),
            self.messages.len()
        );
    }

    pub(crate) fn until_subscribed(&mut self) {
        self.until("subscribed", |intake| intake.source_state() == "subscribed");
    }

    /// Lets time pass for the intake.
    pub(crate) fn wait(&mut self, duration: Duration) {
        for _ in 0..duration.as_millis() / 5 {
            self.collect(Duration::from_millis(5));
        }
    }

    fn collect(&mut self, wait: Duration) -> bool {
        let first = match self.entries.recv_timeout(wait) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(wait);
                return false;
            }
        };
        let others = std::iter::from_fn(|| self.entries.recv_timeout(Duration::ZERO).ok());
        for durable in std::iter::once(first).chain(others) {
            if let Entry::Intake(intake) = &durable.entry {
                for message in intake {
                    self.messages.push((message.topic.to_owned(), message.payload.to_vec()));
                }
            }
            self.durable.push(durable);
        }
        true
    }

    /// Shuts down in order and gives what ended it.
    pub(crate) fn stop(&mut self) -> Result<(), IntakeError> {
        let handle = self.handle.take().expect("it runs");
        handle.shutdown();
        while self.collect(Duration::from_millis(5)) {}
        handle.join()
    }

    /// Payloads as numbers, in order of arrival.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let number =
            |payload: &Vec<u8>| std::str::from_utf8(payload).expect("text").trim().parse().expect("number");
        self.messages.iter().map(|(_, payload)| number(payload)).collect()
    }

    /// The numbers without repeats, sorted.
    pub(crate) fn distinct(&self) -> Vec<u64> {
        let mut numbers = self.numbers();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
