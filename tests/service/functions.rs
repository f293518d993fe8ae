//! A job from its card to its bill, over HTTP: assigned, worked, signed, handed over; with a kill in its midst.

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, ask};
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

/// For the replay in the end, which begins at the first message.
const KEEP_ALL: &str = "[retention]\njournal = \"64GiB\"\n";

const FUNCTIONS: &str = r#"
[assignment.sites.lyon]
bays = ["bay-01", "bay-02"]
[assignment.technicians.T17]
site = "lyon"
skills = ["tightening"]
[assignment.technicians.T18]
site = "lyon"
[qa]
inspectors = ["Q1"]
[billing]
labour_per_h = 120
[billing.prices.oil_5w30]
price = 10
unit = "L"
"#;

fn card(job: &str) -> Value {
    json!({
        "job": job, "customer": "C7", "vehicle": "V1", "promised": "2099-01-01T12:00:00Z",
        "steps": [{
            "step": "S01", "operation": "wheel", "standard_s": 600, "skills": ["tightening"],
            "expect": [{"metric": "torque", "min": 80, "max": 95, "count": 2, "class": "A"}],
            "resources": [{"resource": "oil_5w30", "quantity": 4.2, "unit": "L"}],
        }],
    })
}

fn until_step(andon: &mut Andon, job: &str, state: &str) -> Value {
    until(&format!("the step of {job} is {state}"), 30, || {
        let (code, body) = andon.get(&format!("/api/v1/jobs/{job}"));
        let job: Value = serde_json::from_str(&body).expect("JSON");
        let step = job["steps"][0].clone();
        if code == 200 && step["state"] == state { Ok(step) } else { Err(job) }
    })
}

fn items(andon: &mut Andon, queue: &str) -> Vec<Value> {
    andon.json(&format!("/api/v1/queues/{queue}?from=1&limit=1000"))["items"]
        .as_array()
        .expect("a list")
        .clone()
}

