//! A disk without room.

use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::tight_disk::TightDisk;
use crate::work::Work;
use crate::{alone, each_reading_is_there_once, job, until_exported};

#[test]
fn a_full_disk_is_waited_for_and_loses_nothing() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "segment_bytes = \"1MiB\"");
    let Some(disk) = TightDisk::mount(&shop.data(), "40m") else { return };
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..100 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);

    disk.fill();
    for number in 100..600 {
        job(&mut work, number);
    }
    work.settle();
    let reason = andon.until_not_ready(&["no space"]);
    eprintln!("with a full disk: {}", reason.trim());
    assert!(reason.contains(&shop.data().display().to_string()), "it names the place: {reason}");
    let counts = andon.counts();
    assert!(counts.get("applied") <= work.readings, "{counts:?}");

    disk.free();
    andon.until_ready();
    until_exported(&mut andon, &shop, &work);
    let counts = andon.counts();
    assert_eq!(counts.get("applied"), work.readings, "{counts:?}");
    assert_eq!(counts.get("shed"), 0, "{counts:?}");

    // Once more, and somebody stops it rather than make room.
    disk.fill();
    for number in 600..900 {
        job(&mut work, number);
    }
    work.settle();
    andon.until_not_ready(&["no space"]);
    andon.ask_to_stop();
    let status = andon.ended(30);
    eprintln!("stopped with a full disk: {status}");
    assert!(status.code().is_some(), "it ended by itself, with {status}");
    // Started on the full disk it says what it waits for, and goes on once there is room.
    let mut andon = Andon::run(&shop);
    let reason = andon.until_not_ready(&["no space"]);
    eprintln!("started on a full disk: {}", reason.trim());
    disk.free();
    andon.until_ready();
    until_exported(&mut andon, &shop, &work);
    let counts = andon.counts();
    assert_eq!(counts.get("applied"), work.readings, "{counts:?}");
    andon.stop();
    each_reading_is_there_once(&shop.history(), &work);
}
