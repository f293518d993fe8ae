//! What is on the disk is not what was written.

use std::path::Path;
use std::sync::Arc;

use super::{FOLDER, cut, entries, file, intake, open, tick};
use crate::entry::Entry;
use crate::journal::frame::frame_bytes;
use crate::journal::{JournalError, ReadOnlyJournal, segment};
use crate::storage::{CrashStorage, Storage};
use crate::time::Offset;

/// A journal of groups, each synced by itself; tells where each frame begins, and where the last ends.
fn written(storage: &CrashStorage, segment_bytes: u64, groups: &[&[Entry]]) -> Vec<usize> {
    let (mut journal, _) = open(storage, segment_bytes).unwrap();
    let mut positions = vec![segment::HEAD_BYTES];
    for group in groups {
        for entry in *group {
            journal.append(entry).unwrap();
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            positions.push(positions[positions.len() - 1] + frame_bytes(bytes.len()) as usize);
        }
        journal.sync().unwrap();
    }
    positions
}

fn refusal(storage: &CrashStorage, segment_bytes: u64) -> (String, u64, String) {
    match open(storage, segment_bytes) {
        Err(JournalError::Damaged { file, position, expected }) => {
            (file.file_name().unwrap().to_str().unwrap().to_owned(), position, expected)
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_frame_is_cut() {
    let groups: [&[Entry]; 3] = [&[intake(1, 3, 0)], &[tick(1)], &[intake(4, 4, 1_500)]];
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 2048, &groups);
    let whole = storage.read(&file(1)).unwrap();
    let [start, end] = [positions[2], positions[3]];
    let length = whole[start..end].iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for garbage in [0, 0xa5] {
        for at in start..start + length {
            let mut torn = whole.to_vec();
            torn[at..start + length].fill(garbage);
            if torn == whole {
                continue;
            }
            storage.create(&file(1), &torn).unwrap();
            let (mut journal, recovered) = open(&storage, 2048).unwrap();
            assert_eq!(recovered.next_offset, Offset(3), "torn at {at}");
            let is_torn = at > start || garbage != 0;
            assert_eq!(recovered.torn_bytes > 0, is_torn, "torn at {at}");
            // What comes next stands where the torn frame stood, with nothing of it behind.
            journal.append(&tick(2)).unwrap();
            journal.sync().unwrap();
            drop(journal);
            let (journal, recovered) = open(&storage, 2048).unwrap();
            assert_eq!(recovered.torn_bytes, 0);
            assert_eq!(entries(&journal, 1), [intake(1, 3, 0), tick(1), tick(2)]);
        }
    }
}

#[test]
fn a_file_that_ends_within_its_last_frame_is_a_torn_tail() {
    let groups: [&[Entry]; 2] = [&[tick(1)], &[intake(1, 4, 1_500)]];
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 2048, &groups);
    let whole = storage.read(&file(1)).unwrap();
    for end in positions[1]..positions[2] - 8 {
        storage.create(&file(1), &whole[..end]).unwrap();
        let (mut journal, recovered) = open(&storage, 2048).unwrap();
        assert_eq!(recovered.next_offset, Offset(2), "ends at {end}");
        journal.append(&tick(2)).unwrap();
        drop(journal);
        let (journal, _) = open(&storage, 2048).unwrap();
        assert_eq!(entries(&journal, 1), [tick(1), tick(2)]);
        storage.list(Path::new(FOLDER)).unwrap().iter().skip(1).for_each(|path| {
            if path.extension().is_some() {
                storage.remove(path).unwrap();
            }
        });
    }
}

#[test]
fn a_flipped_bit_before_the_last_group_is_refused_with_its_place() {
    let groups: [&[Entry]; 3] = [&[tick(1)], &[intake(1, 2, 1_500), cut(1, 1_700)], &[tick(2)]];
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 1024, &groups);
    let whole = storage.read(&file(1)).unwrap();
    for frame in 0..3 {
        let [start, end] = [positions[frame], positions[frame + 1]];
        let padding = whole[start..end].iter().rev().take(7).take_while(|byte| **byte == 0).count();
        for at in start..end - padding {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << (at % 8);
            storage.create(&file(1), &damaged).unwrap();
            let (name, position, expected) = refusal(&storage, 1024);
            assert_eq!(
                (name.as_str(), position),
                ("00000000000000000001.journal", start as u64),
                "byte {at}"
            );
            assert!(expected.contains("since entry"), "{expected}");
            assert_eq!(storage.read(&file(1)).unwrap(), damaged, "a refused journal stays as it is");
        }
    }
}