fn refused(andon: &mut Andon, (path, key): (&str, &str), body: &Value, code: u16, words: &str) {
    let (found, problem) = andon.post(path, key, body);
    assert_eq!(found, code, "{path} {body}: {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
}

fn done(andon: &mut Andon, path: &str, key: &str, body: &Value) -> Value {
    let (code, answer) = andon.post(path, key, body);
    assert_eq!(code, 200, "{path} {body}: {answer}");
    answer
}

#[test]
fn a_job_is_assigned_worked_signed_handed_over_and_billed_once_across_a_kill() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, KEEP_ALL);
    std::fs::write(shop.folder().join("functions.toml"), FUNCTIONS).expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);

    // A card by HTTP is a message of the journal, applied once for its key.
    let body = json!({"actor": "office", "site": "lyon", "card": card("J1")});
    let first = done(&mut andon, "/api/v1/jobs", "card-1", &body);
    assert!(first["offset"].as_u64() > Some(0) && first["message"].as_u64() > Some(0), "{first}");
    assert_eq!(andon.post("/api/v1/jobs", "card-1", &body), (200, first.clone()));
    let no_steps = json!({"actor": "office", "site": "lyon", "card": {"job": "J9"}});
    refused(&mut andon, ("/api/v1/jobs", "card-2"), &no_steps, 422, "missing field `steps`");
    let no_job = json!({"actor": "office", "site": "lyon", "card": {}});
    refused(&mut andon, ("/api/v1/jobs", "card-3"), &no_job, 400, "`card.job` is missing");
    let elsewhere = json!({"actor": "office", "site": "lyon/+", "card": card("J1")});
    refused(&mut andon, ("/api/v1/jobs", "card-4"), &elsewhere, 400, "`site` may hold none of");

    // The step goes to who can do it.
    let step = until_step(&mut andon, "J1", "assigned");
    assert_eq!((&step["technician"], &step["bay"]), (&json!("T17"), &json!("bay-01")), "{step}");
    let own = andon.json("/api/v1/technicians/T17/steps");
    assert_eq!(own["steps"][0]["job"], "J1", "{own}");
    let route = |verb: &str| format!("/api/v1/jobs/J1/steps/S01/{verb}");
    refused(&mut andon, (&route("start"), "s-1"), &json!({"actor": "T18"}), 409, "is T17's");
    done(&mut andon, &route("start"), "s-2", &json!({"actor": "T17"}));
    until_step(&mut andon, "J1", "active");
    refused(&mut andon, (&route("pause"), "s-3"), &json!({"actor": "T17"}), 400, "a pause needs a `reason`");
    done(&mut andon, &route("pause"), "s-4", &json!({"actor": "T17", "reason": "waiting for parts"}));
    assert_eq!(until_step(&mut andon, "J1", "paused")["reason"], "waiting for parts");
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    until_step(&mut andon, "J1", "paused");
    assert_eq!(
        andon.post("/api/v1/jobs", "card-1", &body),
        (200, first),
        "the same answer as before the kill"
    );
    done(&mut andon, &route("resume"), "s-5", &json!({"actor": "T17"}));
    for torque in [87.0, 99.0, 88.0] {
        work.reading("bay-01", "wrench_7", "torque", torque);
    }
    work.booking("bay-01", 4.25);
    work.settle();
    until("the readings are applied", 30, || {
        let counts = andon.counts();
        if counts.get("applied") == 3 { Ok(()) } else { Err(counts) }
    });
    let own = until("the readings are certain", 30, || {
        work.reading("bay-01", "pump_1", "temperature", 20.0);
        work.settle();
        let own = andon.json("/api/v1/technicians/T17/steps")["steps"][0].clone();
        let is_filled = own["resources"][0]["quantity"] == 4.25;
        if is_filled && own["expected"][0]["counted"] == 3 { Ok(own) } else { Err(own) }
    });
    assert_eq!(
        (&own["expected"][0]["within"], &own["expected"][0]["missing"]),
        (&json!(2), &json!(0)),
        "{own}"
    );
    let oil = json!([{"resource": "oil_5w30", "quantity": 4.25, "planned": 4.2, "unit": "L"}]);
    assert_eq!(own["resources"], oil, "filled so far of planned, before the step ends: {own}");
    done(&mut andon, &route("finish"), "s-6", &json!({"actor": "T17"}));

    // A joint that was out of its limits: held until QA has looked at it.
    let held = until_step(&mut andon, "J1", "qa_hold");
    assert_eq!((&held["verdict"], &held["missing"]), (&json!("failed"), &json!(0)), "{held}");
    let listed = andon.json("/api/v1/exceptions");
    let all = listed["exceptions"].as_array().expect("a list");
    let latched = all.iter().find(|one| one["rule"] == "torque_out_of_spec").expect("it is latched");
    let reset = format!("/api/v1/exceptions/{}/reset", latched["id"].as_str().expect("an id"));
    refused(
        &mut andon,
        (&route("sign_off"), "q-0"),
        &json!({"actor": "Q1"}),
        409,
        "is latched; reset it first",
    );
    done(&mut andon, &reset, "x-0", &json!({"actor": "Q1", "reason": "tightened again"}));

    // A joint of class A: held until QA has signed.
    until("nothing is latched any more", 30, || {
        let held = until_step(&mut andon, "J1", "qa_hold");
        if held["verdict"] == "unsigned" { Ok(()) } else { Err(held) }
    });
    let release = "/api/v1/jobs/J1/release";
    refused(&mut andon, (release, "r-1"), &json!({"actor": "Q1"}), 409, "its record is not signed");
    refused(&mut andon, (&route("sign_off"), "q-1"), &json!({"actor": "T17"}), 409, "no inspector");
    done(&mut andon, &route("sign_off"), "q-2", &json!({"actor": "Q1", "note": "second joint again"}));
    let answer = done(&mut andon, release, "r-2", &json!({"actor": "Q1"}));
    assert_eq!(andon.post(release, "r-2", &json!({"actor": "Q1"})), (200, answer));
    refused(&mut andon, (release, "r-3"), &json!({"actor": "Q1"}), 409, "handed over already");
    refused(&mut andon, ("/api/v1/jobs/J7/release", "r-4"), &json!({"actor": "Q1"}), 404, "no job `J7`");

    // Billed once, after another kill too.
    until("the bill is posted", 30, || {
        let billed = items(&mut andon, "billing");
        if billed.len() == 2 { Ok(()) } else { Err(billed) }
    });
    let billed = items(&mut andon, "billing");
    let amounts: Vec<&Value> = billed.iter().map(|item| &item["body"]["amount"]).collect();
    assert_eq!(amounts, [&json!(20.0), &json!(42.5)], "ten minutes at 120 an hour, 4.25 l at 10");
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    assert_eq!(items(&mut andon, "billing"), billed);
    let (code, csv) = andon.get("/api/v1/queues/billing?format=csv");
    assert!(code == 200 && csv.starts_with("amount,currency,customer,") && csv.lines().count() == 3, "{csv}");
    let records = andon.json("/api/v1/jobs/J1/inspections");
    let record = &records["inspections"][0];
    assert_eq!((&record["signed_by"], &record["verdict"]), (&json!("Q1"), &json!("accepted")), "{record}");
    let values = &record["evidence"]["measured"][0]["values"];
    assert_eq!(values, &json!([87.0, 99.0, 88.0]), "{record}");
    let told: Vec<Value> =
        items(&mut andon, "notifications").iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(told, ["accepted", "started", "ready"]);

    handed_over_in_spite_of_all(&mut andon, &mut work);
    andon.counts();
    andon.stop();
    a_replay_says_the_same(&shop);
    the_audit_shows_what_is_changed_and_what_is_missing(&shop);
}

