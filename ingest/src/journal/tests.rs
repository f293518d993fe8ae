mod crash;
mod damage;
mod places;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Journal, JournalError, ReadOnlyJournal, Recovered, copy};
use crate::config::JournalSettings;
use crate::entry::{Entry, IntakeBuilder};
use crate::storage::{CrashStorage, DiskStorage, Storage};
use crate::time::{Epoch, Offset};

const FOLDER: &str = "/andon/journal";

fn settings(folder: &Path, segment_bytes: u64) -> JournalSettings {
    JournalSettings {
        folder: folder.to_owned(),
        segment_bytes,
        commit_interval: Duration::from_millis(5),
        commit_bytes: 256 * 1024,
    }
}

fn open(storage: &CrashStorage, segment_bytes: u64) -> Result<(Journal, Recovered), JournalError> {
    Journal::open(Arc::new(storage.clone()), &settings(Path::new(FOLDER), segment_bytes))
}

fn file(first: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{first:020}.journal"))
}

fn intake(first_message: u64, messages: u64, at_ms: i64) -> Entry {
    let mut builder = IntakeBuilder::new();
    for message in 0..messages {
        let payload = format!(r#"{{"value":{message}}}"#);
        builder.push("workshop/s1/b1/t1/telemetry", payload.as_bytes(), at_ms + message as i64);
    }
    Entry::Intake(builder.finish(first_message))
}

fn tick(second: i64) -> Entry {
    Entry::Tick { first_ms: second * 1000, last_ms: second * 1000 }
}

fn cut(epoch: u64, at_ms: i64) -> Entry {
    Entry::Cut { epoch: Epoch(epoch), at_ms }
}

fn entries(journal: &Journal, from: u64) -> Vec<Entry> {
    let read = journal.read(Offset(from)).unwrap().map(|item| item.unwrap().1);
    read.collect()
}

#[test]
fn entries_come_back_in_order_after_reopening() {
    let storage = CrashStorage::new(1);
    let (mut journal, recovered) = open(&storage, 4096).unwrap();
    assert_eq!(
        (recovered.first_offset, recovered.next_offset, recovered.next_message),
        (Offset(1), Offset(1), 1)
    );
    assert_eq!((recovered.last_at_ms, recovered.last_epoch, recovered.torn_bytes), (None, Epoch(0), 0));

    let configuration =
        Entry::Configuration { engine: "0.1.0".to_owned(), text: "[source]\n".repeat(900), change: None };
    let written =
        vec![configuration, intake(1, 3, 5_000), tick(6), intake(4, 200, 6_500), cut(1, 7_000), tick(7)];
    for (place, entry) in written.iter().enumerate() {
        assert_eq!(journal.append(entry).unwrap(), Offset(place as u64 + 1));
    }
    assert_eq!(entries(&journal, 0), written, "also before they are durable");
    journal.sync().unwrap();
    drop(journal);

    let (journal, recovered) = open(&storage, 4096).unwrap();
    assert_eq!(recovered.next_offset, Offset(7));
    assert_eq!(recovered.next_message, 204);
    assert_eq!((recovered.last_at_ms, recovered.last_epoch), (Some(7_000), Epoch(1)));
    assert_eq!(entries(&journal, 1), written);
    assert_eq!(entries(&journal, 4), written[3..]);
    assert_eq!(entries(&journal, 7), []);
}

#[test]
fn a_journal_on_a_disk_is_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("deep/journal");
    let settings = settings(&folder, 16 * 1024);
    let (mut journal, _) = Journal::open(Arc::new(DiskStorage), &settings).unwrap();
    let mut written = Vec::new();
    for step in 0..40 {
        let entry = intake(1 + 100 * step, 100, 1_000 * step as i64);
        journal.append(&entry).unwrap();
        journal.sync().unwrap();
        written.push(entry);
    }
    let reader = Journal::open_read_only(&folder).unwrap();
    assert_eq!((reader.first_offset(), reader.next_offset()), (Offset(1), Offset(41)));
    let mut read = reader.read(Offset(1)).unwrap();
    assert_eq!(read.next().unwrap().unwrap(), (Offset(1), written[0].clone()));
    journal.append(&tick(41)).unwrap();
    let rest: Vec<Entry> = read.map(|item| item.unwrap().1).collect();
    assert_eq!(rest, written[1..], "up to where it was at opening");
    assert!(std::fs::read_dir(&folder).unwrap().count() > 2, "several segments and a lock");
}

