//! A broker that comes and goes.

use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{a_replay_says_the_same, alone, each_reading_is_there_once, job, until_exported};

#[test]
fn andon_waits_for_a_broker_that_is_away_and_says_so() {
    let _alone = alone();
    let Some(mut broker) = Mosquitto::prepare("", "") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    let reason = andon.until_not_ready(&["failed"]);
    assert!(reason.contains(&format!("connecting to mqtt://127.0.0.1:{} failed", broker.port)), "{reason}");
    assert_eq!(andon.get("/livez").0, 200, "it is alive all the same");

    broker.run();
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..20 {
        job(&mut work, number);
    }
    work.settle();

    broker.stop();
    andon.until_not_ready(&["connecting to"]);
    broker.run();
    work.reconnect(broker.port);
    for number in 20..40 {
        job(&mut work, number);
    }
    work.settle();
    andon.until_ready();
    until_exported(&mut andon, &shop, &work);
    andon.stop();
    each_reading_is_there_once(&shop.history(), &work);
    a_replay_says_the_same(&shop);
}
