//! Who may sign where. Stories with telemetry are in `fixtures/functions`.

use std::sync::Arc;

use ingest::entry::command::What;
use ingest::readings::StepEvent;

use super::super::Functions;
use super::super::input::{CardPlan, Input};
use super::super::job::StepPlan;
use super::*;
use crate::calendar::Calendars;
use crate::config::{FunctionSettings, QaSettings};

const AT_MS: i64 = 1_772_445_600_000;

/// QA is Q1, and looks at class A. Bern has its own, Q2, who looks at class B; at Oslo whoever asks signs, their own work too.
fn shop() -> Functions {
    let mut settings = FunctionSettings::default();
    let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    settings.qa.general.inspectors = people(&["Q1"]);
    let bern =
        QaSettings { classes: people(&["B"]), inspectors: people(&["Q2"]), ..settings.qa.general.clone() };
    let oslo = QaSettings { inspectors: Vec::new(), four_eyes: false, ..settings.qa.general.clone() };
    settings.qa.sites = [("bern".to_owned(), bern), ("oslo".to_owned(), oslo)].into();
    let mut functions = Functions::new(&Arc::new(settings), &Arc::new(Calendars::default()));
    for site in ["bern", "lyon", "oslo"] {
        finish(&mut functions, site);
    }
    functions.tick(AT_MS + 3_000);
    functions
}

/// T1 has done steps A and B of job J1, each of its class.
fn finish(functions: &mut Functions, site: &str) {
    let plan = |step: &str| {
        Arc::new(StepPlan { step: step.into(), classes: [step.into()].into(), ..StepPlan::default() })
    };
    let card = CardPlan {
        job: "J1".into(),
        customer: None,
        contact: None,
        vehicle: None,
        promised_ms: None,
        steps: vec![plan("A"), plan("B")],
    };
    functions.take(Input::Card { site: site.into(), card, ts_ms: AT_MS });
    for (step, started_ms) in [("A", AT_MS), ("B", AT_MS + 1_000)] {
        let ended_ms = started_ms + 1_000;
        for (event, ts_ms) in [("started", started_ms), ("finished", ended_ms)] {
            let text =
                format!(r#"{{"bay":"b1","job":"J1","step":"{step}","technician":"T1","event":"{event}"}}"#);
            let event: StepEvent = serde_json::from_str(&text).expect("a step event");
            functions.take(Input::Step { site: site.into(), event, ts_ms });
        }
        let (site, job, step) = (site.into(), "J1".into(), step.into());
        functions.take(Input::Finished { site, job, step, started_ms, ended_ms, worked_ms: 1_000 });
    }
}

/// Steps of job J1 at a site that wait for a signature.
fn held(functions: &Functions, site: &str) -> Vec<String> {
    let views = functions.job_views();
    let job = views.iter().find(|job| job.site == site).expect("it is known");
    let held = job.steps.iter().filter(|step| step.needs_signature && step.state == "qa_hold");
    held.map(|step| step.step.clone()).collect()
}

fn sign(functions: &mut Functions, site: &str, step: &str, actor: &str) -> Result<Done> {
    let (site, job, step) = (site.to_owned(), "J1".to_owned(), step.to_owned());
    functions.order(&What::SignOff { site, job, step, rework: false, note: None }, actor, AT_MS + 4_000)
}

#[test]
fn what_needs_a_signature_is_a_matter_of_the_site() {
    let functions = shop();
    assert_eq!(held(&functions, "lyon"), ["A"]);
    assert_eq!(held(&functions, "bern"), ["B"]);
    assert_eq!(held(&functions, "oslo"), ["A"]);
}

#[test]
fn inspectors_of_another_site_may_not_sign() {
    let mut functions = shop();
    let why = "`Q1` is no inspector: `qa.sites.bern.inspectors` in functions.toml names Q2";
    assert_eq!(sign(&mut functions, "bern", "B", "Q1"), conflict(why.to_owned()));
    let why = "`Q2` is no inspector: `qa.inspectors` in functions.toml names Q1";
    assert_eq!(sign(&mut functions, "lyon", "A", "Q2"), conflict(why.to_owned()));
    for (site, step, actor) in [("bern", "B", "Q2"), ("lyon", "A", "Q1"), ("oslo", "A", "T1")] {
        let done = sign(&mut functions, site, step, actor).expect("who signs there");
        assert_eq!(done.site, site);
        assert!(held(&functions, site).is_empty());
    }
}

#[test]
fn a_terminal_asks_who_signs_where_the_site_does() {
    let mut functions = shop();
    for site in ["lyon", "oslo"] {
        let event = r#"{"bay":"b1","job":"J1","step":"A","event":"qa_signed"}"#;
        let event: StepEvent = serde_json::from_str(event).expect("a step event");
        functions.take(Input::Step { site: site.into(), event, ts_ms: AT_MS + 4_000 });
    }
    functions.tick(AT_MS + 4_000);
    assert_eq!(held(&functions, "lyon"), ["A"], "nobody is named");
    assert!(held(&functions, "oslo").is_empty());
}

#[test]
fn a_vehicle_is_handed_over_by_inspectors_of_its_site() {
    let mut functions = shop();
    sign(&mut functions, "bern", "B", "Q2").expect("who signs there");
    let mut release = |actor: &str| {
        let (site, job, reason) = ("bern".to_owned(), "J1".to_owned(), None);
        functions.order(&What::Release { site, job, reason }, actor, AT_MS + 5_000)
    };
    assert!(release("Q1").is_err());
    assert!(release("Q2").is_ok());
}
