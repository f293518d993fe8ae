//! A journal that begins in the middle, and one that goes back.

use super::*;
use crate::journal::Place;

#[test]
fn a_journal_can_begin_where_another_has_come_to() {
    let storage = CrashStorage::new(1);
    let place =
        Place { offset: Offset(40), next_message: 1_000, last_at_ms: Some(5_000), last_epoch: Epoch(7) };
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    Journal::begin(&shared, &settings(Path::new(FOLDER), 4096), place).unwrap();
    let (mut journal, recovered) = open(&storage, 4096).unwrap();
    assert_eq!((journal.place(), journal.first_place().unwrap()), (place, place));
    assert_eq!((recovered.next_offset, recovered.next_message), (Offset(40), 1_000));
    assert_eq!(journal.append(&intake(1_000, 2, 5_500)).unwrap(), Offset(40));
    journal.sync().unwrap();
    drop(journal);
    let elsewhere = Place { offset: Offset(99), ..place };
    Journal::begin(&shared, &settings(Path::new(FOLDER), 4096), elsewhere).unwrap();
    let (journal, _) = open(&storage, 4096).unwrap();
    assert_eq!(journal.place().offset, Offset(41), "one that is there stays as it is");
}

#[test]
fn a_journal_goes_back_to_any_of_its_entries_and_on_from_there() {
    let written: Vec<Entry> = (0..30)
        .map(|number| match number % 3 {
            0 => intake(1 + number / 3 * 7, 7, number as i64 * 1_000),
            1 => tick(number as i64),
            _ => cut(number / 3 + 1, number as i64 * 1_000),
        })
        .collect();
    for to in 1..=31 {
        let storage = CrashStorage::new(to);
        let (mut journal, _) = open(&storage, 1024).unwrap();
        let mut places = vec![journal.place()];
        for entry in &written {
            journal.append(entry).unwrap();
            places.push(journal.place());
        }
        let mut passed = Place::FIRST;
        written.iter().take(to as usize - 1).for_each(|entry| passed.pass(entry));
        journal.cut_back(Offset(to)).unwrap();
        assert_eq!((journal.place(), passed), (places[to as usize - 1], places[to as usize - 1]));
        assert_eq!(entries(&journal, 1), written[..to as usize - 1]);
        journal.append(&tick(99)).unwrap();
        journal.sync().unwrap();
        drop(journal);
        let (journal, recovered) = open(&storage, 1024).unwrap();
        assert_eq!((recovered.next_offset, recovered.torn_bytes), (Offset(to + 1), 0));
        assert_eq!(entries(&journal, to), [tick(99)]);
    }
}

#[test]
fn a_journal_goes_back_only_within_itself() {
    let (mut journal, _) = open(&CrashStorage::new(1), 1024).unwrap();
    journal.append(&tick(1)).unwrap();
    assert!(matches!(journal.cut_back(Offset(3)), Err(JournalError::Ahead { .. })));
    assert!(matches!(journal.cut_back(Offset(0)), Err(JournalError::Trimmed { .. })));
}
