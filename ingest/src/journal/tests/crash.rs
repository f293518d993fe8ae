//! The storage fails, or the power goes, at any of its operations.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{FOLDER, cut, entries, file, intake, open, tick};
use crate::entry::Entry;
use crate::journal::{Journal, JournalError, Maker};
use crate::storage::{CrashStorage, DiskStorage, PowerCut, Storage};
use crate::time::Offset;

const SEGMENT_BYTES: u64 = 1024;

/// What a life of a process has done, as far as its callers were told.
#[derive(Debug, Default)]
struct Told {
    /// All that was handed to `append`, from offset 1.
    appended: Vec<Entry>,
    /// How many of them a `sync` has promised.
    synced: usize,
    /// Entries before may be trimmed.
    trimmed: u64,
}

/// Some seconds in the life of an intake loop.
fn live(storage: &CrashStorage, told: &mut Told) -> Result<(), JournalError> {
    let (mut journal, _) = open(storage, SEGMENT_BYTES)?;
    journal.make_ahead(Maker::Here);
    for second in 0..12 {
        let group = [
            intake(journal.next_message(), 1 + (second * 5) % 17, 1_000 * second as i64),
            tick(second as i64 + 1),
            cut(second + 1, 1_000 * (second as i64 + 1)),
        ];
        for entry in &group {
            told.appended.push(entry.clone());
            journal.append(entry)?;
        }
        journal.sync()?;
        told.synced = told.appended.len();
        if second % 5 == 4 {
            told.trimmed = journal.next_offset().0 - 6;
            journal.trim(Offset(told.trimmed), 0)?;
        }
    }
    Ok(())
}

/// What every new process must find, and be able to go on with.
fn check(storage: &CrashStorage, told: &Told, story: &str) {
    let (mut journal, recovered) =
        open(storage, SEGMENT_BYTES).unwrap_or_else(|error| panic!("{story}: {error}"));
    let kept = (recovered.next_offset.0 - 1) as usize;
    assert!(kept >= told.synced, "{story}: {kept} entries are left of {} synced", told.synced);
    assert!(kept <= told.appended.len(), "{story}: more than was ever written");
    assert!(recovered.first_offset.0 <= told.trimmed.max(1), "{story}: trimmed too much");
    let first = recovered.first_offset;
    assert_eq!(entries(&journal, first.0), told.appended[first.0 as usize - 1..kept], "{story}");

    let next = intake(recovered.next_message, 3, 1_000_000);
    journal.append(&next).unwrap();
    journal.append(&tick(1_001)).unwrap();
    journal.sync().unwrap();
    drop(journal);
    storage.cut_power(PowerCut::LoseUnsynced);
    storage.restart();
    let (journal, recovered) = open(storage, SEGMENT_BYTES).unwrap();
    assert_eq!(recovered.torn_bytes, 0, "{story}: something of the torn tail was left");
    assert_eq!(entries(&journal, kept as u64 + 1), [next, tick(1_001)], "{story}");
}

