//! What people do about exceptions.

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

/// Tools say that they are offline; the ids of their exceptions, by tool.
fn offline(andon: &mut Andon, work: &mut Work, tools: &[&str]) -> Vec<String> {
    for tool in tools {
        work.message(&format!("workshop/lyon/bay-01/{tool}/status"), br#"{"online":false}"#);
    }
    work.settle();
    until("the tools are offline", 30, || {
        let listed = listed(andon);
        let id = |tool: &&str| {
            let of_tool = listed.iter().find(|one| one["tool"] == **tool && one["state"] == "active");
            of_tool.and_then(|one| one["id"].as_str()).map(str::to_owned)
        };
        tools.iter().map(id).collect::<Option<Vec<_>>>().ok_or(listed.clone())
    })
}

fn listed(andon: &mut Andon) -> Vec<Value> {
    andon.json("/api/v1/exceptions?state=all")["exceptions"].as_array().expect("a list").clone()
}

fn until_listed(andon: &mut Andon, id: &str, name: &str, value: &str) -> Value {
    until(&format!("{name} of {id} is {value}"), 30, || {
        let listed = listed(andon);
        let one = listed.iter().find(|one| one["id"] == id).cloned();
        one.filter(|one| one[name] == value).ok_or(listed)
    })
}

#[test]
fn an_exception_is_acknowledged_once_shelved_for_a_while_and_all_of_it_outlives_a_kill() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    let ids = offline(&mut andon, &mut work, &["wrench_1", "wrench_2", "wrench_3"]);

    // Acknowledged: the same key gives the same answer, another says who was first.
    let acknowledge = format!("/api/v1/exceptions/{}/acknowledge", ids[0]);
    let by = json!({"actor": "T17", "reason": "on my way"});
    let (code, first) = andon.post(&acknowledge, "key-1", &by);
    assert_eq!(code, 200, "{first}");
    assert!(first["offset"].as_u64().is_some_and(|offset| offset > 0), "{first}");
    assert_eq!(andon.post(&acknowledge, "key-1", &by), (200, first.clone()));
    let (code, problem) = andon.post(&acknowledge, "key-2", &json!({"actor": "T18"}));
    assert_eq!(code, 409, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("by T17")), "{problem}");
    let (code, problem) = andon.post(&acknowledge, "key-1", &json!({"actor": "T17", "reason": "another"}));
    assert_eq!(code, 422, "a key is of one command: {problem}");
    let seen = until_listed(&mut andon, &ids[0], "operator_state", "acknowledged");
    assert_eq!((&seen["actor"], &seen["operator_reason"]), (&json!("T17"), &json!("on my way")));
    assert_eq!(seen["state"], "active", "the condition goes on");

    // Shelved: for a second, and for an hour.
    for (id, key, duration_s) in [(&ids[1], "key-3", 1), (&ids[2], "key-4", 3600)] {
        let body = json!({"actor": "Q2", "reason": "in repair", "duration_s": duration_s});
        let (code, answer) = andon.post(&format!("/api/v1/exceptions/{id}/shelve"), key, &body);
        assert_eq!(code, 200, "{answer}");
    }
    let over = until_listed(&mut andon, &ids[1], "operator_state", "unacknowledged");
    assert_eq!(over["operator_reason"], "shelved until now", "a tick ends it: {over}");
    assert_eq!(andon.json("/api/v1/status")["exceptions_shelved"], 1);
    what_makes_no_sense_is_refused(&mut andon, &ids);

    // Everything is there after a power cut, and the answer to a key as well.
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    assert_eq!(andon.post(&acknowledge, "key-1", &by), (200, first), "the same answer as before the kill");
    until_listed(&mut andon, &ids[0], "operator_state", "acknowledged");
    until_listed(&mut andon, &ids[2], "operator_state", "shelved");

    // What is shelved stays so when it comes again; unshelved it calls.
    work.message("workshop/lyon/bay-01/wrench_3/status", br#"{"online":true}"#);
    work.settle();
    until_listed(&mut andon, &ids[2], "state", "cleared");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let again = offline(&mut andon, &mut work, &["wrench_3"]).remove(0);
    assert_ne!(again, ids[2], "it is another exception");
    until_listed(&mut andon, &again, "operator_state", "shelved");
    let unshelve = format!("/api/v1/exceptions/{again}/unshelve");
    let (code, answer) = andon.post(&unshelve, "key-9", &json!({"actor": "Q2", "reason": null}));
    assert_eq!(code, 200, "{answer}");
    until_listed(&mut andon, &again, "operator_state", "unacknowledged");
    andon.counts();
    andon.stop();

    let commands = shop.history().rows(
        "SELECT kind, actor, outcome, count(*) AS count FROM commands WHERE kind <> 'shelve' \
         GROUP BY kind, actor, outcome ORDER BY kind, actor, outcome",
    );
    let told: Vec<String> = commands
        .iter()
        .map(|row| format!("{} {} {} {}", row["kind"], row["actor"], row["outcome"], row["count"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""acknowledge" "T17" "applied" 1"#,
            r#""acknowledge" "T17" "refused" 1"#,
            r#""acknowledge" "T17" "repeated" 2"#,
            r#""acknowledge" "T18" "refused" 3"#,
            r#""unshelve" "Q2" "applied" 1"#,
            r#""unshelve" "T18" "refused" 1"#,
        ]
    );
    let stored =
        shop.stored("SELECT id, operator_state, actor FROM exceptions WHERE operator_state = 'acknowledged'");
    assert_eq!(stored, [json!({"id": ids[0], "operator_state": "acknowledged", "actor": "T17"})]);
    a_replay_says_the_same(&shop);
}

fn what_makes_no_sense_is_refused(andon: &mut Andon, ids: &[String]) {
    let by = json!({"actor": "T18"});
    let wanted = [
        (404, "/api/v1/exceptions/0000000000/acknowledge".to_owned(), by.clone(), "no exception"),
        (409, format!("/api/v1/exceptions/{}/acknowledge", ids[2]), by.clone(), "unshelve it first"),
        (409, format!("/api/v1/exceptions/{}/unshelve", ids[0]), by.clone(), "not shelved"),
        (400, format!("/api/v1/exceptions/{}/shelve", ids[0]), by.clone(), "a `reason` and a `duration_s`"),
        (
            422,
            format!("/api/v1/exceptions/{}/shelve", ids[0]),
            json!({"actor": "T18", "reason": "for good", "duration_s": 28_801}),
            "28800 s (8 h)",
        ),
        (400, format!("/api/v1/exceptions/{}/acknowledge", ids[0]), json!({"aktor": "T18"}), "aktor"),
        (400, format!("/api/v1/exceptions/{}/acknowledge", ids[0]), json!({"actor": " "}), "`actor`"),
        (404, format!("/api/v1/exceptions/{}/explode", ids[0]), by, "acknowledge, shelve, unshelve or reset"),
    ];
    for (number, (expected, path, body, words)) in wanted.iter().enumerate() {
        let (code, problem) = andon.post(path, &format!("refused-{number}"), body);
        assert_eq!(code, *expected, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }
    let (code, problem) =
        andon.post(&format!("/api/v1/exceptions/{}/acknowledge", ids[0]), " ", &json!({"actor": "T"}));
    assert_eq!((code, problem["title"].as_str()), (400, Some("Bad Request")), "without a key: {problem}");
}

#[test]
fn a_tool_in_calibration_calls_for_nobody_until_it_returns() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    let ids = offline(&mut andon, &mut work, &["wrench_1", "wrench_2"]);
    let path = |tool: &str, verb: &str| format!("/api/v1/tools/lyon/{tool}/{verb}");
    let why = json!({"actor": "Q1", "reason": "in calibration"});

    let (code, answer) = andon.post(&path("wrench_1", "out_of_service"), "out-1", &why);
    assert_eq!(code, 200, "{answer}");
    let aside = until_listed(&mut andon, &ids[0], "operator_state", "out_of_service");
    assert_eq!((&aside["state"], &aside["actor"]), (&json!("active"), &json!("Q1")), "{aside}");
    until_listed(&mut andon, &ids[1], "operator_state", "unacknowledged");
    let refused = [
        (409, path("wrench_1", "out_of_service"), why.clone(), "taken out of service by Q1"),
        (409, path("wrench_2", "return_to_service"), json!({"actor": "Q1"}), "not out of service"),
        (404, path("wrench_9", "out_of_service"), why.clone(), "no tool `wrench_9`"),
        (404, path("wrench_1", "explode"), why.clone(), "out_of_service or return_to_service"),
        (400, path("wrench_2", "out_of_service"), json!({"actor": "Q1"}), "needs a `reason`"),
        (
            409,
            format!("/api/v1/exceptions/{}/acknowledge", ids[0]),
            json!({"actor": "T17"}),
            "out of service",
        ),
    ];
    for (number, (expected, path, body, words)) in refused.iter().enumerate() {
        let (code, problem) = andon.post(path, &format!("refused-{number}"), body);
        assert_eq!(code, *expected, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }

    // It outlives a power cut, and holds for what comes anew.
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let listed = andon.json("/api/v1/tools/out_of_service")["tools"].clone();
    assert_eq!((&listed[0]["tool"], &listed[0]["reason"]), (&json!("wrench_1"), &json!("in calibration")));
    work.message("workshop/lyon/bay-01/wrench_1/status", br#"{"online":true}"#);
    work.settle();
    until_listed(&mut andon, &ids[0], "state", "cleared");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let again = offline(&mut andon, &mut work, &["wrench_1"]).remove(0);
    until_listed(&mut andon, &again, "operator_state", "out_of_service");

    let (code, answer) =
        andon.post(&path("wrench_1", "return_to_service"), "back-1", &json!({"actor": "Q1", "reason": null}));
    assert_eq!(code, 200, "{answer}");
    until_listed(&mut andon, &again, "operator_state", "unacknowledged");
    assert_eq!(andon.json("/api/v1/tools/out_of_service")["tools"], json!([]));
    andon.counts();
    andon.stop();
    let told = shop.history().rows(
        "SELECT kind, target, outcome, count(*) AS count FROM commands WHERE kind LIKE '%service' \
         GROUP BY kind, target, outcome ORDER BY kind, target, outcome",
    );
    let told: Vec<String> =
        told.iter().map(|row| format!("{} {} {}", row["kind"], row["outcome"], row["count"])).collect();
    assert!(told.contains(&r#""out_of_service" "applied" 1"#.to_owned()), "{told:?}");
    assert!(told.contains(&r#""return_to_service" "applied" 1"#.to_owned()), "{told:?}");
    a_replay_says_the_same(&shop);
}
