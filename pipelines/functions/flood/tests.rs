use super::*;

const MINUTE_MS: i64 = 60_000;
static ABOVE: BySite<usize> = BySite { general: 10, sites: BTreeMap::new() };

fn raised(id: &str, rule: &str) -> ExceptionChange {
    let name = |text: &str| Some(Box::from(text));
    ExceptionChange {
        id: id.into(),
        rule: rule.into(),
        severity: "high".into(),
        site: "lyon".into(),
        bay: name("bay-01"),
        tool: name("tq-1"),
        job: None,
        step: None,
        message: "".into(),
        state: "active".into(),
        is_open: true,
        is_event: false,
        is_latched: false,
        at_ms: 0,
        operator_state: None,
        actor: None,
        reason: None,
    }
}

fn at(floods: &Floods, at_ms: i64) -> FloodView {
    floods.views(at_ms, &ABOVE).remove(0)
}

/// One more each minute: eleven within ten minutes never come together.
#[test]
fn more_than_ten_within_ten_minutes_are_a_flood_until_the_rest_is_none() {
    let mut floods = Floods::default();
    for number in 0..30_i64 {
        floods.take(&raised(&format!("slow-{number}"), "drift"), number * MINUTE_MS, &ABOVE);
        assert!(!at(&floods, number * MINUTE_MS).in_flood);
    }
    let mut floods = Floods::default();
    for number in 0..12_i64 {
        floods.take(&raised(&format!("quick-{number}"), "drift"), number * 1_000, &ABOVE);
    }
    let now = at(&floods, 11_000);
    assert_eq!((now.in_flood, now.flood_since_ms, now.raised_per_10min), (true, Some(10_000), 12));
    // The second one of twelve leaves at 601 s: ten are left, and the flood is over, whenever somebody looks.
    assert!(at(&floods, 600_999).in_flood);
    for look_ms in [601_000, 700_000, 86_000_000] {
        let now = at(&floods, look_ms);
        assert_eq!((now.in_flood, now.floods), (false, 1), "at {look_ms}");
        assert!((now.flood_s - 591.0).abs() < 1e-9, "{}", now.flood_s);
    }
}

#[test]
fn an_exception_counts_when_it_opens_and_an_event_once() {
    let mut floods = Floods::default();
    let open = raised("e1", "drift");
    let seen = ExceptionChange { operator_state: Some("acknowledged".into()), ..open.clone() };
    let cleared = ExceptionChange { is_open: false, state: "cleared".into(), ..open.clone() };
    for change in [&open, &seen, &cleared, &cleared] {
        floods.take(change, 1_000, &ABOVE);
    }
    assert_eq!(at(&floods, 1_000).raised_per_10min, 1);
    floods.take(&open, 2_000, &ABOVE);
    assert_eq!(at(&floods, 2_000).raised_per_10min, 2, "it is raised again");
    let event = ExceptionChange { is_open: false, is_event: true, ..raised("e2", "torque") };
    floods.take(&event, 3_000, &ABOVE);
    floods.take(&event, 4_000, &ABOVE);
    assert_eq!(at(&floods, 4_000).raised_per_10min, 3, "its second pass is no other event");
}

#[test]
fn the_worst_rules_and_tools_of_a_day_are_named() {
    let mut floods = Floods::default();
    for number in 0..30 {
        let rule = if number % 3 == 0 { "drift" } else { "silent" };
        floods.take(&raised(&format!("e{number}"), rule), 1_000, &ABOVE);
    }
    let now = at(&floods, 2_000);
    let names: Vec<(&str, u64)> = now.rules.iter().map(|actor| (actor.name.as_str(), actor.raised)).collect();
    assert_eq!(names, [("silent", 20), ("drift", 10)]);
    assert_eq!(now.sources[0], ActorView { name: "bay-01/tq-1".into(), raised: 30 });
    assert!(at(&floods, 25 * HOUR_MS).rules.is_empty(), "a day is over");
}

#[test]
fn what_is_kept_of_a_site_is_bounded() {
    let mut floods = Floods::default();
    for number in 0..3_000_i64 {
        let change = ExceptionChange {
            is_open: false,
            is_event: true,
            ..raised(&format!("e{number}"), &format!("r{number}"))
        };
        floods.take(&change, number, &ABOVE);
    }
    let site = &floods.sites["lyon"];
    assert_eq!((site.times.len(), site.hours[0].rules.len()), (TIMES_MAX, NAMES_MAX + 1));
    assert_eq!(floods.events.len(), EVENTS_MAX);
    assert_eq!(at(&floods, 3_000).rules[0].name, "others");
}

#[test]
fn what_is_a_flood_at_one_site_is_none_at_a_larger_one() {
    let above = BySite { general: 3, sites: [("bern".to_owned(), 5)].into() };
    let mut floods = Floods::default();
    for number in 0..5_i64 {
        for site in ["bern", "lyon"] {
            let change =
                ExceptionChange { site: site.into(), ..raised(&format!("{site}-{number}"), "drift") };
            floods.take(&change, number * 1_000, &above);
        }
    }
    let seen = |floods: &Floods, at_ms: i64| {
        let views = floods.views(at_ms, &above).into_iter();
        views.map(|view| (view.site, view.flood_above, view.in_flood, view.floods)).collect::<Vec<_>>()
    };
    let (bern, lyon) = ("bern".to_owned(), "lyon".to_owned());
    assert_eq!(seen(&floods, 4_000), [(bern.clone(), 5, false, 0), (lyon.clone(), 3, true, 1)]);
    floods.take(&ExceptionChange { site: "bern".into(), ..raised("sixth", "drift") }, 5_000, &above);
    assert_eq!(seen(&floods, 5_000), [(bern, 5, true, 1), (lyon, 3, true, 1)]);
}
