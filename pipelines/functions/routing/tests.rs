use std::sync::Arc;

use super::super::input::CardPlan;
use super::super::job::StepPlan;
use super::super::queues::Item;
use super::*;
use crate::calendar::Calendars;
use crate::config::{FunctionSettings, Level, RoutingSettings, Technician};

const AT_MS: i64 = 1_772_445_600_000;

fn level(after_s: i64, tell: &[Told]) -> Level {
    Level { after_ms: after_s * 1_000, tell: tell.to_vec() }
}

fn person(name: &str) -> Told {
    Told::Person(name.to_owned())
}

/// A shop whose lead is told at once, and those who supervise after ten minutes.
fn shop(change: impl FnOnce(&mut FunctionSettings)) -> Functions {
    let mut settings = FunctionSettings::default();
    let route = Route {
        severities: vec!["critical".to_owned()],
        levels: vec![
            level(0, &[person("lead"), Told::Technician]),
            level(600, &[Told::Skill("supervision".to_owned()), person("lead")]),
        ],
        ..Route::default()
    };
    settings.routing =
        RoutingSettings { routes: [("safety".to_owned(), route)].into(), ..RoutingSettings::default() };
    for (name, site) in [("S1", "lyon"), ("S2", "lyon"), ("S3", "bern")] {
        let technician = Technician { site: site.to_owned(), skills: vec!["supervision".to_owned()] };
        settings.assignment.technicians.insert(name.to_owned(), technician);
    }
    let contact = Contact { channel: "mail".to_owned(), address: "lead@shop.example".to_owned() };
    settings.contacts.insert("lead".to_owned(), contact);
    change(&mut settings);
    Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()))
}

fn calling(id: &str) -> ExceptionChange {
    let name = |text: &str| Some(Box::from(text));
    ExceptionChange {
        id: id.into(),
        rule: "lift_overload".into(),
        severity: "critical".into(),
        site: "lyon".into(),
        bay: name("bay-01"),
        tool: name("lift-1"),
        job: name("J1"),
        step: name("S01"),
        message: "lift-1 carries too much".into(),
        state: "active".into(),
        is_open: true,
        is_event: false,
        is_latched: false,
        at_ms: AT_MS,
        operator_state: None,
        actor: None,
        reason: None,
    }
}

/// What is told at a tick: who, at which level.
fn tick(functions: &mut Functions, second: i64) -> Vec<(String, u64)> {
    functions.tick(AT_MS + second * 1_000);
    let items: Vec<Item> = std::mem::take(&mut functions.told.items);
    let told = items.into_iter().filter(|item| &*item.queue == "notifications").map(|item| {
        let body: serde_json::Value = serde_json::from_str(&item.body).expect("JSON");
        (body["told"].as_str().expect("somebody").to_owned(), body["level"].as_u64().expect("a level"))
    });
    told.collect()
}

fn told(of: &[(&str, u64)]) -> Vec<(String, u64)> {
    of.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
}

#[test]
fn the_longer_nobody_acknowledges_the_more_people_are_told_each_once() {
    let mut functions = shop(|_| {});
    functions.take_exception(calling("e1"));
    assert_eq!(tick(&mut functions, 0), told(&[("lead", 1)]), "nobody does the step yet");
    assert_eq!(functions.next_deadline_ms(AT_MS), Some(AT_MS + 600_000));
    assert_eq!(tick(&mut functions, 599), []);
    assert_eq!(tick(&mut functions, 600), told(&[("S1", 2), ("S2", 2)]), "of the site, and the lead knows");
    assert_eq!(functions.next_deadline_ms(AT_MS + 600_000), None);
    assert_eq!(tick(&mut functions, 6_000), []);
}

