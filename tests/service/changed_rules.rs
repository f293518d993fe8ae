//! Rules that change while readings flow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{a_replay_says_the_same, alone, each_reading_is_there_once, until_exported};

/// A condition over single readings of one metric, open while they are above a limit.
fn above(rule: &str, metric: &str, limit: u32) -> String {
    format!(
        "rule = \"{rule}\"\nseverity = \"low\"\nlane = \"instant\"\nkind = \"condition\"\nmessage = \"over {limit}\"\n\
         sql = \"SELECT ts, site, bay, tool, value FROM telemetry WHERE metric = '{metric}' AND value > {limit}\"\n"
    )
}

/// A view that counts readings by windows of so many seconds.
fn per(view: &str, seconds: u32) -> String {
    format!(
        "view = \"{view}\"\nsql = \"SELECT site, bay, tool, window_start, window_end, count(*) AS times FROM \
         tumble(telemetry, ts, INTERVAL '{seconds} seconds') WHERE metric = 'torque' GROUP BY site, bay, tool, \
         window_start, window_end\"\n"
    )
}

/// A view that is allowed, and dear.
fn last_minutes() -> &'static str {
    "view = \"last_minutes\"\nsql = \"SELECT site, bay, window_start, window_end, last_value(value ORDER BY ts) AS last \
     FROM hop(telemetry, ts, INTERVAL '5 seconds', INTERVAL '10 minutes') GROUP BY site, bay, window_start, window_end\"\n"
}

fn write(shop: &Shop, name: &str, text: &str) {
    std::fs::write(shop.folder().join("rules").join(name), text).expect("written");
}

fn configuration(andon: &mut Andon) -> String {
    andon.json("/api/v1/status")["configuration"].as_str().expect("a version").to_owned()
}

fn until_changed(andon: &mut Andon, before: &str) -> String {
    until("the changed rules apply", 30, || {
        let now = configuration(andon);
        if now == before { Err(andon.json("/api/v1/status")) } else { Ok(now) }
    })
}

/// Open exceptions of a rule: id and message.
fn open(andon: &mut Andon, rule: &str) -> Vec<(String, String)> {
    let all = andon.json("/api/v1/exceptions");
    let all = all["exceptions"].as_array().expect("a list");
    let of_rule = all.iter().filter(|one| one["rule"] == rule && one["state"] == "active");
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    of_rule.map(|one| (text(one, "id"), text(one, "message"))).collect()
}

/// Publishes while `story` goes on; what was published.
fn while_readings_flow(port: u16, story: impl FnOnce()) -> Work {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut work = Work::on(port);
            while !over.load(Ordering::SeqCst) {
                work.reading("bay-01", "wrench_7", "torque", 120.0);
                work.reading("bay-01", "pump_1", "temperature", 70.0);
                std::thread::sleep(Duration::from_millis(20));
            }
            work.settle();
            work
        });
        // A story that fails must not be waited for.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
        publisher.join().expect("the publisher")
    })
}

