use std::sync::Arc;

use ingest::storage::{DiskStorage, Storage};

use super::folder::ROOM;
use super::*;

fn checkpoint(epoch: u64) -> Checkpoint {
    Checkpoint {
        epoch,
        resume_at: epoch * 10,
        version: "0".into(),
        engine: vec![1, 2, 3],
        receipts: BTreeMap::new(),
    }
}

#[test]
fn the_newest_is_found_and_old_ones_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    let checkpoints = CheckpointFolder::open(storage, folder.path(), 2).expect("opens");
    assert_eq!(checkpoints.newest().expect("reads"), None);
    for epoch in [1, 2, 10] {
        checkpoints.put(&checkpoint(epoch)).expect("writes");
    }
    checkpoints.trim(Epoch(10), Offset(1)).expect("trims");
    assert_eq!(checkpoints.newest().expect("reads"), Some(checkpoint(10)));
    assert_eq!(checkpoints.files().expect("lists").len(), 2);
}

#[test]
fn the_room_of_one_that_goes_is_that_of_the_next() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
    let of = |epoch: u64, bytes: usize| Checkpoint { engine: vec![7; bytes], ..checkpoint(epoch) };
    let file = |epoch| {
        let known = std::fs::metadata(checkpoints.path(epoch)).expect("it is there");
        (known.ino(), known.len())
    };
    for epoch in 1..=3 {
        checkpoints.put(&of(epoch, 5_000)).expect("writes");
    }
    let first = file(1).0;
    checkpoints.trim(Epoch(3), Offset(1)).expect("trims");
    checkpoints.put(&of(4, 300)).expect("writes");
    assert_eq!((file(4).0, file(4).1 < 5_000), (first, true));
    assert_eq!(checkpoints.newest().expect("reads"), Some(of(4, 300)));
    checkpoints.trim(Epoch(4), Offset(1)).expect("trims");
    // What another process left there may have a name beside it.
    let next = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
    next.put(&of(5, 100)).expect("writes");
    assert!(folder.path().join(ROOM).exists());
    next.trim(Epoch(5), Offset(1)).expect("trims");
    let names = std::fs::read_dir(folder.path()).expect("lists").count();
    assert_eq!((names, next.newest().expect("reads")), (3, Some(of(5, 100))));
}

#[test]
fn large_ones_are_fewer_and_two_stay_however_large() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 5).expect("opens");
    let checkpoints = checkpoints.bounded(7_000);
    let of = |epoch: u64, bytes: usize| Checkpoint { engine: vec![0; bytes], ..checkpoint(epoch) };
    let kept = || std::fs::read_dir(folder.path()).expect("lists").count();
    for (epoch, bytes, left) in
        [(1, 2_000, 1), (2, 2_000, 2), (3, 2_000, 3), (4, 2_000, 3), (5, 9_000, 2), (6, 10, 2)]
    {
        checkpoints.put(&of(epoch, bytes)).expect("writes");
        checkpoints.trim(Epoch(epoch), Offset(1)).expect("trims");
        assert_eq!(kept(), left, "after epoch {epoch}");
    }
    // What is not shown yet is no part of it.
    checkpoints.put(&of(7, 9_000)).expect("writes");
    checkpoints.trim(Epoch(6), Offset(1)).expect("trims");
    assert_eq!((kept(), checkpoints.newest().expect("reads").map(|newest| newest.epoch)), (3, Some(7)));
}

#[test]
fn one_of_a_version_to_come_is_refused_and_not_called_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
    let mut bytes = checkpoint(1).encode().expect("written");
    bytes[7] = b'2';
    checkpoints.put_bytes(1, &bytes).expect("writes");
    let error = checkpoints.newest().expect_err("newer").to_string();
    for words in ["`ANDONC02`", "start the Andon that wrote it", "checkpoint-00000000000000000001.andon"] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_changed_byte_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
    checkpoints.put(&checkpoint(1)).expect("writes");
    let path = folder.path().join(format!("checkpoint-{:020}.andon", 1));
    let mut bytes = std::fs::read(&path).expect("reads");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    let error = checkpoints.newest().expect_err("damaged").to_string();
    assert!(error.contains("hash does not fit"), "{error}");
}

