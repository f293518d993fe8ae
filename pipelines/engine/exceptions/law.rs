//! Laws of the life of a condition, over random histories of one key with a cause that comes and goes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// So long after it was heard of last, a key is forgotten that is not open.
const FORGOTTEN_AFTER_MS: i64 = 100;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum What {
    /// A row of the rule, or of its cause.
    Row { of_cause: bool, says: Says },
    /// A second has passed; the bay's time has come as far as now.
    Tick,
    /// What is open is ended for a reason of its own.
    End,
    /// Somebody shelves what goes on, for so long.
    Shelve(i64),
}

/// The settings of the rule.
#[derive(Clone, Copy, Debug)]
struct Settings {
    raise_after_ms: i64,
    clear_after_ms: i64,
    realarm_after_ms: i64,
    has_cause: bool,
    latch: bool,
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![3 => Just(Says::Wrong), 1 => Just(Says::Between), 2 => Just(Says::Right)]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        8 => says().prop_map(|says| What::Row { of_cause: false, says }),
        2 => says().prop_map(|says| What::Row { of_cause: true, says }),
        3 => Just(What::Tick),
        1 => Just(What::End),
    ]
}

/// What happens, and how long after the thing before.
fn history(what: impl Strategy<Value = What>) -> impl Strategy<Value = Vec<(i64, What)>> {
    prop::collection::vec((prop_oneof![0..3_i64, 0..40_i64], what), 1..80)
}

fn what_or_shelve() -> impl Strategy<Value = What> {
    prop_oneof![6 => what(), 1 => (1..60_i64).prop_map(What::Shelve)]
}

fn settings() -> impl Strategy<Value = Settings> {
    let delay_ms = || prop_oneof![Just(0_i64), 0..30_i64];
    (delay_ms(), delay_ms(), delay_ms(), any::<bool>()).prop_map(
        |(raise_after_ms, clear_after_ms, realarm_after_ms, has_cause)| Settings {
            raise_after_ms,
            clear_after_ms,
            realarm_after_ms,
            has_cause,
            latch: false,
        },
    )
}

fn life(name: &str, settings: Settings) -> RuleLife {
    RuleLife {
        name: name.into(),
        version: "abc".into(),
        severity: Severity::High,
        kind: ExceptionKind::Condition,
        latch: settings.latch,
        raise_after_ms: settings.raise_after_ms,
        clear_after_ms: settings.clear_after_ms,
        realarm_after_ms: settings.realarm_after_ms,
        message: Message::new("", &Arc::default()),
    }
}

