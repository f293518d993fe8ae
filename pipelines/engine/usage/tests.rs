use super::super::ledger::Origin;
use super::*;
use crate::config::{BillingSettings, BySite};
use ingest::config::UsageSettings;
use ingest::series::Series;

fn usage() -> Usage {
    let metric = |metric: &str, resource: &str, kind| MetricSettings {
        metric: metric.into(),
        unit: None,
        usage: Some(UsageSettings { resource: resource.into(), kind }),
    };
    let mut usage = Usage::new(&[
        metric("energy", "electricity", UsageKind::Counter),
        metric("dispensed", "{grade}", UsageKind::Amount),
    ]);
    let mut table = SeriesTable::default();
    for metric in ["energy", "dispensed", "torque"] {
        let name = |name: &str| Box::from(name);
        table.intern(Series {
            site: name("lyon"),
            bay: name("bay-01"),
            tool: name("meter"),
            metric: name(metric),
        });
    }
    usage.follow(&table);
    usage
}

#[test]
fn a_register_counts_its_rises_and_starts_again_after_a_fall() {
    let mut usage = usage();
    let mut rise = |ts_ms, value| {
        let used = usage.measure(0, (ts_ms, 1), value, "kW.h", None)?.used;
        used.map(|used| used.quantity)
    };
    assert_eq!(rise(0, 100.0), None, "the first reading is where counting starts");
    assert_eq!(rise(1, 100.5), Some(0.5));
    assert_eq!(rise(2, 2.0), None, "another meter, or one that was set back: nobody used anything");
    assert_eq!(rise(3, 2.25), Some(0.25));
    assert_eq!(rise(1, 1.0), None, "an older reading adds nothing: the newer one held it already");
}

#[test]
fn a_shot_of_oil_is_an_amount_of_its_grade() {
    let mut usage = usage();
    let metered = usage.measure(1, (0, 1), 4.2, "L", Some(r#"{"grade":"oil_5w30"}"#)).expect("an amount");
    let used = metered.used.expect("consumption");
    assert_eq!((&*used.resource, used.quantity), ("oil_5w30", 4.2));
    assert!(!usage.is_metered(2));
}

#[test]
fn beyond_the_bound_the_books_that_ended_first_are_forgotten_and_open_ones_stay() {
    let mut usage = Usage::default();
    for (number, ended_ms) in [(0, None), (1, Some(30)), (2, Some(10)), (3, Some(20))] {
        let step: Arc<str> = format!("S{number}").into();
        let key = BookKey { site: "lyon".into(), job: "J1".into(), step };
        let book = Book { ended_ms, is_final: ended_ms.is_some(), ..Book::new(0, 0) };
        usage.books.insert(key, book);
    }
    usage.forget_beyond(2, 1, |_| i64::MIN);
    let kept: Vec<&str> = usage.books.keys().map(|key| &*key.step).collect();
    assert_eq!(kept, ["S0", "S1"]);
    usage.forget_beyond(2, 1, |_| 31);
    assert_eq!(usage.books.len(), 1, "too old");
}

#[test]
fn how_much_too_much_is_held_in_the_ledger_is_a_matter_of_the_site() {
    let general = BillingSettings::default();
    let bern = BillingSettings { quantity_tolerance_percent: 10, ..general.clone() };
    let billing = BySite { general, sites: [("bern".to_owned(), bern)].into() };
    let (mut usage, units) = (Usage::default(), Units::new(&[]).expect("no aliases"));
    for site in ["bern", "lyon"] {
        let key = BookKey { site: site.into(), job: "J1".into(), step: "S1".into() };
        let mut book = Book { ended_ms: Some(20), ..Book::new(0, 0) };
        let origin = Origin { lot: None, ts_ms: 10, message: 1, rise: None };
        let used = Use { resource: "oil".into(), quantity: 4.3, unit: "L".into(), origin };
        book.add(&used, Some((4.0, "L")), &units).expect("litres");
        usage.books.insert(key.clone(), book);
        usage.attention.entry(0).or_default().insert(key);
    }
    let due = usage.due(0, 30, &billing);
    let told = due.iter().map(|due| (&*due.key.site, due.postings[0].entry.state.as_str()));
    assert_eq!(told.collect::<Vec<_>>(), [("bern", "posted"), ("lyon", "held")]);
}
