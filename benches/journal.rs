//! CPU of the journal per message: collecting, appending and syncing groups as the intake loop does, and
//! reading them back. The floor is the same bytes written and synced with nothing around them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ingest::config::JournalSettings;
use ingest::entry::{Entry, IntakeBuilder};
use ingest::journal::Journal;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::Offset;
use rustix::time::{ClockId, clock_gettime};

const MESSAGES: u64 = 1_000_000;
const GROUP_BYTES: usize = 256 * 1024;
const SEGMENT_BYTES: u64 = 64 << 20;
const PAYLOAD_BYTES: usize = 150;
const ROUNDS: usize = 3;
const TOPICS: usize = 200;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the journal");
    let topics: Vec<String> =
        (0..TOPICS).map(|tool| format!("workshop/s1/bay{:02}/tool{tool}/telemetry", tool / 8)).collect();
    let payload = vec![b'x'; PAYLOAD_BYTES];

    let collected = best(|| collect(&topics, &payload));
    let durable = best(|| write(&fresh(folder.path(), "journal"), &topics, &payload));
    let walked = best(|| walk(&topics, &payload));
    let read_back = best(|| read(&folder.path().join("journal")));
    let floor = best(|| floor(&fresh(folder.path(), "floor")));
    line("journal: collect a message", collected, None, 30.0);
    line("journal: collect, append, fdatasync", durable, Some(floor), 200.0);
    line("journal: read an entry's messages in memory", walked, None, 20.0);
    line("journal: read from disk, check, walk", read_back, Some(floor), 100.0);
}

/// An empty folder.
fn fresh(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
    std::fs::create_dir(&folder).expect("its parent is there");
    folder
}

fn line(stage: &str, nanoseconds: f64, floor: Option<f64>, target: f64) {
    let floor = floor.map_or_else(|| "     -".to_owned(), |floor| format!("{floor:6.1}"));
    let verdict = if nanoseconds <= target { "ok" } else { "SLOW" };
    println!(
        "{stage:<46} {nanoseconds:6.1} ns CPU/message   floor {floor}   target {target:5.0}   {verdict}"
    );
}

/// CPU time of the process, the kernel's on its behalf included, in nanoseconds.
fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The least of several rounds: what the work takes when nothing else disturbs the caches.
fn best(round: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(round).take(ROUNDS).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds of CPU per message.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = cpu_ns();
    let result = work();
    ((cpu_ns() - start) / MESSAGES as f64, result)
}

/// All messages in groups, each handed to `take`.
fn groups(topics: &[String], payload: &[u8], mut take: impl FnMut(Entry)) {
    let mut builder = IntakeBuilder::new();
    let mut first_message = 1;
    for message in 0..MESSAGES {
        let topic = &topics[(message * 7) as usize % topics.len()];
        builder.push(topic, payload, 1_795_332_840_000 + (message / 100) as i64);
        if builder.bytes() >= GROUP_BYTES || message + 1 == MESSAGES {
            let messages = u64::from(builder.messages());
            take(Entry::Intake(builder.finish(first_message)));
            first_message += messages;
        }
    }
}

fn collect(topics: &[String], payload: &[u8]) -> f64 {
    timed(|| groups(topics, payload, |entry| drop(std::hint::black_box(entry)))).0
}

fn write(folder: &Path, topics: &[String], payload: &[u8]) -> f64 {
    let settings = JournalSettings {
        folder: folder.to_owned(),
        segment_bytes: SEGMENT_BYTES,
        commit_interval: Duration::from_millis(5),
        commit_bytes: GROUP_BYTES,
    };
    let (mut journal, _) = Journal::open(Arc::new(DiskStorage), &settings).expect("a new journal");
    let written = timed(|| {
        groups(topics, payload, |entry| {
            journal.append(&entry).expect("there is room");
            journal.sync().expect("the disk works");
        });
    });
    written.0
}

fn walk(topics: &[String], payload: &[u8]) -> f64 {
    let mut entries = Vec::new();
    groups(topics, payload, |entry| entries.push(entry));
    timed(|| entries.iter().map(payload_bytes).sum::<usize>()).0
}

fn read(folder: &Path) -> f64 {
    let (nanoseconds, bytes) = timed(|| {
        let journal = Journal::open_read_only(folder).expect("it was just written");
        let entries = journal.read(Offset(1)).expect("nothing was trimmed");
        entries.map(|item| payload_bytes(&item.expect("it is whole").1)).sum::<usize>()
    });
    assert_eq!(bytes as u64, MESSAGES * PAYLOAD_BYTES as u64, "all payloads come back");
    nanoseconds
}

fn payload_bytes(entry: &Entry) -> usize {
    match entry {
        Entry::Intake(intake) => intake.iter().map(|message| message.payload.len()).sum(),
        _ => 0,
    }
}

fn floor(folder: &Path) -> f64 {
    let group = vec![b'x'; GROUP_BYTES];
    let mut left = MESSAGES as usize * PAYLOAD_BYTES;
    let written = timed(|| {
        for segment in 0.. {
            let file = DiskStorage.open_write(&folder.join(format!("{segment}"))).expect("a new file");
            file.preallocate(SEGMENT_BYTES).expect("there is room");
            for position in (0..SEGMENT_BYTES).step_by(GROUP_BYTES) {
                if left < GROUP_BYTES {
                    return;
                }
                file.write_at(position, &group).expect("there is room");
                file.sync_data().expect("the disk works");
                left -= GROUP_BYTES;
            }
        }
    });
    written.0
}
