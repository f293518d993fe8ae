//! Lamps on bays and devices of technicians, which listen to the broker.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::standby::{begin, promote, regions};
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

const LAMP: &str = "workshop/lyon/bay-01/andon";
const DEVICE: &str = "workshop/lyon/technician/T17";

fn mosquitto(program: &str, port: u16) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command
}

/// What somebody hears who has just come: the retained state of a topic, none where there is none.
fn retained(port: u16, topic: &str) -> Option<Value> {
    let mut command = mosquitto("mosquitto_sub", port);
    command.args(["-t", topic, "-q", "1", "-C", "1", "-W", "1", "--retained-only", "-F", "%p"]);
    let output = command.stderr(Stdio::null()).output().expect("mosquitto_sub");
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits until the lamp shows that.
fn until_lamp(port: u16, state: &str) -> Value {
    until(&format!("the lamp is {state}"), 40, || {
        let lamp = retained(port, LAMP);
        lamp.clone().filter(|lamp| lamp["state"] == state).ok_or(lamp)
    })
}

fn configure(shop: &Shop, more: &str) {
    let text = std::fs::read_to_string(shop.config()).expect("just written");
    let publish = "[publish]\nlamps = true\ntechnicians = true\n";
    std::fs::write(shop.config(), format!("{text}{more}\n{publish}")).expect("written");
}

/// A lift that may carry 1500 kg on an arm carries so much.
fn load(work: &mut Work, kg: f64) {
    work.reading("bay-01", "lift-1", "lift_load_left", kg);
    work.settle();
}

fn begin_work(work: &mut Work) {
    let asset = r#"{"asset":"lift-1","kind":"lift","bay":"bay-01","limits":[{"metric":"lift_load_left","max":1500}]}"#;
    work.message("workshop/lyon/assets", asset.as_bytes());
    work.card("J1");
    work.step("bay-01", "J1", "started");
    work.settle();
}

#[test]
fn a_lamp_calls_until_somebody_comes_and_shines_green_when_all_is_well() {
    let _alone = alone();
    let Some(mut broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    // A pattern as wide as this brings our own messages back.
    let wide = "[topics]\ntelemetry = [\"workshop/{site}/{bay}/{tool}/telemetry\", \"workshop/{site}/{bay}/{tool}\"]\n";
    configure(&shop, wide);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    begin_work(&mut work);
    assert_eq!(until_lamp(broker.port, "green"), json!({ "state": "green", "exceptions": [] }));
    until("the technician's device shows the step", 20, || {
        let told = retained(broker.port, DEVICE).unwrap_or_default();
        let step = &told["steps"][0];
        let is_it = step["job"] == "J1" && step["step"] == "S01" && step["state"] == "active";
        if is_it { Ok(()) } else { Err(told) }
    });

    // Too much on the lift: it calls, until somebody has seen it.
    load(&mut work, 1_720.0);
    let lamp = until_lamp(broker.port, "red");
    let called = &lamp["exceptions"][0];
    assert_eq!(
        (&called["rule"], &called["severity"]),
        (&json!("lift_overload"), &json!("critical")),
        "{lamp}"
    );
    let id = called["id"].as_str().expect("an id");
    let (code, answer) =
        andon.post(&format!("/api/v1/exceptions/{id}/acknowledge"), "a-1", &json!({"actor": "T17"}));
    assert_eq!(code, 200, "{answer}");
    let lamp = until_lamp(broker.port, "yellow");
    assert_eq!(lamp["exceptions"][0]["operator_state"], "acknowledged", "{lamp}");
    until("the lamp is green once it has been right for a while", 40, || {
        load(&mut work, 900.0);
        let lamp = retained(broker.port, LAMP).unwrap_or_default();
        if lamp["state"] == "green" { Ok(()) } else { Err(lamp) }
    });
    work.step("bay-01", "J1", "paused");
    work.settle();
    until_lamp(broker.port, "blue");

    // The broker loses what it had: it is told again.
    broker.kill();
    broker.run();
    until_lamp(broker.port, "blue");
    until("the technician's device shows the pause", 20, || {
        let told = retained(broker.port, DEVICE).unwrap_or_default();
        if told["steps"][0]["state"] == "paused" { Ok(()) } else { Err(told) }
    });

    // So is what has changed while the service was away.
    andon.kill();
    drop(andon);
    work.reconnect(broker.port);
    work.step("bay-01", "J1", "resumed");
    work.step("bay-01", "J1", "finished");
    work.settle();
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    until_lamp(broker.port, "off");

    // What is our own is no reading, and nothing to complain of.
    let counts = andon.counts();
    assert_eq!(counts.get("undecodable"), 0, "{counts:?}");
    assert!(counts.get("ignored_outputs") > 0, "{counts:?}");
    let (_, metrics) = andon.get("/metrics");
    assert!(metrics.contains("andon_publish_connected 1"), "{metrics}");
    andon.stop();
    assert_eq!(shop.history().count("SELECT count(*) AS count FROM quarantine"), 0);
    a_replay_says_the_same(&shop);
}

/// What a topic says within so many seconds, beginning with what is retained.
fn heard(port: u16, topic: &str, seconds: u32) -> std::thread::JoinHandle<Vec<Value>> {
    let mut command = mosquitto("mosquitto_sub", port);
    command.args(["-t", topic, "-q", "1", "-W", &seconds.to_string(), "-F", "%p"]);
    std::thread::spawn(move || {
        let output = command.stderr(Stdio::null()).output().expect("mosquitto_sub");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    })
}

#[test]
fn a_technicians_device_hears_what_the_tool_reads_and_what_is_missing_once_a_second() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    configure(&shop, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    begin_work(&mut work);
    let missing = |told: &Value| told["steps"][0]["expected"][0]["missing"].clone();
    until("the device knows what is expected", 20, || {
        let told = retained(broker.port, DEVICE).unwrap_or_default();
        if missing(&told) == 5 { Ok(()) } else { Err(told) }
    });

    // Fifty readings a second, four of them of a joint.
    let told = heard(broker.port, DEVICE, 6);
    for number in 0..250 {
        if number % 50 == 0 && number < 200 {
            work.reading("bay-01", "wrench_7", "torque", 85.0 + f64::from(number) / 50.0);
        }
        work.reading("bay-01", "pump_1", "temperature", f64::from(number));
        work.settle();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let told = told.join().expect("it listens");
    assert!((2..=8).contains(&told.len()), "told {} times in 6 s", told.len());
    let last = until("four of five are counted", 20, || {
        work.reading("bay-01", "pump_1", "temperature", 20.0);
        work.settle();
        let told = retained(broker.port, DEVICE).unwrap_or_default();
        if missing(&told) == 1 { Ok(told) } else { Err(told) }
    });
    let newest = &last["steps"][0]["expected"][0]["newest"];
    assert_eq!(
        (&newest["value"], &newest["unit"], &newest["spec_max"], &newest["within_spec"]),
        (&json!(88.0), &json!("N.m"), &json!(95.0), &json!(true)),
        "{last}"
    );
    let oil = json!([{"resource": "oil_5w30", "quantity": 0.0, "planned": 4.2, "unit": "L"}]);
    assert_eq!(last["steps"][0]["resources"], oil, "{last}");
    andon.stop();
}

#[test]
fn a_lamp_shows_what_the_mirror_knows_and_a_standby_lets_it_be_until_it_leads() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (mirror, lyon, paris) = regions(&broker, "");
    configure(&lyon, "");
    configure(&paris, "");
    let (mut leader, mut standby) = begin(&lyon, &paris);
    let mut work = Work::on(broker.port);
    begin_work(&mut work);
    until_lamp(broker.port, "green");

    // While the mirror is away nobody else could know of the exception: the lamp does not show it.
    let (there, aside) = (mirror.path().join("mirror"), mirror.path().join("aside"));
    std::fs::rename(&there, &aside).expect("renamed");
    std::fs::write(&there, b"").expect("written");
    leader.until_not_ready(&["is not reachable"]);
    load(&mut work, 1_720.0);
    until("the leader knows of it", 20, || {
        let open = leader.json("/api/v1/status")["exceptions_open"].clone();
        if open == 1 { Ok(()) } else { Err(open) }
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(retained(broker.port, LAMP).expect("a state")["state"], "green");
    std::fs::remove_file(&there).expect("removed");
    std::fs::rename(&aside, &there).expect("renamed");
    until_lamp(broker.port, "red");

    // Somebody takes the state from the broker: the leader is gone, and a standby says nothing.
    until("the standby knows of it", 20, || {
        let open = standby.json("/api/v1/status")["exceptions_open"].clone();
        if open == 1 { Ok(()) } else { Err(open) }
    });
    leader.kill();
    let taken = mosquitto("mosquitto_pub", broker.port).args(["-t", LAMP, "-q", "1", "-r", "-n"]).status();
    assert!(taken.expect("mosquitto_pub").success());
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(retained(broker.port, LAMP), None);
    promote(&mut standby, &paris);
    standby.until_ready();
    until_lamp(broker.port, "red");
    standby.stop();
    a_replay_says_the_same(&paris);
}
