//! Started from the checkpoint before the newest.

use std::path::{Path, PathBuf};

use pipelines::checkpoint::Checkpoint;

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

    let mut checkpoints = checkpoints(&shop);
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

#[test]
fn the_version_before_goes_on_from_the_newest_checkpoint_that_it_knows_and_else_from_the_first_entry() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let mut work = Work::on(broker.port);
    let mut number = 0;
    let mut day = |work: &mut Work, known: &str| {
        let mut andon = Andon::run(&shop);
        andon.until_ready();
        for _ in 0..20 {
            job(work, number);
            number += 1;
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        work.settle();
        until_exported(&mut andon, &shop, work);
        let counts = andon.counts();
        assert_eq!(counts.get("applied"), work.readings, "{counts:?}");
        assert!(andon.log().contains(known), "{}", andon.log());
        andon.stop();
    };
    day(&mut work, "");
    // Two that a version to come has written: the one before them serves.
    let written = checkpoints(&shop);
    assert!(written.len() > 2, "{written:?}");
    written[1..].iter().for_each(|path| comes_of_the_next_version(path));
    day(&mut work, "goes on from the checkpoint before it");
    // All: the journal goes back to its first entry.
    checkpoints(&shop).iter().for_each(|path| comes_of_the_next_version(path));
    day(&mut work, "computes all again, from the journal's first entry");
    each_reading_is_there_once(&shop.history(), &work);
    the_store_says_the_same(&shop);
    // What it has written is its own again.
    let newest = checkpoints(&shop).pop().expect("there are some");
    let checkpoint = Checkpoint::decode(&std::fs::read(newest).expect("readable")).expect("a checkpoint");
    assert_eq!(u32::from(checkpoint.engine[0]), pipelines::engine::STATE_VERSION);
}

/// Files of the checkpoints, oldest first.
fn checkpoints(shop: &Shop) -> Vec<PathBuf> {
    let files = std::fs::read_dir(shop.data().join("checkpoints")).expect("the checkpoints");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "andon"));
    files.sort();
    files
}

/// The same file with a state of the next version, whose number stands at its front.
fn comes_of_the_next_version(path: &Path) {
    let bytes = std::fs::read(path).expect("readable");
    let mut checkpoint = Checkpoint::decode(&bytes).expect("a checkpoint");
    checkpoint.engine[0] += 1;
    std::fs::write(path, checkpoint.encode().expect("encoded")).expect("written");
}