#[test]
fn a_refusal_says_file_place_expectation_and_remedy() {
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 1024, &[&[tick(1)], &[tick(2)], &[tick(3)]]);
    let mut damaged = storage.read(&file(1)).unwrap().to_vec();
    damaged[positions[1] + 40] ^= 1;
    storage.create(&file(1), &damaged).unwrap();
    let text = open(&storage, 1024).unwrap_err().to_string();
    assert_eq!(
        text,
        "the journal is damaged in `/andon/journal/00000000000000000001.journal` at byte 120: expected entry 2 \
         with its checksum, since entry 3 behind it was written later; put the file back from a backup or a \
         mirror, and do not delete it, since what no checkpoint holds would be lost"
    );
}

#[test]
fn a_group_that_reached_the_disk_in_another_order_is_a_torn_tail() {
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 1024, &[&[tick(1)], &[tick(2), tick(3), tick(4)]]);
    let mut torn = storage.read(&file(1)).unwrap().to_vec();
    torn[positions[1]..positions[2]].fill(0);
    storage.create(&file(1), &torn).unwrap();
    let (mut journal, recovered) = open(&storage, 1024).unwrap();
    assert_eq!(recovered.next_offset, Offset(2));
    assert!(recovered.torn_bytes > 0);
    // A frame of the size of the lost one must not bring back those that stood behind it.
    journal.append(&tick(5)).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let (journal, _) = open(&storage, 1024).unwrap();
    assert_eq!(entries(&journal, 1), [tick(1), tick(5)]);
}

#[test]
fn a_damaged_older_segment_is_refused_where_it_is_read() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 256).unwrap();
    (1..20).for_each(|second| assert!(journal.append(&tick(second)).is_ok()));
    journal.sync().unwrap();
    drop(journal);
    let whole = storage.read(&file(1)).unwrap();
    let damage = |at: usize, end: usize| {
        let mut damaged = whole.to_vec();
        damaged[at..end].fill(0);
        storage.create(&file(1), &damaged).unwrap();
        let (journal, _) = open(&storage, 256).unwrap();
        let read: Vec<_> = journal.read(Offset(1)).unwrap().collect();
        match read.last().unwrap() {
            Err(JournalError::Damaged { file, position, .. }) => {
                assert!(file.ends_with("00000000000000000001.journal"));
                assert_eq!(read.len(), 3, "two entries, then the refusal, then nothing");
                *position
            }
            other => panic!("{other:?}"),
        }
    };
    let third = segment::HEAD_BYTES + 2 * 56;
    assert_eq!(damage(third + 41, third + 42), third as u64, "a byte");
    assert_eq!(damage(third, whole.len()), third as u64, "all from there on");
}

#[test]
fn a_gap_between_segments_is_refused() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, 256).unwrap();
    (1..20).for_each(|second| assert!(journal.append(&tick(second)).is_ok()));
    journal.sync().unwrap();
    let segments = journal.segments.clone();
    drop(journal);
    storage.remove(&file(segments[1].0)).unwrap();
    let (name, position, expected) = refusal(&storage, 256);
    assert_eq!((name, position), (segment::name(segments[2]), 40));
    assert_eq!(
        expected,
        format!(
            "`{}` before this file, and not `{}`",
            segment::name(segments[1]),
            segment::name(segments[0])
        )
    );
}

#[test]
fn a_damaged_head_of_a_segment_is_refused() {
    let storage = CrashStorage::new(1);
    written(&storage, 1024, &[&[tick(1)]]);
    let whole = storage.read(&file(1)).unwrap();
    for at in 0..segment::HEAD_BYTES {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0x10;
        storage.create(&file(1), &damaged).unwrap();
        let (_, position, _) = refusal(&storage, 1024);
        assert_eq!(position, if at < 8 { 0 } else { 60 });
    }
    storage.create(&file(1), &whole[..30]).unwrap();
    assert_eq!(refusal(&storage, 1024).1, 30);
    storage.remove(&file(1)).unwrap();
    storage.create(&file(5), &whole).unwrap();
    assert_eq!(refusal(&storage, 1024).1, 8, "renamed");
}

#[test]
fn reading_only_stops_before_a_torn_tail_and_leaves_it() {
    let storage = CrashStorage::new(1);
    let positions = written(&storage, 1024, &[&[tick(1)], &[intake(1, 4, 1_500)]]);
    let mut torn = storage.read(&file(1)).unwrap().to_vec();
    torn[positions[2] - 24..positions[2] - 8].fill(0);
    storage.create(&file(1), &torn).unwrap();

    let journal = ReadOnlyJournal::open(Arc::new(storage.clone()), Path::new(FOLDER)).unwrap();
    let read: Vec<_> = journal.read(Offset(1)).unwrap().map(|item| item.unwrap()).collect();
    assert_eq!(read, [(Offset(1), tick(1))]);
    assert!(journal.recovered().torn_bytes > 0);
    assert_eq!(storage.read(&file(1)).unwrap(), torn);
}