/// All that is told and when, and when time brings something next; the state goes through bytes where a bit of `restarts`
/// is set.
fn told(
    settings: Settings,
    history: &[(i64, What)],
    restarts: &[bool],
) -> (Vec<(Exception, i64)>, Vec<Option<i64>>) {
    let rule = life("pressure_low", settings);
    let cause = life(
        "gateway_down",
        Settings {
            raise_after_ms: 0,
            clear_after_ms: 0,
            realarm_after_ms: 0,
            has_cause: false,
            latch: false,
        },
    );
    let causes = || {
        let all: &[(&str, &[&str])] =
            if settings.has_cause { &[("pressure_low", &["gateway_down"])] } else { &[] };
        Exceptions { causes: Causes::of(all), ..Exceptions::default() }
    };
    let mut exceptions = causes();
    let (mut told, mut deadlines_ms) = (Vec::new(), Vec::new());
    let mut now_ms = 1_000;
    for (place, (after_ms, what)) in history.iter().enumerate() {
        now_ms += after_ms;
        let row = |bay: Option<&str>| RuleRow {
            row_id: format!("{place}"),
            ts_ms: now_ms,
            site: "lyon".into(),
            bay: bay.map(str::to_owned),
            ..RuleRow::default()
        };
        match what {
            What::Row { of_cause: false, says } => {
                exceptions.judge(&rule, "lyon/bay-01", *says, &row(Some("bay-01")));
                exceptions.settle();
            }
            What::Row { of_cause: true, says } => {
                exceptions.judge(&cause, "lyon", *says, &row(None));
                exceptions.settle();
            }
            What::Tick => {
                exceptions.clear_passed(|_, _| Some(now_ms));
                exceptions.release_suppressed();
                exceptions.end_shelving(now_ms);
                exceptions.forget(now_ms - FORGOTTEN_AFTER_MS);
            }
            What::Shelve(for_ms) => {
                let ids: Vec<String> = exceptions.open().map(|open| open.id.clone()).collect();
                for id in ids {
                    let by = Operator { until_ms: Some(now_ms + for_ms), ..Operator::default() };
                    // What is shelved already is not shelved again.
                    let _ = exceptions.shelve(&id, by);
                }
            }
            What::End => exceptions.end(&rule.name, "lyon/bay-01", now_ms, "step_ended"),
        }
        told.extend(exceptions.take_changes().into_iter().map(|change| (change, now_ms)));
        deadlines_ms.push(exceptions.next_deadline_ms(now_ms));
        let is_one = |open: &&Exception| open.rule == rule.name && open.state != State::Latched;
        let open = exceptions.open().filter(is_one).count() as u64;
        let suppressed = exceptions.overview().suppressed;
        assert!(open + suppressed <= 1, "one at most: {open} and {suppressed}");
        if !restarts.is_empty() && restarts[place % restarts.len()] {
            let bytes = postcard::to_allocvec(&exceptions).expect("written");
            let read: Exceptions = postcard::from_bytes(&bytes).expect("read");
            exceptions = read.under_settings_of(&causes());
        }
    }
    (told, deadlines_ms)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_is_open_at_most_each_raise_has_one_end_and_times_never_go_back(
        settings in settings(),
        history in history(what()),
        restarts in prop::collection::vec(any::<bool>(), 0..7),
    ) {
        let (straight, _) = told(settings, &history, &[]);
        prop_assert_eq!(&straight, &told(settings, &history, &restarts).0, "a restart changes nothing");
        // By id: the last word on it, and its row ids.
        let mut last: BTreeMap<&str, &Exception> = BTreeMap::new();
        let mut row_ids = BTreeMap::new();
        let mut newest_ms = i64::MIN;
        for (change, now_ms) in straight.iter().filter(|(change, _)| &*change.rule == "pressure_low") {
            let before = last.insert(change.id.as_str(), change);
            prop_assert!(change.raised_ms <= *now_ms && change.cleared_ms.is_none_or(|ms| ms <= *now_ms));
            prop_assert!(change.cleared_ms.is_none_or(|ms| ms >= change.raised_ms), "{change:?}");
            prop_assert_eq!(change.cleared_ms.is_some(), change.state == State::Cleared);
            let at_ms = change.cleared_ms.unwrap_or(change.raised_ms);
            match before {
                None => {
                    prop_assert!(change.state != State::Cleared, "it ends before it was raised: {change:?}");
                    prop_assert!(at_ms >= newest_ms, "{change:?} after {newest_ms}");
                }
                Some(before) => {
                    prop_assert_eq!(before.raised_ms, change.raised_ms);
                    prop_assert!(before.state != State::Cleared || change.state != State::Cleared, "two ends");
                    if before.state == State::Cleared {
                        let evidence: Value = serde_json::from_str(&change.evidence).expect("JSON");
                        prop_assert!(evidence["realarms"].as_u64() >= Some(1), "{change:?}");
                    }
                }
            }
            newest_ms = newest_ms.max(at_ms);
            prop_assert!(settings.has_cause || change.state != State::Suppressed);
            // What is said twice has another id, or sinks would take it for a repeat.
            prop_assert_eq!(row_ids.insert(change.row_id(), change), None, "{:?}", change);
        }
    }

    /// What time may bring is known to who has just read a checkpoint as to who has followed all along.
    #[test]
    fn a_restart_changes_nothing_of_what_is_latched_shelved_or_forgotten(
        settings in settings(),
        latch in any::<bool>(),
        history in history(what_or_shelve()),
        restarts in prop::collection::vec(any::<bool>(), 1..7),
    ) {
        let settings = Settings { latch, ..settings };
        prop_assert_eq!(told(settings, &history, &[]), told(settings, &history, &restarts));
    }
}
