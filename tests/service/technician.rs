//! A technician at work, with the app in hand: what the wrench reads is there at once, what is missing as soon as it is
//! certain.

use serde_json::json;

use crate::alone;
use crate::andon::{Andon, until};
use crate::board::{Screen, says, screenshot};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;

#[test]
fn the_app_shows_each_reading_against_its_limits_and_then_what_is_still_missing() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut app = andon.listen("/api/v1/technicians/T17/live");
    app.until("there is nothing to do", |own| own["steps"] == json!([]));

    let mut work = Work::on(broker.port);
    work.card("J1");
    work.settle();
    until("the job is known", 20, || {
        let (code, body) = andon.get("/api/v1/jobs/J1");
        if code == 200 { Ok(()) } else { Err(body) }
    });
    let start = json!({"actor": "T17", "bay": "bay-01"});
    let (code, answer) = andon.post("/api/v1/jobs/J1/steps/S01/start", "s-1", &start);
    assert_eq!(code, 200, "{answer}");
    let own = app.until("the step goes on", |own| own["steps"][0]["state"] == "active");
    let torque = &own["steps"][0]["expected"][0];
    assert_eq!(
        (&torque["missing"], &torque["newest"], &own["steps"][0]["standard_s"]),
        (&json!(5), &json!(null), &json!(600.0)),
        "{own}"
    );

    // The wrench reads: too much, and then right. That is shown before it is certain.
    let shown_ms = work.now_ms();
    work.reading("bay-01", "wrench_7", "torque", 99.5);
    work.settle();
    let own = app.until("it was too much", |own| own["steps"][0]["expected"][0]["newest"]["value"] == 99.5);
    let took_ms = work.now_ms() - shown_ms;
    eprintln!("from the wrench to the app: {took_ms} ms");
    assert!(took_ms < 1_500, "{took_ms} ms from the wrench to the app");
    let newest = &own["steps"][0]["expected"][0]["newest"];
    assert_eq!(
        (&newest["tool"], &newest["unit"], &newest["spec_min"], &newest["spec_max"], &newest["within_spec"]),
        (&json!("wrench_7"), &json!("N.m"), &json!(80.0), &json!(95.0), &json!(false)),
        "{own}"
    );
    for torque in [87.0, 88.0] {
        work.reading("bay-01", "wrench_7", "torque", torque);
    }
    work.booking("bay-01", 1.5);
    work.settle();
    app.until("it is right", |own| own["steps"][0]["expected"][0]["newest"]["within_spec"] == true);
    let own = app.until("three joints are missing", |own| {
        work.reading("bay-01", "pump_1", "temperature", 20.0);
        work.settle();
        let step = &own["steps"][0];
        step["expected"][0]["missing"] == 3 && step["resources"][0]["quantity"] == 1.5
    });
    let torque = &own["steps"][0]["expected"][0];
    assert_eq!((&torque["counted"], &torque["within"]), (&json!(3), &json!(2)), "{own}");
    let oil = json!([{"resource": "oil_5w30", "quantity": 1.5, "planned": 4.2, "unit": "L"}]);
    assert_eq!(own["steps"][0]["resources"], oil, "{own}");

    // A pause with its reason, and the end.
    let route = |verb: &str| format!("/api/v1/jobs/J1/steps/S01/{verb}");
    let pause = json!({"actor": "T17", "reason": "waits for parts"});
    assert_eq!(andon.post(&route("pause"), "s-2", &pause).0, 200);
    app.until("it is paused", |own| own["steps"][0]["reason"] == "waits for parts");
    assert_eq!(andon.post(&route("resume"), "s-3", &json!({"actor": "T17"})).0, 200);
    assert_eq!(andon.post(&route("finish"), "s-4", &json!({"actor": "T17"})).0, 200);
    let own = app.until("it is over", |own| own["steps"][0]["ended_ms"].is_i64());
    assert!(own["steps"][0].get("expected").is_none(), "nothing is measured of it any more: {own}");
    andon.counts();
    andon.stop();
}

/// What a technician does on the page in the course of a step.
const STEPS: [&str; 24] = [
    "select=#next [data-job=J1][data-state=assigned]",
    "text=#name",
    "click=#next [data-job=J1] [data-verb=start]",
    "select=#work [data-job=J1][data-state=active]",
    "text=#work [data-job=J1]",
    "select=#work [data-metric=torque][data-verdict=high]",
    "text=#work [data-metric=torque]",
    "text=#announcement",
    "select=#work [data-metric=torque][data-verdict=in]",
    "text=#work [data-metric=torque]",
    "text=#work [data-resource=oil_5w30]",
    "eval=document.documentElement.scrollWidth <= document.documentElement.clientWidth",
    "eval=document.querySelector('#work [data-verb=pause]').focus()",
    "key=Enter",
    "select=dialog[open] input",
    "write=Waiting for parts",
    "key=Enter",
    "select=#work [data-job=J1][data-state=paused]",
    "text=#work [data-job=J1] .why",
    "click=#work [data-job=J1] [data-verb=resume]",
    "select=#work [data-job=J1][data-state=active]",
    "click=#work [data-job=J1] [data-verb=finish]",
    "gone=#work [data-job=J1]",
    "text=#past [data-job=J1]",
];

const FUNCTIONS: &str =
    "[assignment.sites.lyon]\nbays = [\"bay-01\"]\n[assignment.technicians.T17]\nsite = \"lyon\"\n";

#[test]
fn a_technician_works_on_a_step_with_the_page_alone() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    std::fs::write(shop.folder().join("functions.toml"), FUNCTIONS).expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.card("J1");
    work.settle();
    let page = format!("{}/technician/T17", andon.url());
    let mut steps = STEPS.to_vec();
    let file = format!("screenshot={}", screenshot("technician.png").display());
    steps.insert(12, &file);
    let Some(mut screen) = Screen::open(&page, &steps) else { return };
    assert_eq!(screen.text(), "T17");
    says(&screen.text(), &["active", "wheel", "bay-01", "J1 S01", "of 10:00", "0 of 5 good, 5 missing"]);

    work.reading("bay-01", "wrench_7", "torque", 99.5);
    work.settle();
    says(&screen.text(), &["torque", "too high", "99.5", "Nm", "wrench_7", "80", "95"]);
    says(&screen.text(), &["torque 99.5 Nm, too high"]);
    work.booking("bay-01", 1.5);
    for torque in [87.0, 88.25] {
        work.reading("bay-01", "wrench_7", "torque", torque);
    }
    work.settle();
    says(&screen.text(), &["in limits", "88.25", "Nm"]);
    says(&screen.text(), &["oil 5w30", "of 4.2 L"]);
    assert_eq!(
        screen.until("eval=document.documentElement")["value"],
        true,
        "nothing sticks out to the side"
    );
    says(&screen.text(), &["Waiting for parts"]);
    says(&screen.text(), &["wheel", "J1 S01"]);
    screen.end();
    let step = andon.json("/api/v1/jobs/J1")["steps"][0].clone();
    assert!(step["ended_ms"].is_i64(), "{step}");
    andon.stop();
}