#[test]
fn rules_change_while_readings_flow_and_a_kill_right_after_changes_nothing() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    // A cut each 300 ms, and a clock bound that lets some seconds of the journal fill windows.
    let text = std::fs::read_to_string(shop.config()).expect("a text");
    std::fs::write(
        shop.config(),
        text.replace("lateness = \"1s\"", "lateness = \"1s\"\nclock_bound = \"2s\""),
    )
    .expect("written");
    write(&shop, "hot.toml", &above("hot", "temperature", 50));
    write(&shop, "tight.toml", &above("tight", "torque", 100));
    write(&shop, "gone.toml", &above("gone", "torque", 110));
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let work = while_readings_flow(broker.port, || {
        let opened = until("all three are open", 30, || {
            let all = ["hot", "tight", "gone"].map(|rule| open(&mut andon, rule));
            if all.iter().all(|open| open.len() == 1) { Ok(all) } else { Err(all) }
        });
        std::thread::sleep(Duration::from_secs(6));
        let before = configuration(&mut andon);

        // A broken file stops nothing, is named, and is forgotten once it is mended.
        write(&shop, "tight.toml", &above("tight", "torque", 105).replace("value > 105", "valeu > 105"));
        let refused = until("the broken rule is refused", 30, || {
            let status = andon.json("/api/v1/status");
            let refused = status["configuration_refused"][0].as_str().map(str::to_owned);
            refused.ok_or(status)
        });
        assert!(refused.contains("rules/tight.toml:6:") && refused.contains("valeu"), "{refused}");
        assert_eq!(configuration(&mut andon), before);
        assert_eq!(open(&mut andon, "tight"), opened[1], "the rule before goes on");
        andon.until_ready();

        write(&shop, "tight.toml", &above("tight", "torque", 105));
        write(&shop, "seconds.toml", &per("seconds", 2));
        write(&shop, "last_minutes.toml", last_minutes());
        std::fs::remove_file(shop.folder().join("rules/gone.toml")).expect("removed");
        andon.ask_to_reread();
        until_changed(&mut andon, &before);
        let said = andon.log();
        assert!(said.contains("last_minutes.toml:2:") && said.contains("into 120 windows"), "{said}");
        // Killed before the next checkpoint, if it can be.
        andon.kill();
        andon = Andon::run(&shop);
        andon.until_ready();
        assert_eq!(andon.json("/api/v1/status")["configuration_refused"], serde_json::json!([]));
        assert_eq!(open(&mut andon, "hot"), opened[0], "an exception of another rule stays");
        let tight = until("the changed rule has raised", 30, || {
            let tight = open(&mut andon, "tight");
            if tight.len() == 1 { Ok(tight) } else { Err(tight) }
        });
        assert_ne!(tight[0].0, opened[1][0].0, "it is another exception");
        assert_eq!(tight[0].1, "over 105");
        assert_eq!(open(&mut andon, "gone"), [], "what nobody judges any more is not open");
        until("the new view tells", 30, || {
            let seen = shop.history().count_now("SELECT count(*) AS count FROM seconds WHERE final");
            if seen.as_ref().is_ok_and(|seen| *seen >= 2) { Ok(()) } else { Err(seen) }
        });
    });
    until_exported(&mut andon, &shop, &work);
    let running = andon.url();
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_andon"))
        .args(["check", "--against", &running, "--config"])
        .arg(shop.config())
        .output()
        .expect("andon starts");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success() && said.contains(&format!("{running} has this configuration")),
        "{said}"
    );
    andon.stop();

    let history = shop.history();
    each_reading_is_there_once(&history, &work);
    for (rule, reason) in [("gone", "rule_removed"), ("tight", "rule_changed")] {
        let sql = format!(
            "SELECT count(*) AS count FROM exceptions WHERE rule = '{rule}' AND state = 'cleared' AND evidence LIKE \
             '%\"{reason}\"%'"
        );
        assert_eq!(history.count(&sql), 1, "{rule}: {reason}");
    }
    // Whole windows only: a reading each 20 ms of one tool, as many as stream telemetry has of each window.
    let halves = history.rows(
        "SELECT s.window_start, s.times, count(*) AS really FROM seconds s JOIN telemetry t ON t.metric = 'torque' \
         AND t.ts >= s.window_start AND t.ts < s.window_end WHERE s.final AND s.revision = 1 \
         GROUP BY s.window_start, s.times HAVING s.times <> count(*)",
    );
    assert_eq!(halves, [] as [Value; 0], "no half window is shown as final");
    let figures = a_replay_says_the_same(&shop);
    assert_eq!(figures["rows"], work.readings);
    let replayed = crate::shop::History::of(&shop.folder().join("replayed"));
    let sql = "SELECT * FROM seconds ORDER BY row_id";
    assert_eq!(history.text(sql), replayed.text(sql), "the new view, live and replayed");
}

