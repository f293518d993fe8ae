//! Started from the checkpoint before the newest.

use crate::andon::Andon;
use crate::mosquitto::Mosquitto;
use crate::shop::Shop;
use crate::work::Work;
use crate::{alone, each_reading_is_there_once, job, the_store_says_the_same, until_exported};

#[test]
fn a_damaged_checkpoint_is_named_and_without_it_the_one_before_serves() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    for number in 0..40 {
        job(&mut work, number);
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);
    let before = andon.counts();
    andon.stop();

    let checkpoints = std::fs::read_dir(shop.data().join("checkpoints")).expect("the checkpoints");
    let mut checkpoints: Vec<_> = checkpoints.map(|file| file.expect("a file").path()).collect();
    checkpoints.sort();
    let newest = checkpoints.pop().expect("there are some");
    assert!(!checkpoints.is_empty(), "{newest:?} is the only one");
    let mut bytes = std::fs::read(&newest).expect("readable");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&newest, bytes).expect("written");
    let mut andon = Andon::run(&shop);
    let status = andon.ended(30);
    assert_eq!(status.code(), Some(1));
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(andon.log().contains(&name) && andon.log().contains("move it away"), "{}", andon.log());

    std::fs::remove_file(&newest).expect("removed");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    for number in 40..60 {
        job(&mut work, number);
    }
    work.settle();
    until_exported(&mut andon, &shop, &work);
    let after = andon.counts();
    andon.stop();
    assert_eq!(after.get("applied"), work.readings, "before {before:?}, after {after:?}");
    each_reading_is_there_once(&shop.history(), &work);
    the_store_says_the_same(&shop);
}
