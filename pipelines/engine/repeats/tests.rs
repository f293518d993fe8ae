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

/// Room in a vector, with so many places.
#[derive(Debug)]
struct Places(std::sync::Mutex<Vec<Option<Vec<u8>>>>, usize);

impl Room for Places {
    fn keep(&self, bytes: &[u8]) -> Option<u64> {
        let mut places = self.0.lock().expect("no test has failed");
        if let Some(free) = places.iter().position(Option::is_none) {
            places[free] = Some(bytes.to_vec());
            return Some(free as u64);
        }
        (places.len() < self.1).then(|| {
            places.push(Some(bytes.to_vec()));
            places.len() as u64 - 1
        })
    }

    fn read(&self, place: u64, bytes: &mut [u8]) {
        let places = self.0.lock().expect("no test has failed");
        bytes.copy_from_slice(places[place as usize].as_ref().expect("it was not freed"));
    }

    fn free(&self, place: u64, length: usize) {
        let freed = self.0.lock().expect("no test has failed")[place as usize].take();
        assert_eq!(freed.map(|bytes| bytes.len()), Some(length), "freed once, as long as it was");
    }
}

#[test]
fn what_is_kept_outside_of_memory_is_recognised_all_the_same_and_room_is_given_back() {
    let places = Arc::new(Places(std::sync::Mutex::new(Vec::new()), 4));
    let (mut inside, mut outside) = (Repeats::new(5_000, 1_000_000), Repeats::new(5_000, 1_000_000));
    outside.keep_in(Arc::clone(&places) as Arc<dyn Room>);
    let mut random = fastrand::Rng::with_seed(7);
    let mut found = [0; 3];
    for number in 0..40_000 {
        let back = if random.u8(0..4) == 0 { random.i64(0..20_000) } else { 0 };
        let seq = (number - back).max(0);
        let content = if random.u8(0..50) == 0 { 1 } else { seq as u64 };
        let channel = random.u32(0..3);
        // The last channel has no numbers.
        let element = element(if channel == 2 { NONE } else { seq }, seq, content);
        let print = Print { channel, arrived_ms: number, ..element };
        let verdict = inside.see(&print);
        assert_eq!(outside.see(&print), verdict, "element {number}");
        found[verdict as usize] += 1;
    }
    assert!(found.iter().all(|count| *count > 50), "new ones, repeats and conflicts: {found:?}");
    let all =
        |repeats: &Repeats| repeats.prints().map(|(_, prints)| prints.collect()).collect::<Vec<Vec<u64>>>();
    assert_eq!(all(&inside), all(&outside));
    let bytes = |repeats: &Repeats| postcard::to_allocvec(repeats).expect("written");
    assert_eq!(bytes(&inside), bytes(&outside), "a checkpoint is the same");
    let copy = outside.clone();
    let kept = || places.0.lock().expect("no test has failed").iter().flatten().count();
    let most = places.0.lock().expect("no test has failed").len();
    assert_eq!((most, kept() > 0), (4, true), "it was full, and what it did not take is in memory");
    drop(outside);
    assert_eq!((kept(), all(&copy) == all(&inside)), (0, true));
}