#[test]
fn a_journal_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), 4096);
    let held = Journal::open(Arc::new(DiskStorage), &settings).unwrap();
    let error = Journal::open(Arc::new(DiskStorage), &settings).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(held);
    Journal::open(Arc::new(DiskStorage), &settings).unwrap();
}

/// Entries that were written between two looks at the end were taken for damage.
#[test]
fn a_journal_that_is_being_written_is_read_and_copied_as_far_as_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("journal"), 1 << 20);
    let (mut journal, _) = Journal::open(Arc::new(DiskStorage), &settings).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for second in 0.. {
                if over.load(std::sync::atomic::Ordering::SeqCst) {
                    break;
                }
                journal.append(&tick(second)).unwrap();
                journal.sync().unwrap();
            }
        });
        let looked: Vec<Result<u64, JournalError>> = (0..150)
            .map(|number| {
                let read = Journal::open_read_only(&settings.folder)?.next_offset().0;
                let to = folder.path().join(number.to_string());
                std::fs::create_dir(&to).unwrap();
                copy(&settings.folder, &to)?;
                let copied = Journal::open_read_only(&to)?;
                assert_eq!(copied.recovered().torn_bytes, 0);
                assert!(copied.next_offset().0 >= read);
                Ok(read)
            })
            .collect();
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        looked.into_iter().for_each(|read| assert!(read.unwrap() > 0));
    });
}

#[test]
fn segments_that_nobody_needs_stay_up_to_a_size_and_those_that_are_needed_whatever_theirs() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 1024).unwrap();
    for step in 0..60_u64 {
        journal.append(&intake(1 + 5 * step, 5, 1_000 * step as i64)).unwrap();
    }
    let next = journal.next_offset();
    let segments = journal.segments.len() as u64;
    assert!(segments > 8, "{segments} of a KiB each");
    assert_eq!(journal.trim(next, segments * 1024).unwrap(), 0, "there is room for all");
    assert_eq!(journal.trim(next, 5 * 1024 + 500).unwrap(), (segments - 5) * 1024);
    assert_eq!(journal.segments.len(), 5);
    let needed = journal.segments[2];
    assert_eq!(journal.trim(needed, 1).unwrap(), 2 * 1024, "the bound is passed rather than what is needed");
    assert_eq!(journal.first_offset(), needed);
}

#[test]
fn trimming_takes_whole_segments_and_numbers_go_on() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 1024).unwrap();
    for step in 0..30_u64 {
        journal.append(&intake(1 + 5 * step, 5, 1_000 * step as i64)).unwrap();
    }
    journal.append(&cut(9, 40_000)).unwrap();
    let all = entries(&journal, 1);
    journal.trim(Offset(20), 0).unwrap();
    let oldest = journal.first_offset();
    assert!(oldest > Offset(10) && oldest <= Offset(20), "{oldest:?}");
    assert_eq!(entries(&journal, 20), all[19..]);
    let error = journal.read(Offset(1)).unwrap_err();
    assert!(matches!(error, JournalError::Trimmed { .. }), "{error}");

    // Even if only an empty segment is left.
    journal.begin_segment(8).unwrap();
    let next_message = journal.next_message();
    let next_offset = journal.next_offset();
    journal.trim(next_offset, 0).unwrap();
    drop(journal);
    let (mut journal, recovered) = open(&storage, 1024).unwrap();
    assert_eq!((recovered.first_offset, recovered.next_offset), (next_offset, next_offset));
    assert_eq!((recovered.next_message, recovered.last_epoch), (next_message, Epoch(9)));
    assert_eq!((recovered.first_message, recovered.last_at_ms), (next_message, Some(40_000)));
    journal.append(&intake(next_message, 1, 42_000)).unwrap();
    assert_eq!(entries(&journal, next_offset.0), [intake(next_message, 1, 42_000)]);
}

