//! What is told where. A story with telemetry is `fixtures/functions/told_once_and_not_at_night.txt`.

use std::sync::Arc;

use super::super::input::{CardPlan, Input};
use super::super::job::StepPlan;
use super::*;
use crate::calendar::Calendars;
use crate::config::{FunctionSettings, NotificationSettings};

/// 2026-03-02 22:00:00 UTC.
const EVENING_MS: i64 = 1_772_488_800_000;
const HOUR_MS: i64 = 3_600_000;

/// Quiet from eight to seven, but not at Lyon; Oslo tells of nothing but what is ready.
fn shop() -> Functions {
    let mut settings = FunctionSettings::default();
    let notification = &mut settings.notification;
    notification.general.quiet_hours = Some("20:00-07:00".parse().expect("a shift"));
    notification.general.templates.insert("accepted".to_owned(), "{job} is here.".to_owned());
    let mut lyon = NotificationSettings { quiet_hours: None, ..notification.general.clone() };
    lyon.templates.insert("accepted".to_owned(), "{job} est arrivé.".to_owned());
    let oslo = NotificationSettings { milestones: vec!["ready".to_owned()], ..notification.general.clone() };
    notification.sites = [("lyon".to_owned(), lyon), ("oslo".to_owned(), oslo)].into();
    Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()))
}

fn accept(functions: &mut Functions, site: &str) {
    let plan = StepPlan { step: "S1".into(), ..StepPlan::default() };
    let card = CardPlan {
        job: "J1".into(),
        customer: Some("C1".into()),
        contact: None,
        vehicle: None,
        promised_ms: None,
        steps: vec![Arc::new(plan)],
    };
    functions.take(Input::Card { site: site.into(), card, ts_ms: EVENING_MS });
}

/// What is told at a tick.
fn tick(functions: &mut Functions, at_ms: i64) -> Vec<String> {
    functions.tick(at_ms);
    let items = std::mem::take(&mut functions.told.items).into_iter();
    let told = items.filter(|item| &*item.queue == "notifications").map(|item| {
        let body: serde_json::Value = serde_json::from_str(&item.body).expect("JSON");
        format!("{}: {}", item.key, body["text"].as_str().expect("a text"))
    });
    told.collect()
}

#[test]
fn a_site_without_quiet_hours_is_told_at_once_while_the_others_wait() {
    let mut functions = shop();
    for site in ["bern", "lyon", "oslo"] {
        accept(&mut functions, site);
    }
    assert_eq!(tick(&mut functions, EVENING_MS), ["lyon/J1/accepted: J1 est arrivé."]);
    assert_eq!(functions.next_deadline_ms(EVENING_MS), Some(EVENING_MS + 9 * HOUR_MS));
    assert!(tick(&mut functions, EVENING_MS + HOUR_MS).is_empty());
    let morning = tick(&mut functions, EVENING_MS + 9 * HOUR_MS);
    assert_eq!(morning, ["bern/J1/accepted: J1 is here."], "Oslo does not tell of that");
}
