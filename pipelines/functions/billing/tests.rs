//! Bills in small, where settings change under them. Stories with telemetry are in `fixtures/functions`.

use std::sync::Arc;

use ingest::readings::StepEvent;

use super::super::input::{CardPlan, Input};
use super::super::job::StepPlan;
use super::*;
use crate::calendar::Calendars;
use crate::config::{BillingSettings, FunctionSettings, Labour, Price};

const AT_MS: i64 = 1_772_445_600_000;

fn price(price: f64, unit: &str) -> Price {
    Price { price, unit: Some(unit.to_owned()) }
}

fn used(resource: &str, quantity: f64, unit: &str, planned: Option<f64>) -> Used {
    Used { resource: resource.into(), quantity, unit: unit.into(), planned }
}

fn event(functions: &mut Functions, ts_ms: i64, event: &str) {
    event_at(functions, "lyon", ts_ms, event);
}

fn event_at(functions: &mut Functions, site: &str, ts_ms: i64, event: &str) {
    let text = format!(r#"{{"bay":"b1","job":"J1","step":"S1","technician":"T1","event":"{event}"}}"#);
    let event: StepEvent = serde_json::from_str(&text).expect("a step event");
    functions.take(Input::Step { site: site.into(), event, ts_ms });
}

/// Step S1 of job J1 used these and was handed over; nothing has a price.
fn handed_over(all: Vec<Used>) -> Functions {
    let mut functions = Functions::new(&Arc::default(), &Arc::new(Calendars::default()));
    hand_over(&mut functions, "lyon", 60_000, all);
    functions
}

/// Step S1 of job J1 at a site used these, in a second of work, and is handed over.
fn hand_over(functions: &mut Functions, site: &str, standard_ms: i64, all: Vec<Used>) {
    let plan = StepPlan { step: "S1".into(), standard_ms: Some(standard_ms), ..StepPlan::default() };
    let card = CardPlan {
        job: "J1".into(),
        customer: None,
        contact: None,
        vehicle: None,
        promised_ms: None,
        steps: vec![Arc::new(plan)],
    };
    functions.take(Input::Card { site: site.into(), card, ts_ms: AT_MS });
    event_at(functions, site, AT_MS + 1_000, "started");
    event_at(functions, site, AT_MS + 2_000, "finished");
    let (site, job, step): (Box<str>, Box<str>, Box<str>) = (site.into(), "J1".into(), "S1".into());
    functions.take(Input::Finished {
        site: site.clone(),
        job: job.clone(),
        step: step.clone(),
        started_ms: AT_MS + 1_000,
        ended_ms: AT_MS + 2_000,
        worked_ms: 1_000,
    });
    let (checks, measured) = (Vec::new(), Vec::new());
    functions.take(Input::Booked { site: site.clone(), job, step, checks, measured, used: all });
    functions.tick(AT_MS + 2_000);
    event_at(functions, &site, AT_MS + 3_000, "released");
    functions.tick(AT_MS + 4_000);
}

/// These prices apply from now on; what is told at the next tick of lines, and of queue `billing`.
fn reprice(functions: Functions, prices: &[(&str, Price)]) -> (Functions, Vec<String>, Vec<String>) {
    let mut settings = FunctionSettings::default();
    let prices = prices.iter().map(|(name, price)| ((*name).to_owned(), price.clone()));
    settings.billing.general.prices.extend(prices);
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
    let key = functions.jobs.keys().next().expect("a job").clone();
    let job = functions.jobs.get_mut(&key).expect("it is known");
    job.head.reason = Some("step S2 is active".into());
    let (_, lines, items) = reprice(functions, &[("gasket", price(4.0, "1"))]);
    assert_eq!(lines, ["gasket Some(8.0) handed over with something open: step S2 is active"]);
    assert_eq!(items.len(), 0);
}

#[test]
fn another_way_to_sell_labour_amends_no_bill_that_is_made() {
    let functions = handed_over(Vec::new());
    let mut settings = FunctionSettings::default();
    settings.billing.general.labour = Labour::Worked;
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

#[test]
fn one_and_the_same_job_costs_at_each_site_what_it_costs_there() {
    let mut settings = FunctionSettings::default();
    let general = &mut settings.billing.general;
    general.prices.extend([("oil".to_owned(), price(10.0, "L")), ("rag".to_owned(), price(1.0, "1"))]);
    let bern = BillingSettings {
        currency: "CHF".to_owned(),
        labour_per_h: 150.0,
        quantity_tolerance_percent: 10,
        prices: [("oil".to_owned(), price(14.0, "L"))].into(),
        ..general.clone()
    };
    let oslo = BillingSettings {
        currency: "NOK".to_owned(),
        labour: Labour::Worked,
        labour_per_h: 1_800.0,
        ..general.clone()
    };
    settings.billing.sites = [("bern".to_owned(), bern), ("oslo".to_owned(), oslo)].into();
    let mut functions = Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()));
    for site in ["bern", "lyon", "oslo"] {
        let all = vec![used("oil", 4.3, "L", Some(4.0)), used("rag", 2.0, "1", None)];
        hand_over(&mut functions, site, 3_600_000, all);
    }
    let lines = functions.told.lines.iter().map(|row| {
        let Line { item, quantity, amount, currency, held, .. } = &row.line;
        let (amount, held) = (amount.unwrap_or_default(), held.as_deref().unwrap_or("posted"));
        format!("{} {item} {quantity} {amount} {currency} {held}", row.site)
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "bern S1 1 150 CHF posted",
            "bern oil 4.3 60.2 CHF posted",
            "bern rag 2 0 CHF rag has no price",
            "lyon S1 1 90 EUR posted",
            "lyon oil 4.3 43 EUR 4.3 L were used, 4 are planned",
            "lyon rag 2 2 EUR posted",
            "oslo S1 0.0003 0.54 NOK posted",
            "oslo oil 4.3 43 NOK 4.3 L were used, 4 are planned",
            "oslo rag 2 2 NOK posted",
        ]
    );
}

#[test]
fn a_price_of_one_site_lets_no_line_of_another_go() {
    let mut functions = handed_over(vec![used("gasket", 2.0, "1", None)]);
    hand_over(&mut functions, "bern", 60_000, vec![used("gasket", 2.0, "1", None)]);
    let mut settings = FunctionSettings::default();
    let bern = BillingSettings {
        currency: "CHF".to_owned(),
        prices: [("gasket".to_owned(), price(5.0, "1"))].into(),
        ..BillingSettings::default()
    };
    settings.billing.sites.insert("bern".to_owned(), bern);
    let other = Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()));
    let mut functions = functions.under_settings_of(&other);
    functions.settings_changed(0);
    (functions.told.lines, functions.told.items) = (Vec::new(), Vec::new());
    functions.tick(AT_MS + 5_000);
    let lines: Vec<_> = functions.told.lines.iter().map(|row| (&*row.site, row.line.amount)).collect();
    assert_eq!(lines, [("bern", Some(10.0))]);
    assert_eq!(&*functions.told.lines[0].line.currency, "CHF");
}
