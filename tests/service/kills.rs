//! Killed again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{
    a_replay_says_the_same, alone, each_reading_is_there_once, job, the_store_says_the_same, until_exported,
};

#[test]
fn acknowledged_messages_are_exported_once_however_often_andon_is_killed() {
    let _alone = alone();
    let kills = std::env::var("ANDON_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
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
    let counts = andon.counts();
    andon.stop();
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
}