fn calls_of_a_life() -> u64 {
    let storage = CrashStorage::new(0);
    live(&storage, &mut Told::default()).unwrap();
    storage.calls()
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_synced() {
    for call in 1..=calls_of_a_life() {
        for (cut, seeds) in [(PowerCut::LoseUnsynced, 1), (PowerCut::KeepSome, 12)] {
            for seed in 0..seeds {
                let story = format!("{cut:?} at operation {call}, seed {seed}");
                let storage = CrashStorage::new(seed * 7919 + call);
                storage.cut_power_at(call, cut);
                let mut told = Told::default();
                // What makes a segment ahead tells nobody what it could not do.
                let _ = live(&storage, &mut told);
                assert!(storage.is_cut(), "{story}");
                storage.restart();
                check(&storage, &told, &story);
            }
        }
    }
}

#[test]
fn a_power_cut_while_reopening_loses_nothing_synced() {
    let mut torn = 0;
    for seed in 0..60 {
        let at = 43 + seed % 30;
        for call in 1.. {
            let storage = CrashStorage::new(seed);
            storage.cut_power_at(at, PowerCut::KeepSome);
            let mut told = Told::default();
            let _ = live(&storage, &mut told);
            storage.restart();
            storage.cut_power_at(storage.calls() + call, PowerCut::KeepSome);
            let opened = open(&storage, SEGMENT_BYTES);
            let was_cut = storage.is_cut();
            torn += u64::from(opened.is_ok_and(|(_, recovered)| recovered.torn_bytes > 0));
            storage.restart();
            check(&storage, &told, &format!("seed {seed}, operation {call} of reopening"));
            if !was_cut {
                break;
            }
        }
    }
    assert!(torn > 5, "only {torn} of the journals had a torn tail: the test has lost its point");
}

#[test]
fn a_failure_of_any_operation_loses_nothing_synced() {
    let mut not_felt = 0;
    for call in 1..=calls_of_a_life() {
        let storage = CrashStorage::new(call);
        storage.fail_at(call, io::ErrorKind::Other);
        let mut told = Told::default();
        // Only the making of a segment ahead may fail unfelt: then it is made when it is needed.
        not_felt += usize::from(live(&storage, &mut told).is_ok());
        // Process and machine go on, then the power goes.
        storage.cut_power(PowerCut::KeepSome);
        storage.restart();
        check(&storage, &told, &format!("operation {call} failed"));
    }
    assert!((1..50).contains(&not_felt), "{not_felt} operations failed and nobody was told");
}

#[test]
fn after_a_failed_sync_the_journal_takes_nothing_more() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    journal.append(&tick(1)).unwrap();
    storage.fail_at(storage.calls() + 1, io::ErrorKind::Other);
    let error = journal.sync().unwrap_err();
    assert!(matches!(error, JournalError::Storage { .. }) && !error.is_passing(), "{error}");
    assert!(matches!(journal.sync(), Err(JournalError::Poisoned)));
    assert!(matches!(journal.append(&tick(2)), Err(JournalError::Poisoned)));
}

