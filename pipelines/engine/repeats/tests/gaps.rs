//! What has not come, against a plain book of what was sent and what came.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn of_boot(boot: i64, seq: i64) -> Print {
    Print { boot, ..element(seq, seq, (boot * 1_000 + seq).cast_unsigned()) }
}

fn told(repeats: &Repeats, channel: u32) -> Vec<(i64, i64, i64)> {
    repeats.gaps(channel).collect()
}

/// What [`Missing`] adds up as it goes is what the channels say.
fn adds_up(repeats: &Repeats) {
    let all: Vec<(i64, i64, i64)> =
        repeats.missing().channels().iter().flat_map(|&channel| repeats.gaps(channel)).collect();
    let numbers: i64 = all.iter().map(|(_, first, last)| last - first + 1).sum();
    assert_eq!(repeats.missing().ranges(), all.len() as u64);
    assert_eq!(repeats.missing().numbers(), numbers.cast_unsigned());
    for &channel in repeats.missing().channels() {
        assert!(repeats.gaps(channel).next().is_some(), "channel {channel} misses something");
    }
}

#[test]
fn numbers_that_were_passed_over_are_told_until_they_come() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for seq in [7, 8, 12, 20] {
        repeats.see(&of_boot(1, seq));
    }
    assert_eq!(told(&repeats, 0), [(1, 9, 11), (1, 13, 19)]);
    repeats.see(&of_boot(1, 10));
    assert_eq!(told(&repeats, 0), [(1, 9, 9), (1, 11, 11), (1, 13, 19)]);
    for seq in [9, 11] {
        repeats.see(&of_boot(1, seq));
    }
    assert_eq!(told(&repeats, 0), [(1, 13, 19)]);
    assert_eq!(repeats.missing().numbers(), 7);
    adds_up(&repeats);
}

/// The gaps of a device were forgotten when it was started anew.
#[test]
fn what_was_lost_before_a_restart_of_the_device_is_told_after_it() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for (boot, seq) in [(1, 1), (1, 4), (2, 1), (2, 2), (1, 5), (2, 3), (2, 6)] {
        assert_eq!(repeats.see(&of_boot(boot, seq)), Seen::New, "{boot}/{seq}");
    }
    assert_eq!(told(&repeats, 0), [(1, 2, 3), (2, 4, 5)]);
    assert_eq!(repeats.see(&of_boot(1, 2)), Seen::New, "a straggler of the boot before");
    assert_eq!(told(&repeats, 0), [(2, 4, 5), (1, 3, 3)]);
    adds_up(&repeats);
}

#[test]
fn a_message_out_of_quarantine_or_a_recording_fills_its_gap_and_opens_none() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for (boot, seq) in [(1, 1), (1, 3), (2, 10), (2, 12)] {
        repeats.see(&of_boot(boot, seq));
    }
    for (boot, seq) in [(1, 2), (2, 11), (1, 90), (3, 4)] {
        repeats.fill(&of_boot(boot, seq));
    }
    assert_eq!(told(&repeats, 0), []);
    assert!(repeats.missing().channels().is_empty());
    adds_up(&repeats);
}

#[test]
fn beyond_the_bound_the_oldest_gaps_are_counted_and_told_no_more() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for number in 0..1_000 {
        repeats.see(&of_boot(1, number * 2));
    }
    assert_eq!(told(&repeats, 0).len(), 256);
    assert_eq!(told(&repeats, 0).last(), Some(&(1, 1_997, 1_997)), "the newest is there");
    assert_eq!(repeats.missing().forgotten(), 999 - 256);
    for boot in 2..100 {
        repeats.see(&of_boot(boot, 1));
        repeats.see(&of_boot(boot, 3));
    }
    assert_eq!(told(&repeats, 0).len(), 9, "of the newest boots");
    assert_eq!(repeats.missing().forgotten(), 999 + 98 - 9);
    adds_up(&repeats);
}

#[test]
fn the_widest_gap_that_there_can_be_is_counted() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    repeats.see(&of_boot(0, i64::MIN + 1));
    repeats.see(&of_boot(0, i64::MAX));
    assert_eq!(repeats.missing().numbers(), u64::MAX - 2);
    repeats.see(&of_boot(0, 0));
    assert_eq!(told(&repeats, 0), [(0, i64::MIN + 2, -1), (0, 1, i64::MAX - 1)]);
}

proptest! {
    #[test]
    fn the_gaps_are_what_a_plain_book_says(
        came in prop::collection::vec((0_u32..3, 0_i64..4, 0_i64..40), 0..300),
    ) {
        let mut repeats = Repeats::new(1000, 1_000_000);
        let mut book: BTreeMap<(u32, i64), BTreeSet<i64>> = BTreeMap::new();
        let mut starts: BTreeMap<(u32, i64), i64> = BTreeMap::new();
        for (channel, boot, seq) in came {
            let print = Print { channel, ..of_boot(boot, seq) };
            repeats.see(&print);
            // A gap begins behind the first number that came.
            if seq >= *starts.entry((channel, boot)).or_insert(seq) {
                book.entry((channel, boot)).or_default().insert(seq);
            }
        }
        for channel in 0..3 {
            let mut expected = BTreeSet::new();
            for (&(_, boot), seqs) in book.iter().filter(|((of, _), _)| *of == channel) {
                let (first, last) = (seqs.first().copied().unwrap_or(0), seqs.last().copied().unwrap_or(0));
                expected.extend((first..last).filter(|seq| !seqs.contains(seq)).map(|seq| (boot, seq)));
            }
            let told: Vec<(i64, i64)> =
                repeats.gaps(channel).flat_map(|(boot, first, last)| (first..=last).map(move |seq| (boot, seq))).collect();
            prop_assert_eq!(told.len(), expected.len());
            prop_assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
        }
        adds_up(&repeats);
    }
}
