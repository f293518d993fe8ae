//! Killed again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::andon::Andon;
use crate::cut_wire::{CutWire, HERE, THERE};
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{
    a_replay_says_the_same, alone, each_reading_is_there_once, job, the_store_says_the_same, until_exported,
};

#[test]
fn acknowledged_messages_are_exported_once_however_often_andon_is_killed() {
    let _alone = alone();
    let kills = often("ANDON_KILLS", 20);
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::patient("andon", broker.port);
    // Another service, which nobody disturbs, hears the same.
    let twin_shop = Shop::patient("twin", broker.port);
    let mut twin = Andon::run(&twin_shop);
    twin.until_ready();
    // The broker keeps messages for those who have subscribed.
    let mut andon = Andon::run(&shop);
    andon.until_ready();

    let over = AtomicBool::new(false);
    let mut rng = fastrand::Rng::with_seed(20_261_122);
    let work = std::thread::scope(|scope| {
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
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(rng.u64(300..1500)));
            andon.kill();
            andon = Andon::run(&shop);
        }
        over.store(true, Ordering::SeqCst);
        publisher.join().expect("the publisher")
    });

    until_exported(&mut andon, &shop, &work);
    until_exported(&mut twin, &twin_shop, &work);
    let counts = andon.counts();
    andon.stop();
    twin.stop();
    let published = work.readings + work.events + work.nonsense;
    eprintln!(
        "killed {kills} times; published and acknowledged {published} messages; journaled {}, {} of them twice; \
         decoded {}, undecodable {}; readings {} = applied {} + duplicates {} + quarantined {}",
        counts.get("messages"),
        counts.get("messages") - published,
        counts.get("decoded"),
        counts.get("undecodable"),
        counts.get("readings"),
        counts.get("applied"),
        counts.get("duplicates"),
        counts.get("quarantined"),
    );
    assert_eq!(counts.get("applied"), work.readings);
    assert_eq!(counts.get("quarantined"), 0);
    assert_eq!(counts.get("events_applied"), work.events);
    assert!(counts.get("undecodable") >= work.nonsense, "{counts:?}");
    let again = counts.get("duplicates") + counts.get("event_duplicates");
    let again = again + counts.get("undecodable") - work.nonsense;
    assert_eq!(counts.get("messages") - published, again, "what came twice was recognised: {counts:?}");
    each_reading_is_there_once(&shop.history(), &work);
    the_store_says_the_same(&shop);
    let figures = a_replay_says_the_same(&shop);
    assert_eq!(figures["rows"], work.readings);
    assert_eq!(figures["messages"], counts.get("messages"));
    let exceptions = shop.history().count("SELECT count(DISTINCT id) AS count FROM exceptions");
    assert_eq!(figures["exceptions"], exceptions);
    assert!(exceptions > 0, "there were rejects");
    let nonsense = shop.history().count("SELECT count(*) AS count FROM quarantine WHERE reason = 'not_json'");
    assert_eq!(nonsense, counts.get("undecodable"), "each undecodable message is in quarantine");
    the_undisturbed_twin_says_the_same(&shop, &twin_shop);
}

/// How often, by an environment variable.
pub(crate) fn often(variable: &str, usually: u64) -> u64 {
    std::env::var(variable).ok().and_then(|often| often.parse().ok()).unwrap_or(usually)
}

/// All that does not say when and in which order messages came: readings with their steps, the last word on each
/// window, and what was used.
fn the_undisturbed_twin_says_the_same(shop: &Shop, twin: &Shop) {
    for sql in [
        "SELECT ts, site, bay, tool, boot, seq, metric, value, text, unit, job, step, operation, technician, \
         spec_min, spec_max FROM telemetry ORDER BY site, bay, tool, metric, seq",
        "SELECT site, bay, tool, window_start, window_end, joints, mean, lowest, highest FROM (SELECT *, \
         row_number() OVER (PARTITION BY site, bay, tool, window_start ORDER BY revision DESC) AS place \
         FROM torque_per_minute) WHERE place = 1 ORDER BY site, bay, tool, window_start",
        "SELECT site, job, step, resource, quantity, unit, started, ended FROM (SELECT *, row_number() OVER \
         (PARTITION BY site, job, step, resource ORDER BY revision DESC) AS place FROM usage) \
         WHERE place = 1 ORDER BY site, job, step, resource",
    ] {
        let (killed, undisturbed) = (shop.history().rows(sql), twin.history().rows(sql));
        assert!(!undisturbed.is_empty(), "{sql} gives rows");
        let differs = killed.iter().zip(&undisturbed).find(|(one, other)| one != other);
        assert!(
            differs.is_none() && killed.len() == undisturbed.len(),
            "{} rows of the one that was killed, {} of the other; the first that differ: {differs:#?}\n{sql}",
            killed.len(),
            undisturbed.len()
        );
    }
}