/// The system forgets which pages a failed sync should have written: after a restart they were there to be read, the
/// next sync succeeded, and a power cut took them, although they had been acknowledged by then.
#[test]
fn what_a_failed_sync_has_lost_is_written_again_before_it_counts() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    journal.append(&tick(1)).unwrap();
    journal.sync().unwrap();
    journal.append(&tick(2)).unwrap();
    storage.fail_at(storage.calls() + 1, io::ErrorKind::Other);
    journal.sync().unwrap_err();
    drop(journal);
    storage.restart();
    let (journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    assert_eq!(entries(&journal, 1), [tick(1), tick(2)], "the page cache has it");
    drop(journal);
    storage.cut_power(PowerCut::LoseUnsynced);
    storage.restart();
    let (journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    assert_eq!(entries(&journal, 1), [tick(1), tick(2)]);
}

/// A process that was killed right after it had named its first segment left a name that was not durable; the next one
/// acknowledged messages in that file, and a power cut took all of it.
#[test]
fn a_segment_whose_name_is_not_durable_is_named_for_good_before_it_is_used() {
    for call in 1.. {
        let storage = CrashStorage::new(1);
        storage.cut_power_at(call, PowerCut::KeepAll);
        if open(&storage, SEGMENT_BYTES).is_ok() {
            break;
        }
        storage.restart();
        let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
        journal.append(&tick(1)).unwrap();
        journal.sync().unwrap();
        drop(journal);
        storage.cut_power(PowerCut::LoseUnsynced);
        storage.restart();
        let (journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
        assert_eq!(entries(&journal, 1), [tick(1)], "killed at operation {call}");
    }
}

/// The last group has no frame behind it that could say that it was durable: a flipped bit in it was taken for a torn
/// tail and cut off, and with it what had been acknowledged.
#[test]
fn a_flipped_bit_in_the_last_group_is_refused_and_not_taken_for_a_torn_tail() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    journal.append(&intake(1, 5, 1_000)).unwrap();
    journal.sync().unwrap();
    journal.append(&intake(6, 5, 2_000)).unwrap();
    journal.sync().unwrap();
    drop(journal);
    let content = storage.read(&file(1)).unwrap();
    let data = content.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let mut refused = 0;
    for bit in 0..data * 8 {
        storage.restart();
        storage.flip(&file(1), bit);
        match open(&storage, SEGMENT_BYTES) {
            Err(JournalError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("bit {bit}: {error}"),
            // Of zeroes between frames nobody reads anything.
            Ok((_, recovered)) => assert_eq!(recovered.next_message, 11, "bit {bit}"),
        }
    }
    assert!(refused > data * 8 * 9 / 10, "{refused} of {}", data * 8);
}

#[test]
fn a_full_disk_makes_the_journal_wait_and_go_on() {
    let storage = CrashStorage::new(1);
    let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
    storage.set_full(true);
    let mut written = Vec::new();
    let refused = loop {
        let entry = tick(written.len() as i64 + 1);
        match journal.append(&entry) {
            Ok(_) => written.push(entry),
            Err(error) => break error,
        }
    };
    assert!(refused.is_passing(), "{refused}");
    assert!(refused.to_string().starts_with("no space for the journal in `/andon/journal`"), "{refused}");
    assert!(written.len() > 10, "the segment's own room is used first");
    assert_eq!(journal.next_offset(), Offset(written.len() as u64 + 1));

    let waiting = tick(100);
    for _ in 0..3 {
        assert!(matches!(journal.append(&waiting), Err(JournalError::Full { .. })));
    }
    journal.sync().unwrap();
    assert_eq!(entries(&journal, 1), written, "nothing was half written");
    assert_eq!(
        storage.list(Path::new(FOLDER)).unwrap(),
        [file(1), Path::new(FOLDER).join("hold"), Path::new(FOLDER).join("lock")]
    );

    storage.set_full(false);
    assert_eq!(journal.append(&waiting).unwrap(), Offset(written.len() as u64 + 1));
    journal.sync().unwrap();
    written.push(waiting);
    assert_eq!(entries(&journal, 1), written);
}

#[test]
fn whichever_operation_finds_the_disk_full_the_same_append_can_be_tried_again() {
    let written: Vec<Entry> = (1..40).map(tick).collect();
    let write = |storage: &CrashStorage, call: u64| -> Option<(Journal, u64)> {
        let (mut journal, _) = open(storage, SEGMENT_BYTES).unwrap();
        if call > 0 {
            storage.fail_at(storage.calls() + call, io::ErrorKind::StorageFull);
        }
        let started = storage.calls();
        for entry in &written {
            match journal.append(entry) {
                Err(error) if error.is_passing() => journal.append(entry).map(|_| ()).unwrap(),
                // The sync before a new segment has found it: that is final.
                Err(error) => {
                    assert!(journal.is_poisoned, "{error}");
                    return None;
                }
                Ok(_) => {}
            }
        }
        journal.sync().unwrap();
        Some((journal, storage.calls() - started))
    };
    let (_, calls) = write(&CrashStorage::new(1), 0).unwrap();
    let mut went_on = 0;
    for call in 1..calls {
        if let Some((journal, _)) = write(&CrashStorage::new(1), call) {
            assert_eq!(entries(&journal, 1), written, "operation {call}");
            went_on += 1;
        }
    }
    assert!(went_on > calls * 4 / 5, "{went_on} of {calls}");
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Sync,
    Trim,
    Reopen,
    CutPower(PowerCut),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..60_u64).prop_map(Step::Append),
        4 => Just(Step::Sync),
        1 => Just(Step::Trim),
        1 => Just(Step::Reopen),
        1 => Just(Step::CutPower(PowerCut::LoseUnsynced)),
        3 => Just(Step::CutPower(PowerCut::KeepSome)),
    ]
}