/// A vehicle leaves though nobody has signed: a latched exception, a bill that is held, and a reset by QA alone.
fn handed_over_in_spite_of_all(andon: &mut Andon, work: &mut Work) {
    work.card("J2");
    for event in ["started", "finished", "released"] {
        work.step("bay-02", "J2", event);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    work.settle();
    let latched = until("the hand-over is an exception", 30, || {
        let listed = andon.json("/api/v1/exceptions");
        let all = listed["exceptions"].as_array().expect("a list");
        let found = all.iter().find(|one| one["rule"] == "hand_over_unsigned" && one["state"] == "latched");
        found.cloned().ok_or(listed.clone())
    });
    let lines = until("its bill is held", 30, || {
        let lines = andon.json("/api/v1/jobs/J2/lines");
        if lines["lines"][0]["state"] == "held" { Ok(lines) } else { Err(lines) }
    });
    let why = lines["lines"][0]["reason"].as_str().expect("a reason");
    assert!(why.contains("handed over with something open"), "{why}");
    assert_eq!(lines_held(andon), lines["lines"].as_array().map(Vec::len).map(Value::from));
    let id = latched["id"].as_str().expect("an id");
    let reset = format!("/api/v1/exceptions/{id}/reset");
    let reason = json!({"actor": "T17", "reason": "called back, inspected"});
    refused(andon, (&reset, "x-1"), &reason, 409, "no inspector");
    refused(andon, (&reset, "x-2"), &json!({"actor": "Q1"}), 400, "a reset needs a `reason`");
    done(andon, &reset, "x-3", &json!({"actor": "Q1", "reason": "called back, inspected"}));
    refused(andon, (&reset, "x-4"), &json!({"actor": "Q1", "reason": "again"}), 409, "nothing to reset");
    let post = json!({"actor": "Q1", "note": "agreed with the customer"});
    done(andon, "/api/v1/jobs/J2/lines/1/post", "p-1", &post);
    refused(andon, ("/api/v1/jobs/J2/lines/1/post", "p-2"), &post, 409, "posted already");
    until("the line is posted", 30, || {
        let billed = items(andon, "billing");
        let posted = billed.iter().filter(|item| item["key"] == "lyon/J2/1").count();
        if posted == 1 { Ok(()) } else { Err(billed) }
    });
    let held = lines["lines"].as_array().map_or(0, Vec::len) - 1;
    assert_eq!(lines_held(andon), Some(Value::from(held)), "one of them waits for nobody any more");
}

/// What the board says of the bill of J2.
fn lines_held(andon: &mut Andon) -> Option<Value> {
    let released = andon.json("/api/v1/jobs?state=released");
    let all = released["jobs"].as_array().expect("a list");
    all.iter().find(|job| job["job"] == "J2").map(|job| job["lines_held"].clone())
}

fn the_audit_shows_what_is_changed_and_what_is_missing(shop: &Shop) {
    let config = shop.config();
    let verify = |queue: &str| {
        ask(&["audit", "verify", "--config", config.to_str().expect("a plain name"), "--queue", queue])
    };
    let change = |sql: &str| {
        let store = shop.data().join("andon.db");
        let script = "import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1])\nstore.execute(sys.argv[2])\nstore.commit()";
        let output = std::process::Command::new("python3").args(["-c", script]).arg(store).arg(sql).output();
        let output = output.expect("python3 starts");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for queue in ["audit", "billing", "notifications"] {
        let said = verify(queue).expect("it is whole");
        assert!(said.contains("is whole"), "{said}");
    }
    change(
        "DELETE FROM queue_items WHERE queue = 'notifications' AND number = (SELECT max(number) FROM queue_items \
            WHERE queue = 'notifications')",
    );
    let said = verify("notifications").expect_err("the last is missing");
    assert!(said.contains("missing at its end"), "{said}");
    change("UPDATE queue_items SET kind = 'nothing' WHERE queue = 'audit' AND number = 5");
    let said = verify("audit").expect_err("a record was changed");
    assert!(said.contains("item 5 was changed"), "{said}");
    change("DELETE FROM queue_items WHERE queue = 'audit' AND number = 5");
    let said = verify("audit").expect_err("a record is missing");
    assert!(said.contains("item 5 is missing"), "{said}");
}
