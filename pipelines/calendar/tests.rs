use proptest::prelude::*;

use super::*;

fn calendar(name: &str, shifts: &[&str]) -> SiteCalendar {
    let shifts = shifts.iter().map(|shift| shift.parse().expect("a shift")).collect();
    SiteCalendar { zone: zone(name).expect("a zone"), shifts }
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().expect("a time").as_millisecond()
}

/// The window that holds a time, in UTC, and its hours.
fn window(calendar: &SiteCalendar, unit: CalendarUnit, time: &str) -> (String, i64) {
    let Stretch { start_ms, end_ms, is_window } = calendar.stretch(unit, ms(time)).expect("a stretch");
    let start = Timestamp::from_millisecond(start_ms).expect("a time").to_string();
    (format!("{}{start}", if is_window { "" } else { "none " }), (end_ms - start_ms) / 3_600_000)
}

#[test]
fn the_day_on_which_clocks_are_put_forward_has_23_hours_and_the_other_25() {
    let paris = calendar("Europe/Paris", &[]);
    let day = |time| window(&paris, CalendarUnit::Day, time);
    assert_eq!(day("2026-03-28T12:00:00Z"), ("2026-03-27T23:00:00Z".into(), 24));
    assert_eq!(day("2026-03-29T00:00:00Z"), ("2026-03-28T23:00:00Z".into(), 23));
    assert_eq!(day("2026-03-29T21:59:59Z"), ("2026-03-28T23:00:00Z".into(), 23));
    assert_eq!(day("2026-03-29T22:00:00Z"), ("2026-03-29T22:00:00Z".into(), 24));
    assert_eq!(day("2026-10-25T01:30:00Z"), ("2026-10-24T22:00:00Z".into(), 25));
}

#[test]
fn a_night_shift_is_an_hour_shorter_or_longer_when_clocks_are_changed() {
    let paris = calendar("Europe/Paris", &["06:00-14:00", "14:00-22:00", "22:00-06:00"]);
    let shift = |time| window(&paris, CalendarUnit::Shift, time);
    assert_eq!(shift("2026-03-28T23:00:00Z"), ("2026-03-28T21:00:00Z".into(), 7));
    assert_eq!(shift("2026-03-29T04:00:00Z"), ("2026-03-29T04:00:00Z".into(), 8));
    assert_eq!(shift("2026-10-25T03:00:00Z"), ("2026-10-24T20:00:00Z".into(), 9));
    assert_eq!(shift("2026-03-28T05:00:00Z"), ("2026-03-28T05:00:00Z".into(), 8));
}

#[test]
fn a_shift_that_begins_at_a_time_that_the_clock_leaves_out_begins_when_it_is_put_forward() {
    let paris = calendar("Europe/Paris", &["22:00-02:30", "03:00-10:00"]);
    let shift = |time| window(&paris, CalendarUnit::Shift, time);
    assert_eq!(shift("2026-03-29T00:59:59Z"), ("2026-03-28T21:00:00Z".into(), 4));
    assert_eq!(shift("2026-03-29T01:00:00Z"), ("2026-03-29T01:00:00Z".into(), 7));
}

#[test]
fn a_day_is_meant_to_its_end_where_the_site_is() {
    let paris = calendar("Europe/Paris", &[]);
    let said = |text: &str| paris.time_ms(&serde_json::from_str(text).expect("JSON"));
    assert_eq!(said("\"2026-03-02\""), Some(ms("2026-03-02T23:00:00Z")));
    assert_eq!(said("\"2026-03-02T10:00:00+01:00\""), Some(ms("2026-03-02T09:00:00Z")));
    assert_eq!(said("1772445600000"), Some(1_772_445_600_000));
    assert_eq!([said("\"soon\""), said("true"), said("null")], [None; 3]);
}

#[test]
fn between_shifts_there_is_no_window() {
    let lunch = calendar("UTC", &["08:00-12:00", "13:00-17:00"]);
    let shift = |time| window(&lunch, CalendarUnit::Shift, time);
    assert_eq!(shift("2026-03-02T12:00:00Z"), ("none 2026-03-02T12:00:00Z".into(), 1));
    assert_eq!(shift("2026-03-02T03:00:00Z"), ("none 2026-03-01T17:00:00Z".into(), 15));
    assert_eq!(shift("2026-03-02T13:00:00Z"), ("2026-03-02T13:00:00Z".into(), 4));
}

#[test]
fn a_day_may_begin_at_one_in_the_morning() {
    // In Beirut clocks are put forward at midnight.
    let beirut = calendar("Asia/Beirut", &[]);
    assert_eq!(
        window(&beirut, CalendarUnit::Day, "2026-03-29T10:00:00Z"),
        ("2026-03-28T22:00:00Z".into(), 23)
    );
}

#[test]
fn shifts_that_share_a_minute_overlap() {
    let shift = |text: &str| text.parse::<Shift>().expect("a shift");
    assert!(shift("06:00-14:00").overlaps(shift("13:59-22:00")));
    assert!(!shift("06:00-14:00").overlaps(shift("14:00-22:00")));
    assert!(shift("22:00-06:00").overlaps(shift("05:00-07:00")));
    assert!(!shift("22:00-06:00").overlaps(shift("06:00-22:00")));
    assert!(shift("06:00-06:00").overlaps(shift("12:00-13:00")));
    assert!(!shift("18:00-24:00").overlaps(shift("00:00-06:00")));
    for text in ["6:00-14:00", "06:00", "06:00-25:00", "06:00 to 14:00", "24:01-06:00", "-1:00-06:00"] {
        assert!(text.parse::<Shift>().is_err(), "{text}");
    }
}

proptest! {
    /// Over two years around changes of clocks, in zones with odd habits.
    #[test]
    fn stretches_lie_side_by_side_and_hold_their_times(
        name in prop::sample::select(vec!["Europe/Paris", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe",
            "America/Havana", "Africa/Casablanca", "Pacific/Apia", "America/Scoresbysund", "UTC"]),
        shifts in prop::sample::select(vec![vec!["06:00-14:00", "14:00-22:00", "22:00-06:00"],
            vec!["22:00-02:30", "02:45-10:00"], vec!["00:00-24:00"], vec!["23:45-00:15", "01:30-02:00", "02:00-03:00"]]),
        is_day in any::<bool>(),
        minute in 0..2 * 366 * 24 * 60_i64,
    ) {
        let calendar = calendar(name, &shifts);
        let unit = if is_day { CalendarUnit::Day } else { CalendarUnit::Shift };
        let ts_ms = ms("2025-01-01T00:00:00Z") + minute * 60_000;
        let stretch = calendar.stretch(unit, ts_ms).expect("a stretch");
        prop_assert!(stretch.start_ms <= ts_ms && ts_ms < stretch.end_ms);
        prop_assert!(stretch.is_window || !is_day);
        // What holds its first and its last moment is itself, and its neighbours meet it.
        prop_assert_eq!(calendar.stretch(unit, stretch.start_ms), Some(stretch));
        prop_assert_eq!(calendar.stretch(unit, stretch.end_ms - 1), Some(stretch));
        let next = calendar.stretch(unit, stretch.end_ms).expect("a stretch");
        prop_assert_eq!(next.start_ms, stretch.end_ms);
        let before = calendar.stretch(unit, stretch.start_ms - 1).expect("a stretch");
        prop_assert_eq!(before.end_ms, stretch.start_ms);
    }
}