#[test]
fn rules_that_were_changed_while_the_service_was_stopped_apply_after_what_was_journaled() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    write(&shop, "tight.toml", &above("tight", "torque", 100));
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.reading("bay-01", "wrench_7", "torque", 120.0);
    work.settle();
    let before = until("it is open", 30, || {
        let open = open(&mut andon, "tight");
        if open.len() == 1 { Ok(open) } else { Err(open) }
    });
    andon.kill();
    write(&shop, "tight.toml", &above("tight", "torque", 110));
    work.reading("bay-01", "wrench_7", "torque", 121.0);
    work.settle();
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let after = until("it is another", 30, || {
        let open = open(&mut andon, "tight");
        if open.len() == 1 && open != before { Ok(open) } else { Err(open) }
    });
    assert_eq!(after[0].1, "over 110");
    until_exported(&mut andon, &shop, &work);
    andon.stop();
    a_replay_says_the_same(&shop);
}

/// A view that adds up the torque of each step.
fn of_steps() -> &'static str {
    "view = \"of_steps\"\nsql = \"SELECT site, bay, job, step, window_start, window_end, count(*) AS joints, sum(value) AS \
     total FROM per_step(telemetry) WHERE metric = 'torque' GROUP BY site, bay, job, step, window_start, window_end\"\n"
}

#[test]
fn windows_that_began_before_their_rule_are_whole_by_what_was_exported() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    work.card("J000001");
    work.step("bay-01", "J000001", "started");
    let joints = |work: &mut Work, count: u32| {
        for joint in 0..count {
            work.reading("bay-01", "wrench_7", "torque", 84.0 + f64::from(joint) / 4.0);
            std::thread::sleep(Duration::from_millis(20));
        }
        work.settle();
    };
    joints(&mut work, 100);
    let before = configuration(&mut andon);
    write(&shop, "of_steps.toml", of_steps());
    write(&shop, "twenties.toml", &per("twenties", 20));
    andon.ask_to_reread();
    until_changed(&mut andon, &before);
    // What was there when it changed is exported only later, and then read: the kill comes before that.
    joints(&mut work, 5);
    andon.kill();
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    joints(&mut work, 50);
    until("history has been read", 30, || {
        let said = andon.log();
        if said.contains("filled with what was exported") { Ok(()) } else { Err(said) }
    });
    joints(&mut work, 20);
    work.step("bay-01", "J000001", "finished");
    work.reading("bay-01", "wrench_7", "torque", 60.0);
    work.settle();
    until("the step is told", 60, || {
        work.reading("bay-01", "pump_1", "temperature", 20.0);
        std::thread::sleep(Duration::from_millis(500));
        let seen = shop.history().count_now("SELECT count(*) AS count FROM of_steps WHERE final");
        if seen.as_ref().is_ok_and(|seen| *seen == 1) { Ok(()) } else { Err(seen) }
    });
    until("the first window of the clock is told", 60, || {
        work.reading("bay-01", "pump_1", "temperature", 20.0);
        std::thread::sleep(Duration::from_millis(500));
        let seen = shop.history().count_now("SELECT count(*) AS count FROM twenties WHERE final");
        if seen.as_ref().is_ok_and(|seen| *seen > 0) { Ok(()) } else { Err(seen) }
    });
    work.settle();
    until_exported(&mut andon, &shop, &work);
    andon.stop();

    let history = shop.history();
    let told = history.rows("SELECT joints, total FROM of_steps WHERE final");
    let really = history.rows(
        "SELECT count(*) AS joints, sum(value) AS total FROM telemetry WHERE metric = 'torque' AND job = 'J000001'",
    );
    assert_eq!(told, really, "the step is told whole, though its view is younger");
    assert_eq!(told[0]["joints"], 175);
    let halves = history.rows(
        "SELECT s.window_start, s.times, count(*) AS really FROM twenties s JOIN telemetry t ON t.metric = 'torque' \
         AND t.ts >= s.window_start AND t.ts < s.window_end WHERE s.final AND s.revision = 1 \
         GROUP BY s.window_start, s.times HAVING s.times <> count(*)",
    );
    assert_eq!(halves, [] as [Value; 0], "no half window is shown as final");
    a_replay_says_the_same(&shop);
    let replayed = crate::shop::History::of(&shop.folder().join("replayed"));
    for view in ["of_steps", "twenties"] {
        let sql = format!("SELECT * FROM {view} ORDER BY row_id");
        assert_eq!(history.text(&sql), replayed.text(&sql), "{view}, live and replayed");
    }
}