#[test]
fn an_entry_larger_than_a_segment_gets_one_of_its_size() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 256).unwrap();
    let written = [intake(1, 500, 0), tick(1), intake(501, 500, 1_000), tick(2)];
    for entry in &written {
        journal.append(entry).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let (journal, _) = open(&storage, 256).unwrap();
    assert_eq!(entries(&journal, 1), written);
}

#[test]
fn what_a_checkpoint_counts_on_must_be_there() {
    let storage = CrashStorage::new(1);
    let (journal, _) = open(&storage, 1024).unwrap();
    let error = journal.read(Offset(5)).unwrap_err();
    assert!(error.to_string().contains("the journal ends before entry 5, its next is 1"), "{error}");
}

#[test]
fn reading_only_needs_a_journal_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let error = Journal::open_read_only(folder.path().join("nothing")).unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
    let error = Journal::open_read_only(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
}

#[test]
#[should_panic(expected = "messages are numbered without gaps")]
fn a_gap_in_the_numbers_of_messages_is_a_mistake_of_ours() {
    let (mut journal, _) = open(&CrashStorage::new(1), 1024).unwrap();
    let _ = journal.append(&intake(2, 1, 0));
}

#[test]
fn the_bytes_of_version_01_stay_readable() {
    let mut head = b"ANDONJ01".to_vec();
    for number in [40, 1000, 5_000, 7, 30] {
        head.extend_from_slice(&u64::to_le_bytes(number));
    }
    head.resize(60, 0);
    head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());

    let mut entry = vec![0x12];
    entry.extend_from_slice(&6_000_i64.to_le_bytes());
    entry.extend_from_slice(&6_000_i64.to_le_bytes());
    let numbers = [40, 40, 1000].map(u64::to_le_bytes).concat();
    let length = u32::try_from(entry.len()).unwrap().to_le_bytes();
    let checksum = crc32c::crc32c(&[&length[..], &numbers, &entry].concat()).to_le_bytes();

    let mut content = [&head[..], &length, &checksum, &numbers, &entry].concat();
    content.resize(512, 0);
    let storage = CrashStorage::new(1);
    storage.create_folder(Path::new(FOLDER)).unwrap();
    storage.create(&file(40), &content).unwrap();

    let journal = ReadOnlyJournal::open(Arc::new(storage), Path::new(FOLDER)).unwrap();
    let expected = Recovered {
        first_offset: Offset(40),
        first_message: 1000,
        next_offset: Offset(41),
        next_message: 1000,
        last_at_ms: Some(6_000),
        last_epoch: Epoch(7),
        torn_bytes: 0,
    };
    assert_eq!(*journal.recovered(), expected);
    let read: Vec<Entry> = journal.read(Offset(40)).unwrap().map(|item| item.unwrap().1).collect();
    assert_eq!(read, [tick(6)]);
}

#[test]
fn who_looks_for_small_entries_reads_the_large_ones_not_and_tells_their_messages() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 2048).unwrap();
    for second in 1..=30 {
        journal.append(&intake(journal.next_message(), 10, second * 1_000)).unwrap();
        journal.append(&tick(second)).unwrap();
        journal.append(&cut(second as u64, second * 1_000)).unwrap();
    }
    journal.sync().unwrap();
    assert!(journal.segments.len() > 3);
    let mut seen = Vec::new();
    journal.skim(Offset(60), |offset, before, entry| seen.push((offset.0, before, entry.clone()))).unwrap();
    let expected: Vec<(u64, u64, Entry)> = (1..=20_u64)
        .flat_map(|second| {
            let (place, messages) = (3 * second, 10 * second + 1);
            let at = second as i64;
            [(place - 1, messages, tick(at)), (place, messages, cut(second, at * 1_000))]
        })
        .filter(|(offset, ..)| *offset < 60)
        .collect();
    assert_eq!(seen, expected);
    let bytes = storage.read(&file(1)).unwrap().len() as u64;
    let mut refused = 0;
    for bit in 64 * 8..bytes * 8 {
        storage.flip(&file(1), bit);
        refused += u64::from(journal.skim(Offset(60), |_, _, _| {}).is_err());
    }
    assert!(refused > 1_000, "what leads from frame to frame and what is small is checked: {refused}");
}