proptest! {
    #[test]
    fn any_life_ends_with_all_that_was_synced(seed: u64, steps in prop::collection::vec(step(), 1..60)) {
        let storage = CrashStorage::new(seed);
        let (mut journal, _) = open(&storage, SEGMENT_BYTES).unwrap();
        journal.make_ahead(Maker::Here);
        let mut written: Vec<Entry> = Vec::new();
        let mut synced = 0;
        for (second, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(messages) => {
                    let entry = match messages {
                        0..10 => tick(second as i64),
                        _ => intake(journal.next_message(), messages, 1_000 * second as i64),
                    };
                    journal.append(&entry).unwrap();
                    written.push(entry);
                }
                Step::Sync => {
                    journal.sync().unwrap();
                    synced = written.len();
                }
                Step::Trim => {
                    journal.trim(Offset(synced as u64), 0).unwrap();
                }
                Step::Reopen | Step::CutPower(_) => {
                    if let Step::CutPower(cut) = step {
                        storage.cut_power(cut);
                        storage.restart();
                    }
                    drop(journal);
                    let (opened, recovered) = open(&storage, SEGMENT_BYTES).unwrap();
                    let kept = (recovered.next_offset.0 - 1) as usize;
                    prop_assert!(kept >= synced && kept <= written.len());
                    written.truncate(kept);
                    synced = kept;
                    journal = opened;
                    journal.make_ahead(Maker::Here);
                }
            }
            let first = journal.first_offset();
            prop_assert_eq!(entries(&journal, first.0), &written[first.0 as usize - 1..]);
        }
    }
}

/// Each sync of blocks that were never written waited for what others had on their way to the disk: 0.16 s beside a
/// checkpoint of 100 MB.
#[test]
fn the_journal_goes_on_in_a_segment_that_was_made_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let settings = super::settings(folder.path(), 3 << 20);
    let (mut journal, _) = Journal::open(Arc::new(DiskStorage), &settings).unwrap();
    journal.make_ahead(Maker::Thread);
    let mut written = Vec::new();
    let write = |journal: &mut Journal, written: &mut Vec<Entry>| {
        std::thread::sleep(Duration::from_millis(2));
        written.push(intake(journal.next_message(), 500, 1_000 * written.len() as i64));
        journal.append(written.last().unwrap()).unwrap();
    };
    write(&mut journal, &mut written);
    let spare = folder.path().join("spare.journal.new");
    assert!(!spare.exists(), "who writes little needs none");
    while journal.segments.len() < 2 {
        write(&mut journal, &mut written);
    }
    assert!(journal.is_made_ahead, "little is in the first, and its blocks were never written");
    assert_eq!(
        journal.trim(journal.next_offset(), 0).unwrap(),
        0,
        "who replays what is kept needs more than that"
    );
    while journal.segments.len() < 3 {
        write(&mut journal, &mut written);
    }
    assert!(journal.is_made_ahead, "the next was begun while this one was written");
    journal.sync().unwrap();
    assert_eq!(entries(&journal, 1), written);
    assert!(journal.trim(journal.next_offset(), 0).unwrap() > 0);
    while journal.position - journal.began_at < 1 << 20 {
        write(&mut journal, &mut written);
    }
    journal.sync().unwrap();
    drop(journal);
    assert!(!spare.exists(), "what nobody needs any more takes no room");
    std::fs::write(&spare, "a crash has left it").unwrap();
    let (journal, _) = Journal::open(Arc::new(DiskStorage), &settings).unwrap();
    assert!(!spare.exists());
    let first = journal.first_offset().0;
    assert_eq!(entries(&journal, first), written[first as usize - 1..]);
}
