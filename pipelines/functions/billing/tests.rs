//! Bills in small, where settings change under them. Stories with telemetry are in `fixtures/functions`.

use std::sync::Arc;

use ingest::readings::StepEvent;

use super::super::input::{CardPlan, Input};
use super::super::job::StepPlan;
use super::*;
use crate::calendar::Calendars;
use crate::config::{FunctionSettings, Price};

const AT_MS: i64 = 1_772_445_600_000;

fn price(price: f64, unit: &str) -> Price {
    Price { price, unit: Some(unit.to_owned()) }
}

fn used(resource: &str, quantity: f64, unit: &str, planned: Option<f64>) -> Used {
    Used { resource: resource.into(), quantity, unit: unit.into(), planned }
}

fn event(functions: &mut Functions, ts_ms: i64, event: &str) {
    let text = format!(r#"{{"bay":"b1","job":"J1","step":"S1","technician":"T1","event":"{event}"}}"#);
    let event: StepEvent = serde_json::from_str(&text).expect("a step event");
    functions.take(Input::Step { site: "lyon".into(), event, ts_ms });
}

/// Step S1 of job J1 used these and was handed over; nothing has a price.
fn handed_over(all: Vec<Used>) -> Functions {
    let mut functions = Functions::new(&Arc::default(), &Arc::new(Calendars::default()));
    let plan = StepPlan { step: "S1".into(), standard_ms: Some(60_000), ..StepPlan::default() };
    let card = CardPlan {
        job: "J1".into(),
        customer: None,
        contact: None,
        vehicle: None,
        promised_ms: None,
        steps: vec![Arc::new(plan)],
    };
    functions.take(Input::Card { site: "lyon".into(), card, ts_ms: AT_MS });
    event(&mut functions, AT_MS + 1_000, "started");
    event(&mut functions, AT_MS + 2_000, "finished");
    let (site, job, step): (Box<str>, Box<str>, Box<str>) = ("lyon".into(), "J1".into(), "S1".into());
    functions.take(Input::Finished {
        site: site.clone(),
        job: job.clone(),
        step: step.clone(),
        started_ms: AT_MS + 1_000,
        ended_ms: AT_MS + 2_000,
        worked_ms: 1_000,
    });
    let (checks, measured) = (Vec::new(), Vec::new());
    functions.take(Input::Booked { site, job, step, checks, measured, used: all });
    functions.tick(AT_MS + 2_000);
    event(&mut functions, AT_MS + 3_000, "released");
    functions.tick(AT_MS + 4_000);
    functions
}

/// These prices apply from now on; what is told at the next tick of lines, and of queue `billing`.
fn reprice(functions: Functions, prices: &[(&str, Price)]) -> (Functions, Vec<String>, Vec<String>) {
    let mut settings = FunctionSettings::default();
    let prices = prices.iter().map(|(name, price)| ((*name).to_owned(), price.clone()));
    settings.billing.prices.extend(prices);
    let other = Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()));
    let mut functions = functions.under_settings_of(&other);
    functions.settings_changed(0);
    (functions.told.lines, functions.told.items) = (Vec::new(), Vec::new());
    functions.tick(AT_MS + 5_000);
    let lines = functions.told.lines.iter().map(|row| {
        let Line { item, amount, held, .. } = &row.line;
        format!("{item} {amount:?} {}", held.as_deref().unwrap_or("posted"))
    });
    let items = functions.told.items.iter().filter(|item| &*item.queue == "billing");
    let (lines, items) = (lines.collect(), items.map(|item| item.key.to_string()).collect());
    (functions, lines, items)
}

#[test]
fn a_price_lets_lines_go_that_lacked_it_alone() {
    let functions = handed_over(vec![
        used("gasket", 2.0, "1", None),
        used("oil", 5.0, "L", Some(4.0)),
        used("rag", 3.0, "1", None),
        used("solvent", 0.5, "L", None),
    ]);
    let prices = [("gasket", price(4.35, "1")), ("oil", price(10.0, "L")), ("solvent", price(2.0, "kg"))];
    let (functions, lines, items) = reprice(functions, &prices);
    assert_eq!(
        lines,
        [
            "gasket Some(8.7) posted",
            "oil Some(50.0) 5 L were used, 4 are planned",
            "solvent None it is booked in L, and its price is that of a kg",
        ]
    );
    assert_eq!(items, ["lyon/J1/2"]);
    let (functions, lines, items) = reprice(functions, &prices);
    assert_eq!((lines.len(), items.len()), (0, 0), "the same prices change nothing");
    let (_, lines, items) = reprice(functions, &[("gasket", price(9.0, "1")), ("rag", price(0.0, "1"))]);
    assert_eq!(lines, ["rag Some(0.0) posted", "solvent None solvent has no price"]);
    assert_eq!(
        items,
        ["lyon/J1/4"],
        "what is posted keeps its price, what is not sold any more costs nothing"
    );
}

#[test]
fn what_left_with_something_open_stays_held_with_its_price() {
    let mut functions = handed_over(vec![used("gasket", 2.0, "1", None)]);
    let job = functions.jobs.values_mut().next().expect("a job");
    job.head.reason = Some("step S2 is active".into());
    let (_, lines, items) = reprice(functions, &[("gasket", price(4.0, "1"))]);
    assert_eq!(lines, ["gasket Some(8.0) handed over with something open: step S2 is active"]);
    assert_eq!(items.len(), 0);
}

#[test]
fn another_way_to_sell_labour_amends_no_bill_that_is_made() {
    let functions = handed_over(Vec::new());
    let mut settings = FunctionSettings::default();
    settings.billing.labour = crate::config::Labour::Worked;
    let mut functions =
        functions.under_settings_of(&Functions::new(&Arc::new(settings), &Arc::new(Calendars::default())));
    functions.settings_changed(0);
    functions.told.lines = Vec::new();
    functions.tick(AT_MS + 5_000);
    assert_eq!(functions.told.lines.len(), 0);
}

#[test]
fn the_time_of_runs_that_are_forgotten_is_still_sold() {
    let mut functions = handed_over(Vec::new());
    for run in 1..=100 {
        let started_ms = AT_MS + run * 10_000;
        event(&mut functions, started_ms, "started");
        event(&mut functions, started_ms + 1_000, "finished");
        let (site, job, step) = ("lyon".into(), "J1".into(), "S1".into());
        let (ended_ms, worked_ms) = (started_ms + 1_000, 1_000);
        functions.take(Input::Finished { site, job, step, started_ms, ended_ms, worked_ms });
    }
    functions.tick(AT_MS + 2_000_000);
    let job = functions.jobs.values().next().expect("a job");
    assert_eq!(job.steps[0].worked_ms(), 101_000);
}
