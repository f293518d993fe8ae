use super::*;

mod gaps;

fn element(seq: i64, ts_ms: i64, hash: u64) -> Print {
    Print { channel: 0, boot: NONE, seq, ts_ms, arrived_ms: ts_ms, hash, is_first: true }
}

#[test]
fn a_redelivered_element_is_a_repeat_and_another_metric_of_the_same_time_is_not() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    assert_eq!(repeats.see(&element(NONE, 10, 1)), Seen::New);
    assert_eq!(repeats.see(&element(NONE, 10, 2)), Seen::New);
    assert_eq!(repeats.see(&element(NONE, 10, 1)), Seen::Repeat);
    assert_eq!(repeats.see(&element(NONE, 5, 1)), Seen::New, "the same content at another time is news");
}

#[test]
fn a_repeat_is_recognised_far_back_and_forgotten_at_the_bound() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for number in 0..1000 {
        assert_eq!(repeats.see(&element(number, number, number as u64)), Seen::New);
    }
    assert_eq!(repeats.see(&element(3, 3, 3)), Seen::Repeat);
    for number in 1000..4000 {
        repeats.see(&element(number, number, number as u64));
    }
    assert_ne!(repeats.see(&element(3, 3, 3)), Seen::Repeat);
    assert_eq!(repeats.see(&element(3500, 3500, 3500)), Seen::Repeat);
}

#[test]
fn a_message_of_many_elements_counts_as_one() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for number in 0..8000 {
        let is_first = number % 10 == 0;
        repeats.see(&Print { is_first, ..element(number, number, number as u64) });
    }
    assert_eq!(repeats.see(&element(3, 3, 3)), Seen::Repeat, "it is 800 messages back");
}

#[test]
fn the_same_seq_with_other_content_is_applied_and_named_a_conflict() {
    let mut repeats = Repeats::new(1000, 1_000_000);
    for seq in [1, 2, 5] {
        assert_eq!(repeats.see(&element(seq, seq, 7)), Seen::New);
    }
    assert_eq!(repeats.see(&element(3, 3, 7)), Seen::New, "a gap that is filled is no conflict");
    assert_eq!(repeats.see(&element(2, 2, 8)), Seen::Conflict);
    assert_eq!(repeats.see(&Print { boot: 1, ..element(2, 9, 8) }), Seen::New, "a new boot counts anew");
}

#[test]
fn far_back_a_number_alone_makes_no_repeat_and_gaps_and_missing_numbers_hide_none() {
    let mut repeats = Repeats::new(100_000, 1_000_000);
    let numbered = |seq: i64| element(seq, seq, seq as u64);
    let gapped = |seq: i64| Print { channel: 1, ..element(seq * 2, seq, seq as u64) };
    let unnumbered = |at: i64| Print { channel: 2, ..element(NONE, at, at as u64) };
    for number in 0..1000 {
        for print in [numbered(number), gapped(number), unnumbered(number)] {
            assert_eq!(repeats.see(&print), Seen::New);
        }
    }
    for number in [0, 1, 127, 128, 500] {
        for print in [numbered(number), gapped(number), unnumbered(number)] {
            assert_eq!(repeats.see(&print), Seen::Repeat);
        }
        assert_eq!(repeats.see(&element(number, number, 7_777)), Seen::Conflict, "it says something else");
        assert_eq!(repeats.see(&Print { boot: 1, ..numbered(number) }), Seen::New, "of another boot");
        repeats.see(&element(2_000 + number, 2_000 + number, 0));
    }
}
