//! Two regions: one leads, the other follows its mirror and takes over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::andon::{Andon, until};
use crate::bucket::{BucketStore, SECRET_KEY};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, ask};
use crate::work::Work;
use crate::{
    a_replay_says_the_same, alone, each_reading_is_there_once, job, the_store_says_the_same, until_exported,
};

/// Two shops with one broker and one mirror, which is in the folder that comes with them.
pub(crate) fn regions(broker: &Mosquitto, more: &str) -> (tempfile::TempDir, Shop, Shop) {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = folder.path().join("mirror");
    let (lyon, paris) = regions_of(broker, &format!("url = \"file://{}\"\n{more}", mirror.display()));
    (folder, lyon, paris)
}

/// The same with these lines of `[mirror]`.
fn regions_of(broker: &Mosquitto, mirror: &str) -> (Shop, Shop) {
    let lines = format!("[mirror]\ncheckpoint_interval = \"3s\"\n{mirror}\n");
    (Shop::new(broker.port, &lines), Shop::new(broker.port, &lines))
}

fn run_standby(shop: &Shop) -> Andon {
    let config = shop.config();
    let config = config.to_str().expect("folders of tests have plain names");
    Andon::spawn(&["run", "--standby", "--config", config], &shop.folder().join("andon.log"))
}

/// The standby first, so that it follows from the first entry.
pub(crate) fn begin(leader: &Shop, standby: &Shop) -> (Andon, Andon) {
    let mut standby = run_standby(standby);
    standby.until_not_ready(&["nothing to follow yet"]);
    let mut leader = Andon::run(leader);
    leader.until_ready();
    standby.until_ready();
    (leader, standby)
}

fn until_role(andon: &mut Andon, role: &str) {
    until(&format!("it is a {role}"), 30, || {
        let status = andon.json("/api/v1/status");
        if status["role"] == role { Ok(()) } else { Err(status["not_ready"].to_string()) }
    });
}

/// Waits until the standby has compared its state with the leader's, and that was the same.
fn until_compared(andon: &mut Andon) {
    until("states have been compared", 30, || {
        let mirror = andon.json("/api/v1/status")["mirror"].clone();
        assert_eq!(mirror["state_differences"], 0, "{mirror}");
        if mirror["compared_epoch"].is_u64() { Ok(()) } else { Err(mirror) }
    });
}

pub(crate) fn promote(andon: &mut Andon, shop: &Shop) -> f64 {
    let (config, url) = (shop.config(), andon.url());
    let config = config.to_str().expect("folders of tests have plain names");
    let told = ask(&["standby", "promote", "--config", config, "--url", &url, "--json"]);
    let told = told.unwrap_or_else(|error| panic!("{error}\n{}", andon.log()));
    let told: serde_json::Value = serde_json::from_str(told.trim()).expect("JSON");
    told["seconds"].as_f64().expect("seconds")
}

#[test]
fn a_leader_is_killed_and_the_standby_goes_on_with_nothing_lost_or_doubled() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (_mirror, lyon, paris) = regions(&broker, "ack = \"mirrored\"");
    let (mut leader, mut standby) = begin(&lyon, &paris);
    until_role(&mut standby, "standby");

    let over = AtomicBool::new(false);
    let (work, seconds) = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let mut work = Work::on(broker.port);
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                job(&mut work, number);
                std::thread::sleep(Duration::from_millis(20));
            }
            work.settle();
            work
        });
        until_compared(&mut standby);
        let config = paris.config();
        let config = config.to_str().expect("folders of tests have plain names");
        let drilled = ask(&["standby", "drill", "--config", config, "--json"]);
        let drilled = drilled.unwrap_or_else(|error| panic!("{error}"));
        eprintln!("drilled: {}", drilled.trim());
        assert!(drilled.contains("\"state_hash\""), "{drilled}");
        leader.kill();
        let seconds = promote(&mut standby, &paris);
        std::thread::sleep(Duration::from_secs(1));
        over.store(true, Ordering::SeqCst);
        (publisher.join().expect("the publisher"), seconds)
    });
    eprintln!("promoted within {seconds:.3} s; {} readings published", work.readings);
    until_exported(&mut standby, &paris, &work);

    // The old leader comes back, finds another leading, and follows it.
    let mut back = Andon::run(&lyon);
    until_role(&mut back, "standby");
    back.until_ready();
    until_exported(&mut back, &lyon, &work);
    until_compared(&mut back);
    standby.stop();
    back.stop();
    for shop in [&lyon, &paris] {
        each_reading_is_there_once(&shop.history(), &work);
        the_store_says_the_same(shop);
        a_replay_says_the_same(shop);
    }
}