/// Of a state of that version: its first byte.
fn of_version(epoch: u64, state: u8) -> Checkpoint {
    Checkpoint { engine: vec![state, 2, 3], ..checkpoint(epoch) }
}

#[test]
fn who_moves_back_a_version_goes_on_from_the_newest_that_is_known_or_from_the_first_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 3).expect("opens");
    let ours = u8::try_from(crate::engine::STATE_VERSION).expect("a small number");
    let epoch = |journal_from: u64| {
        checkpoints
            .newest_usable(Offset(journal_from))
            .map(|usable| usable.map(|checkpoint| checkpoint.epoch))
            .map_err(|error| error.to_string())
    };
    assert_eq!(epoch(1), Ok(None));
    for (number, state) in [(4, ours - 1), (5, ours), (6, ours + 1), (7, ours + 1)] {
        checkpoints.put(&of_version(number, state)).expect("writes");
    }
    let mut unknown = of_version(8, ours).encode().expect("written");
    unknown[7] = b'2';
    checkpoints.put_bytes(8, &unknown).expect("writes");
    assert_eq!((epoch(1), epoch(50)), (Ok(Some(5)), Ok(Some(5))));
    // The journal no longer reaches back to it.
    let error = epoch(51).expect_err("none serves");
    for words in ["00008.andon", "`ANDONC02`", "start the Andon that wrote it", "begins with entry 51"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    for number in [4, 5] {
        checkpoints.remove(Epoch(number)).expect("removed");
    }
    assert_eq!((epoch(1), epoch(2).is_err()), (Ok(None), true), "all is computed again");
    // One that is damaged is no other version.
    checkpoints.put_bytes(9, b"ANDONC01").expect("writes");
    assert!(epoch(1).expect_err("damaged").contains("move it away"));
}

#[test]
fn a_damaged_checkpoint_behind_a_whole_one_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 3).expect("opens");
    let ours = u8::try_from(crate::engine::STATE_VERSION).expect("a small number");
    checkpoints.put_bytes(1, b"no checkpoint").expect("writes");
    checkpoints.put(&of_version(2, ours)).expect("writes");
    let epoch = |journal_from: u64| {
        let usable = checkpoints.newest_usable(Offset(journal_from)).expect("one serves");
        usable.map(|checkpoint| checkpoint.epoch)
    };
    // A journal that begins behind it is another one, which is said where the two meet.
    assert_eq!((epoch(1), epoch(900)), (Some(2), Some(2)));
}

#[test]
fn the_newest_of_the_version_before_stays_while_the_journal_reaches_back_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = u8::try_from(crate::engine::STATE_VERSION).expect("a small number");
    let open = || CheckpointFolder::open(Arc::new(DiskStorage), folder.path(), 2).expect("opens");
    let before = open();
    for number in 1..=3 {
        before.put(&of_version(number, ours - 1)).expect("writes");
    }
    let kept = |checkpoints: &CheckpointFolder| {
        let files = checkpoints.files().expect("lists").into_iter();
        files.map(|path| checkpoints.read(&path).expect("reads").epoch).collect::<Vec<_>>()
    };
    // The upgrade, and a restart after it.
    let mut journal_from = 1;
    for (number, left) in [(4, [2, 3, 4].as_slice()), (5, &[3, 4, 5]), (6, &[3, 5, 6]), (7, &[3, 6, 7])] {
        let checkpoints = open();
        checkpoints.newest_usable(Offset(journal_from)).expect("one serves");
        checkpoints.put(&of_version(number, ours)).expect("writes");
        checkpoints.trim(Epoch(number), Offset(journal_from)).expect("trims");
        assert_eq!(kept(&checkpoints), left, "after epoch {number}");
        journal_from += 5;
    }
    let checkpoints = open();
    checkpoints.newest_usable(Offset(30)).expect("one serves");
    checkpoints.trim(Epoch(7), Offset(30)).expect("trims");
    assert_eq!(kept(&checkpoints), [3, 6, 7], "entry 30 is the first that it does not hold");
    checkpoints.trim(Epoch(7), Offset(31)).expect("trims");
    assert_eq!(kept(&checkpoints), [6, 7]);
}
