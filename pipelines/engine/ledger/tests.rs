use super::*;

fn origin(lot: Option<&str>, message: u64) -> Origin {
    Origin { lot: lot.map(Arc::from), ts_ms: 1_000 + message.cast_signed(), message, rise: None }
}

fn only(lots: &Lots) -> &Entry {
    assert_eq!(lots.0.len(), 1);
    lots.0.values().next().expect("there is one")
}

#[test]
fn a_register_says_where_it_stood_before_the_first_use_and_behind_the_last() {
    let mut lots = Lots::default();
    let mut read = |series, from: f64, to: f64, message| {
        let rise = Some(Rise { series, from, to });
        lots.add(to - from, &Origin { rise, ..origin(None, message) }, false);
        let entry = only(&lots);
        (entry.meter, entry.quantity)
    };
    assert_eq!(read(3, 40.0, 40.5, 7), (Meter::Shows { series: 3, from: 40.0, to: 40.5 }, 0.5));
    assert_eq!(read(3, 40.5, 41.0, 8), (Meter::Shows { series: 3, from: 40.0, to: 41.0 }, 1.0));
    // It was exchanged in between.
    assert_eq!(read(3, 2.0, 2.25, 9), (Meter::Shows { series: 3, from: 40.0, to: 2.25 }, 1.25));
    assert_eq!(read(4, 7.0, 8.0, 10), (Meter::Unknown, 2.25), "two meters have no one reading");
    let entry = only(&lots);
    assert_eq!((entry.first_ms, entry.last_ms, entry.readings), (1_007, 1_010, 4));
}

#[test]
fn the_first_and_the_last_messages_are_named_and_all_are_counted() {
    let mut lots = Lots::default();
    // One message with two readings is one.
    for message in (1..=100).flat_map(|message| [message, message]) {
        lots.add(0.5, &origin(Some("L1"), message), false);
    }
    let entry = only(&lots);
    assert_eq!(entry.messages, [1, 2, 3, 4, 5, 6, 7, 8, 93, 94, 95, 96, 97, 98, 99, 100]);
    assert_eq!((entry.readings, entry.quantity), (200, 100.0));
}

#[test]
fn beyond_the_bound_lots_share_a_row_and_those_that_are_there_go_on() {
    let mut lots = Lots::default();
    for number in 0..LOTS_MAX as u64 + 5 {
        lots.add(1.0, &origin(Some(&format!("L{number:02}")), number), false);
    }
    lots.add(1.0, &origin(None, 100), false);
    lots.add(1.0, &origin(Some("L00"), 101), false);
    assert_eq!(lots.0.len(), LOTS_MAX + 2);
    let of = |lot: Option<&str>| lots.0[&lot.map(Arc::from)].quantity;
    assert_eq!((of(None), of(Some("L00")), of(Some(FURTHER_LOTS))), (1.0, 2.0, 5.0));
    assert_eq!(lots.0.values().map(|entry| entry.quantity).sum::<f64>(), LOTS_MAX as f64 + 7.0);
}

#[test]
fn a_row_is_held_until_it_is_final_and_in_tolerance_and_amended_by_what_comes_later() {
    let mut lots = Lots::default();
    let told = |lots: &mut Lots, is_final: bool, is_held: bool| -> Vec<(u32, &'static str)> {
        let told = lots.tell(|entry| entry.tell(false, is_final, is_held));
        told.map(|(_, entry)| (entry.revision, entry.state.as_str())).collect()
    };
    lots.add(4.0, &origin(None, 1), false);
    assert_eq!(told(&mut lots, false, false), [(1, "held")]);
    assert_eq!(told(&mut lots, true, true), [(2, "held")], "too much");
    assert_eq!(told(&mut lots, true, false), [(3, "posted")], "somebody took it as it is");
    assert_eq!(told(&mut lots, true, false), [], "it has nothing new to say");
    lots.add(0.5, &origin(None, 2), true);
    lots.add(0.5, &origin(Some("L1"), 3), true);
    assert_eq!(told(&mut lots, true, false), [(4, "amended"), (1, "amended")]);
    assert_eq!(told(&mut lots, true, true), [(5, "held"), (2, "held")]);
}
