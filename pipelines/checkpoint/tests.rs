use super::*;
use ingest::storage::DiskStorage;

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
    checkpoints.trim(Epoch(10)).expect("trims");
    assert_eq!(checkpoints.newest().expect("reads"), Some(checkpoint(10)));
    assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 2);
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
        checkpoints.trim(Epoch(epoch)).expect("trims");
        assert_eq!(kept(), left, "after epoch {epoch}");
    }
    // What is not shown yet is no part of it.
    checkpoints.put(&of(7, 9_000)).expect("writes");
    checkpoints.trim(Epoch(6)).expect("trims");
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