#[test]
fn a_leader_that_lives_on_steps_down_once_another_has_taken_over() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (_mirror, lyon, paris) = regions(&broker, "");
    let (mut lyons, mut pariss) = begin(&lyon, &paris);
    let mut work = Work::on(broker.port);
    for number in 0..20 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut pariss, &paris, &work);
    promote(&mut pariss, &paris);
    until_role(&mut lyons, "standby");
    assert!(lyons.log().contains("set aside"), "{}", lyons.log());
    for number in 20..40 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut pariss, &paris, &work);
    until_exported(&mut lyons, &lyon, &work);
    until_compared(&mut lyons);
    pariss.stop();
    lyons.stop();
    for shop in [&lyon, &paris] {
        each_reading_is_there_once(&shop.history(), &work);
        the_store_says_the_same(shop);
        a_replay_says_the_same(shop);
    }
}

/// Under `local` a leader acknowledges what the mirror does not have yet, and the broker forgets it. It is on the disk of
/// the machine that died, and comes with that.
#[test]
fn what_a_dead_leader_had_acknowledged_alone_comes_back_with_its_disk() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (mirror, lyon, paris) = regions(&broker, "");
    let text = std::fs::read_to_string(lyon.config()).expect("there");
    let slow = text.replace("[mirror]\n", "[mirror]\ninterval = \"1min\"\n");
    std::fs::write(lyon.config(), slow).expect("written");
    let (mut lyons, mut pariss) = begin(&lyon, &paris);
    let mut work = Work::on(broker.port);
    for number in 0..20 {
        job(&mut work, number);
    }
    work.settle();
    until("Lyon has all of it", 30, || {
        let counts = lyons.counts();
        if counts.get("readings") >= work.readings { Ok(()) } else { Err(counts) }
    });
    lyons.kill();
    promote(&mut pariss, &paris);
    until_role(&mut pariss, "primary");
    for number in 20..30 {
        job(&mut work, number);
    }
    work.settle();
    pariss.until_ready();
    let there = pariss.counts().get("readings");
    assert!(there < work.readings, "the mirror was fast: Paris has {there} of {}", work.readings);

    let mut back = Andon::run(&lyon);
    until_role(&mut back, "standby");
    until_exported(&mut pariss, &paris, &work);
    until_exported(&mut back, &lyon, &work);
    until_compared(&mut back);
    let forks = std::fs::read_dir(mirror.path().join("mirror/forks")).map_or(0, Iterator::count);
    assert_eq!(forks, 0, "what was taken is gone from the mirror");
    pariss.stop();
    back.stop();
    for shop in [&lyon, &paris] {
        each_reading_is_there_once(&shop.history(), &work);
        the_store_says_the_same(shop);
        a_replay_says_the_same(shop);
    }
}

#[test]
fn a_standby_takes_over_by_itself_when_the_lease_is_stale() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let more = "ack = \"mirrored\"\ntakeover = \"automatic\"\nlease = \"2s\"";
    let (_mirror, lyon, paris) = regions(&broker, more);
    let (mut leader, mut standby) = begin(&lyon, &paris);
    let mut work = Work::on(broker.port);
    for number in 0..20 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut standby, &paris, &work);
    leader.kill();
    let since_ms = work.now_ms();
    until_role(&mut standby, "primary");
    standby.until_ready();
    eprintln!("took over within {} ms of the kill, with a lease of 2 s", work.now_ms() - since_ms);
    for number in 20..30 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut standby, &paris, &work);
    standby.stop();
    each_reading_is_there_once(&paris.history(), &work);
    the_store_says_the_same(&paris);
    a_replay_says_the_same(&paris);
}