#[test]
fn whoever_acknowledges_ends_it_and_what_calls_again_begins_anew() {
    let mut functions = shop(|_| {});
    functions.take_exception(calling("e1"));
    tick(&mut functions, 0);
    let seen = ExceptionChange { operator_state: Some("acknowledged".into()), ..calling("e1") };
    functions.take_exception(seen.clone());
    assert_eq!(tick(&mut functions, 900), []);
    let again = ExceptionChange { operator_state: Some("unacknowledged".into()), ..seen };
    functions.take_exception(again);
    assert_eq!(tick(&mut functions, 901), told(&[("lead", 1)]));
    functions.take_exception(ExceptionChange { is_open: false, state: "cleared".into(), ..calling("e1") });
    assert_eq!(tick(&mut functions, 2_000), []);
}

#[test]
fn a_route_fits_by_all_that_it_names() {
    let fits = |change: &dyn Fn(&mut Route)| {
        let mut functions =
            shop(|settings| change(settings.routing.routes.get_mut("safety").expect("it is there")));
        functions.take_exception(calling("e1"));
        !tick(&mut functions, 0).is_empty()
    };
    assert!(fits(&|_| {}));
    assert!(!fits(&|route| route.severities = vec!["high".to_owned()]));
    assert!(!fits(&|route| route.sites = vec!["bern".to_owned()]));
    assert!(!fits(&|route| route.bays = vec!["bay-02".to_owned()]));
    assert!(!fits(&|route| route.rules = vec!["tool_silent".to_owned()]));
    // It is ten in the morning, UTC.
    assert!(fits(&|route| route.hours = Some("06:00-14:00".parse().expect("hours"))));
    assert!(!fits(&|route| route.hours = Some("22:00-06:00".parse().expect("hours"))));
}

#[test]
fn whoever_does_the_step_is_told_and_an_item_says_what_a_mail_needs() {
    let mut functions = shop(|_| {});
    let plan = StepPlan { step: "S01".into(), is_on_card: true, ..StepPlan::default() };
    let card = CardPlan {
        job: "J1".into(),
        customer: None,
        contact: None,
        vehicle: None,
        promised_ms: None,
        steps: vec![Arc::new(plan)],
    };
    functions.take(super::super::Input::Card { site: "lyon".into(), card, ts_ms: AT_MS });
    functions.tick(AT_MS);
    let key = ("lyon".into(), "J1".into());
    functions.jobs.get_mut(&key).expect("a job").steps[0].head.technician = Some("T17".into());
    functions.told.items.clear();
    functions.take_exception(calling("e1"));
    functions.tick(AT_MS + 1_000);
    let items = std::mem::take(&mut functions.told.items);
    let items: Vec<&Item> = items.iter().filter(|item| &*item.queue == "notifications").collect();
    let bodies = items.iter().map(|item| serde_json::from_str(&item.body).expect("JSON"));
    let bodies: Vec<serde_json::Value> = bodies.collect();
    assert_eq!((&bodies[0]["told"], &bodies[1]["told"]), (&json!("lead"), &json!("T17")));
    assert_eq!((&bodies[0]["channel"], &bodies[0]["address"]), (&json!("mail"), &json!("lead@shop.example")));
    assert_eq!(bodies[1]["channel"], json!(null), "how T17 is reached nobody has said");
    let text = bodies[0]["text"].as_str().expect("a text");
    assert_eq!(
        text,
        "critical: lift_overload on bay-01, lyon\nlift-1 carries too much\nSince 2026-03-02 10:00:01. Job J1, step S01.\n\
         Exception e1."
    );
    assert_eq!(&*items[0].key, format!("e1/{}/lead", AT_MS + 1_000));
}

/// A silent stretch is one entry, and gives what its seconds give one by one.
#[test]
fn escalation_does_not_depend_on_how_often_time_is_looked_at() {
    let run = |seconds: &[i64]| {
        let mut functions = shop(|_| {});
        functions.take_exception(calling("e1"));
        let mut all = Vec::new();
        for second in seconds {
            functions.tick(AT_MS + second * 1_000);
            all.extend(std::mem::take(&mut functions.told.items));
        }
        all
    };
    let all: Vec<i64> = (0..700).collect();
    assert_eq!(run(&all), run(&[0, 600, 699]));
}
