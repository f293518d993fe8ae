//! A backup of a service that runs, and what becomes of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, ask, text};
use crate::work::Work;
use crate::{
    a_replay_says_the_same, alone, each_reading_is_there_once, job, the_store_says_the_same, until_exported,
};

/// For the replay in the end, which begins at the first message, however many there are by then.
const KEEP_ALL: &str = "[retention]\njournal = \"64GiB\"\n";

fn back_up(shop: &Shop, to: &Path) -> Value {
    try_back_up(shop, to).expect("a backup")
}

fn try_back_up(shop: &Shop, to: &Path) -> Result<Value, String> {
    let printed = ask(&["backup", "--config", text(&shop.config()), "--out", text(to), "--json"])?;
    Ok(serde_json::from_str(&printed).expect("JSON"))
}

fn proved(backup: &Path) -> Value {
    let printed = ask(&["restore", text(backup), "--verify", "--json"]);
    serde_json::from_str::<Value>(&printed.expect("it is proved")).expect("JSON")["proof"].clone()
}

#[test]
fn a_backup_of_a_busy_service_is_proved_and_goes_on_in_another_place() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, KEEP_ALL);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let over = AtomicBool::new(false);
    let backups = shop.folder().join("backups");
    let (mut work, before) = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut work = Work::on(broker.port);
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                job(&mut work, number);
                std::thread::sleep(Duration::from_millis(5));
            }
            work.settle();
            work
        });
        until("some epochs are shown", 30, || {
            let epoch = andon.json("/api/v1/status")["epoch"].as_u64().unwrap_or(0);
            if epoch >= 5 { Ok(()) } else { Err(epoch) }
        });
        let made: Vec<Result<Value, String>> =
            (0..4).map(|number| try_back_up(&shop, &backups.join(number.to_string()))).collect();
        let readiness = andon.get("/readyz");
        over.store(true, Ordering::SeqCst);
        let work = publisher.join().expect("the publisher");
        assert_eq!(readiness.0, 200, "it takes messages all the while: {}", readiness.1);
        (work, made.into_iter().map(|made| made.expect("a backup")).collect::<Vec<Value>>())
    });
    until_exported(&mut andon, &shop, &work);
    for (number, made) in before.iter().enumerate() {
        let proof = proved(&backups.join(number.to_string()));
        assert_eq!(proof["state_hash"], made["state_hash"], "{made}");
        assert!(proof["compared_entries"].as_u64() > Some(0), "a checkpoint was computed again: {proof}");
        assert_eq!(proof["end_offset"], made["last_offset"]);
    }
    andon.stop();
    // Of one that is stopped, too. The last one is what goes on elsewhere, after the machine is gone.
    let last = backups.join("last");
    back_up(&shop, &last);
    proved(&last);

    let elsewhere = Shop::new(broker.port, KEEP_ALL);
    let restored = ask(&["restore", text(&last), "--config", text(&elsewhere.config()), "--verify"]);
    let restored = restored.expect("it is restored");
    assert!(restored.contains("give the state that the service had"), "{restored}");
    let mut andon = Andon::run(&elsewhere);
    andon.until_ready();
    (1_000..1_010).for_each(|number| job(&mut work, number));
    work.settle();
    until_exported(&mut andon, &elsewhere, &work);
    assert_eq!(andon.counts().get("applied"), work.readings);
    andon.stop();
    each_reading_is_there_once(&elsewhere.history(), &work);
    the_store_says_the_same(&elsewhere);
    a_replay_says_the_same(&elsewhere);

    // One that was made in the midst of work: what came after it is not in it, and what is in it is there once.
    let midst = Shop::new(broker.port, KEEP_ALL);
    ask(&["restore", text(&backups.join("1")), "--config", text(&midst.config())]).expect("it is restored");
    let mut andon = Andon::run(&midst);
    andon.until_ready();
    let counts = andon.counts();
    assert_eq!(Some(counts.get("messages")), before[1]["messages"].as_u64());
    until("all of it is exported", 60, || {
        let seen = midst.history().count_now("SELECT count(*) AS count FROM telemetry");
        if seen == Ok(counts.get("applied")) { Ok(()) } else { Err(seen) }
    });
    andon.stop();
    the_store_says_the_same(&midst);
    a_replay_says_the_same(&midst);
}

#[test]
fn a_backup_goes_into_empty_folders_alone_and_a_damaged_one_nowhere() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let backup = shop.folder().join("backup");
    let none =
        ask(&["backup", "--config", text(&shop.config()), "--out", text(&backup)]).expect_err("no journal");
    assert!(none.contains("there is no journal in"), "{none}");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    (0..5).for_each(|number| job(&mut work, number));
    work.settle();
    until_exported(&mut andon, &shop, &work);
    andon.kill();
    let made = back_up(&shop, &backup);
    assert!(made["files"].as_u64() > Some(5), "{made}");
    let again =
        ask(&["backup", "--config", text(&shop.config()), "--out", text(&backup)]).expect_err("not empty");
    assert!(again.contains("is not empty"), "{again}");

    let here = ask(&["restore", text(&backup), "--config", text(&shop.config())]).expect_err("not empty");
    assert!(here.contains("is not empty") && here.contains("nothing was changed"), "{here}");

    let elsewhere = Shop::new(broker.port, "");
    let segment = backup.join("journal").join(format!("{:020}.journal", 1));
    let whole = std::fs::read(&segment).expect("a segment");
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    for arguments in [["--verify"].as_slice(), &["--config", text(&elsewhere.config())]] {
        let error = ask(&[["restore", text(&backup)].as_slice(), arguments].concat()).expect_err("damaged");
        assert!(error.contains("is damaged") && error.contains("00000000000000000001.journal"), "{error}");
    }
    assert!(!elsewhere.data().join("journal").exists(), "nothing was put there");
    std::fs::write(&segment, whole).expect("written");
    ask(&["restore", text(&backup), "--config", text(&elsewhere.config()), "--verify"])
        .expect("it is whole again");
}