#[test]
fn a_mirror_that_is_away_keeps_messages_at_the_broker_and_loses_none() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    for ack in ["local", "mirrored"] {
        let (mirror, lyon, _) = regions(&broker, &format!("ack = \"{ack}\""));
        let mut leader = Andon::run(&lyon);
        leader.until_ready();
        let mut work = Work::on(broker.port);
        job(&mut work, 0);
        work.settle();
        until_exported(&mut leader, &lyon, &work);
        // A file in the folder's place: it can be neither read nor written.
        let (there, aside) = (mirror.path().join("mirror"), mirror.path().join("aside"));
        std::fs::rename(&there, &aside).expect("renamed");
        std::fs::write(&there, b"").expect("written");
        for number in 1..20 {
            job(&mut work, number);
        }
        work.settle();
        let wanted = if ack == "local" { "is not reachable" } else { "nothing is acknowledged" };
        let reason = leader.until_not_ready(&[wanted]);
        eprintln!("ack = {ack}, with the mirror away: {}", reason.trim());
        if ack == "local" {
            until("all is applied nevertheless", 30, || {
                let applied = leader.counts().get("applied");
                if applied == work.readings { Ok(()) } else { Err(applied) }
            });
        }
        let shown = lyon.history().count("SELECT count(*) AS count FROM telemetry");
        assert!(shown < work.readings, "what is not mirrored is not shown: {shown} of {}", work.readings);
        std::fs::remove_file(&there).expect("removed");
        std::fs::rename(&aside, &there).expect("renamed");
        leader.until_ready();
        until_exported(&mut leader, &lyon, &work);
        leader.stop();
        each_reading_is_there_once(&lyon.history(), &work);
        the_store_says_the_same(&lyon);
        a_replay_says_the_same(&lyon);
    }
}

#[test]
fn a_bucket_is_a_mirror_as_a_folder_is_and_may_be_away_in_between() {
    let _alone = alone();
    let (Some(broker), Some(mut store)) = (Mosquitto::start(""), BucketStore::start("shops")) else { return };
    let lines = format!("{}ack = \"mirrored\"\nretain = \"3s\"", store.lines("shops"));
    let (lyon, paris) = regions_of(&broker, &lines);
    let (mut leader, mut standby) = begin(&lyon, &paris);
    let mut work = Work::on(broker.port);
    for number in 0..20 {
        job(&mut work, number);
    }
    work.settle();
    until_compared(&mut standby);
    until_exported(&mut leader, &lyon, &work);
    assert!(store.listed("shops/andon/journal").contains(".chunk"), "{}", store.listed("shops/andon"));

    // With `mirrored` nothing is acknowledged while the bucket is away, and nothing is lost.
    store.kill();
    for number in 20..40 {
        job(&mut work, number);
    }
    let reason = leader.until_not_ready(&["nothing is acknowledged"]);
    eprintln!("with the bucket away: {}", reason.trim());
    assert!(reason.contains("s3://shops/andon"), "{reason}");
    store.run();
    leader.until_ready();
    work.settle();
    until_exported(&mut leader, &lyon, &work);
    until_exported(&mut standby, &paris, &work);

    leader.kill();
    let seconds = promote(&mut standby, &paris);
    eprintln!("promoted within {seconds:.3} s, the mirror in a bucket");
    for number in 40..60 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut standby, &paris, &work);
    let mut back = Andon::run(&lyon);
    until_role(&mut back, "standby");
    until_exported(&mut back, &lyon, &work);
    until_compared(&mut back);
    standby.stop();
    back.stop();
    for shop in [&lyon, &paris] {
        each_reading_is_there_once(&shop.history(), &work);
        the_store_says_the_same(shop);
        a_replay_says_the_same(shop);
        let log = std::fs::read_to_string(shop.folder().join("andon.log")).expect("a log");
        assert!(!log.contains(SECRET_KEY), "no log holds the key");
    }
}

#[test]
fn a_bucket_that_refuses_the_key_or_is_not_there_is_named_with_what_to_do() {
    let _alone = alone();
    let (Some(broker), Some(store)) = (Mosquitto::start(""), BucketStore::start("shops")) else { return };
    let wrong_key = store.lines("shops").replace("/secret_key", "/access_key");
    for (lines, wanted) in [(wrong_key, "mirror.access_key"), (store.lines("elsewhere"), "make the bucket")] {
        let (lyon, _) = regions_of(&broker, &lines);
        let mut leader = Andon::run(&lyon);
        let status = leader.ended(20);
        let log = leader.log();
        assert!(!status.success() && log.contains(wanted) && !log.contains(SECRET_KEY), "{log}");
        eprintln!("{}", log.lines().last().unwrap_or_default());
    }
}