#[test]
fn a_service_that_is_asked_to_stop_or_put_to_sleep_in_the_middle_of_work_goes_on_where_it_was() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..6 {
        job(&mut work, number);
        // Once it has told its address it hears signals; it may still be recovering.
        andon.address();
        andon.ask_to_stop();
        job(&mut work, number + 100);
        let status = andon.ended(30);
        assert!(status.success(), "it ended with {status}:\n{}", andon.log());
        andon = Andon::run(&shop);
    }
    for number in 10..13 {
        andon.until_ready();
        andon.sleep();
        job(&mut work, number);
        std::thread::sleep(Duration::from_secs(often("ANDON_SLEEP_S", 2)));
        andon.wake();
        job(&mut work, number + 100);
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);
    let counts = andon.counts();
    assert_eq!(counts.get("applied"), work.readings, "{counts:?}");
    assert_eq!(counts.get("quarantined"), 0, "time asleep is no reason to refuse a reading: {counts:?}");
    andon.stop();
    each_reading_is_there_once(&shop.history(), &work);
    a_replay_says_the_same(&shop);
}

#[test]
fn a_damaged_byte_of_the_journal_is_named_with_its_place_and_nothing_is_lost_once_it_is_mended() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    (0..10).for_each(|number| job(&mut work, number));
    work.settle();
    until_exported(&mut andon, &shop, &work);
    andon.kill();
    let segments = std::fs::read_dir(shop.data().join("journal")).expect("the journal");
    let segments = segments.map(|file| file.expect("a file").path());
    let newest = segments.filter(|path| path.extension().is_some_and(|end| end == "journal")).max();
    let newest = newest.expect("a segment");
    let whole = std::fs::read(&newest).expect("readable");
    let end = whole.iter().rposition(|byte| *byte != 0).expect("entries");
    // In the middle, and in the very last entry, behind which nothing says that it was whole.
    for at in [end / 2, end - 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&newest, bytes).expect("written");
        let status = Andon::run(&shop).ended(30);
        assert_eq!(status.code(), Some(1), "byte {at}");
        let log = std::fs::read_to_string(shop.folder().join("andon.log")).expect("a log");
        let name = newest.file_name().expect("a name").to_string_lossy();
        for word in ["damaged", &*name, "at byte", "put the file back"] {
            assert!(log.contains(word), "`{word}` is not in {log}");
        }
        std::fs::write(&newest, &whole).expect("written");
    }
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    (10..20).for_each(|number| job(&mut work, number));
    work.settle();
    until_exported(&mut andon, &shop, &work);
    andon.stop();
    each_reading_is_there_once(&shop.history(), &work);
    a_replay_says_the_same(&shop);
}

#[test]
fn a_wire_that_is_cut_and_mended_loses_nothing() {
    let _alone = alone();
    let Some(wire) = CutWire::lay() else { return };
    let elsewhere = format!("listener 18830 {HERE}\n");
    let Some(broker) = Mosquitto::start(&elsewhere) else { return };
    let shop = Shop::of("andon", HERE, 18_830, THERE, "");
    let mut andon = Andon::run_behind(&wire, &shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..3 {
        job(&mut work, number);
        wire.cut();
        job(&mut work, number + 100);
        std::thread::sleep(Duration::from_secs(often("ANDON_SLEEP_S", 2)));
        wire.mend();
        job(&mut work, number + 200);
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);
    andon.stop();
    each_reading_is_there_once(&shop.history(), &work);
    a_replay_says_the_same(&shop);
}
