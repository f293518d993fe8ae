use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{CrashStorage, DiskStorage, PowerCut, Storage, StorageWriter, is_full};

/// Both storages, with a folder of their own.
fn each(check: impl Fn(&dyn Storage, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    check(&DiskStorage, folder.path());
    let storage = CrashStorage::new(1);
    storage.create_folder(Path::new("/data")).unwrap();
    check(&storage, Path::new("/data"));
}

fn in_memory() -> (CrashStorage, PathBuf) {
    (CrashStorage::new(7), PathBuf::from("/file"))
}

#[test]
fn a_file_holds_what_was_written_where() {
    each(|storage, folder| {
        let path = folder.join("file");
        let file = storage.open_write(&path).unwrap();
        file.preallocate(100).unwrap();
        file.write_at(10, b"abc").unwrap();
        file.sync_data().unwrap();
        assert_eq!(file.len().unwrap(), 100);
        let mut buffer = [9; 200];
        assert_eq!(file.read_at(9, &mut buffer).unwrap(), 91, "the file ends");
        assert_eq!(buffer[..5], [0, b'a', b'b', b'c', 0]);
        file.preallocate(50).unwrap();
        assert_eq!(file.len().unwrap(), 100, "room is only ever added");
        file.set_len(12).unwrap();
        assert_eq!(storage.read(&path).unwrap()[9..], *b"\0ab");
        file.set_len(14).unwrap();
        assert_eq!(storage.open(&path).unwrap().read_at(10, &mut buffer).unwrap(), 4);
        assert_eq!(buffer[..4], *b"ab\0\0", "what was cut off does not come back");
    });
}

#[test]
fn names_come_and_go() {
    each(|storage, folder| {
        let inner = folder.join("a/b");
        storage.create_folder(&inner).unwrap();
        storage.create_folder(&inner).unwrap();
        storage.create(&inner.join("two"), b"2").unwrap();
        storage.create(&inner.join("one"), b"1").unwrap();
        storage.create(&inner.join("one"), b"replaced").unwrap();
        assert_eq!(storage.list(&inner).unwrap(), [inner.join("one"), inner.join("two")]);
        assert_eq!(storage.list(folder).unwrap(), [folder.join("a")]);

        storage.rename(&inner.join("two"), &inner.join("one")).unwrap();
        storage.rename(&folder.join("a"), &folder.join("c")).unwrap();
        assert_eq!(storage.read(&folder.join("c/b/one")).unwrap(), "2");
        assert!(storage.remove(&folder.join("c")).is_err(), "a folder with something in it stays");
        storage.remove(&folder.join("c/b/one")).unwrap();
        storage.remove(&folder.join("c/b")).unwrap();
        assert!(storage.list(&folder.join("c")).unwrap().is_empty());
    });
}

#[test]
fn what_is_written_over_a_longer_file_ends_where_it_ends() {
    each(|storage, folder| {
        let path = folder.join("file");
        let mut of_file: Vec<u8> = Vec::new();
        for len in [3, 3 << 20, 2 << 20, (2 << 20) + 1, 0, 7] {
            of_file = (0..len).map(|at: usize| (at % 251) as u8 ^ of_file.len() as u8).collect();
            storage.write(&path, &of_file).unwrap();
            assert!(storage.read(&path).unwrap() == of_file, "{len} bytes");
        }
    });
}

#[test]
fn a_full_disk_takes_what_is_written_over_as_much() {
    let storage = CrashStorage::new(1);
    let path = Path::new("/file");
    storage.write(path, b"as much as this").unwrap();
    storage.set_full(true);
    storage.write(path, b"no more").unwrap();
    assert_eq!(storage.read(path).unwrap(), "no more");
    assert!(is_full(&storage.write(path, b"a little more").unwrap_err()));
}

#[test]
fn a_second_name_is_given_once_and_is_the_same_file() {
    each(|storage, folder| {
        let [one, two, three] = ["one", "two", "three"].map(|name| folder.join(name));
        storage.write(&one, b"1").unwrap();
        storage.write(&three, b"3").unwrap();
        assert!(storage.link_unsynced(&one, &two).unwrap());
        assert!(!storage.link_unsynced(&three, &two).unwrap(), "it is taken");
        storage.remove(&one).unwrap();
        assert_eq!(storage.read(&two).unwrap(), "1");
        assert!(storage.modified_ms(&two).unwrap() > 0);
        assert!(storage.link_unsynced(&one, &folder.join("four")).is_err(), "there is no file");
    });
}

#[test]
fn an_error_says_what_failed_on_what() {
    each(|storage, folder| {
        let path = folder.join("missing");
        let error = storage.read(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.starts_with(&format!("could not read `{}`: ", path.display())), "{text}");
        assert!(storage.open(&path).is_err());
        assert!(storage.create(&folder.join("no/folder"), b"").is_err());
    });
}

#[test]
fn a_lock_has_one_holder() {
    each(|storage, folder| {
        let path = folder.join("lock");
        let held = storage.lock(&path).unwrap();
        assert_eq!(storage.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        storage.lock(&path).unwrap();
    });
}

#[test]
fn a_writer_appends() {
    each(|storage, folder| {
        let path = folder.join("file");
        let mut writer = StorageWriter::new(storage.open_write(&path).unwrap());
        writer.write_all(b"ab").unwrap();
        writer.write_all(b"cd").unwrap();
        writer.file().sync_data().unwrap();
        assert_eq!((writer.position(), &storage.read(&path).unwrap()[..]), (4, &b"abcd"[..]));
    });
}

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let (storage, path) = in_memory();
    let file = storage.open_write(&path).unwrap();
    file.write_at(0, b"synced").unwrap();
    file.sync_data().unwrap();
    file.write_at(0, b"unsure").unwrap();
    storage.cut_power(PowerCut::LoseUnsynced);
    assert!(storage.read(&path).is_err(), "nothing works without power");
    storage.restart();
    assert_eq!(storage.read(&path).unwrap(), "synced");
    assert!(file.write_at(0, b"ghost").is_err(), "the process is gone");
}

#[test]
fn a_power_cut_can_keep_any_sectors_of_what_was_not_synced() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let storage = CrashStorage::new(seed);
        let file = storage.open_write(Path::new("/file")).unwrap();
        file.preallocate(1024).unwrap();
        file.sync_data().unwrap();
        file.write_at(500, &[1; 24]).unwrap();
        storage.cut_power(PowerCut::KeepSome);
        storage.restart();
        let content = storage.read(Path::new("/file")).unwrap();
        outcomes.insert((content[500..512] == [1; 12], content[512..524] == [1; 12]));
    }
    assert_eq!(outcomes.len(), 4, "none, the first, the second, both");
}

#[test]
fn a_failed_sync_loses_what_it_should_have_kept() {
    let (storage, path) = in_memory();
    let file = storage.open_write(&path).unwrap();
    file.write_at(0, b"lost").unwrap();
    storage.fail_at(storage.calls() + 1, io::ErrorKind::Other);
    assert!(file.sync_data().is_err());
    file.sync_data().expect("the second sync says that all is well");
    assert_eq!(storage.read(&path).unwrap(), "lost", "and so it looks");
    storage.cut_power(PowerCut::LoseUnsynced);
    storage.restart();
    assert_eq!(storage.read(&path).unwrap(), "");
}

#[test]
fn a_full_storage_takes_what_needs_no_more_room() {
    let (storage, path) = in_memory();
    let file = storage.open_write(&path).unwrap();
    file.preallocate(10).unwrap();
    storage.set_full(true);
    file.write_at(0, b"0123456789").unwrap();
    assert!(is_full(&file.write_at(1, b"0123456789").unwrap_err()));
    assert!(is_full(&file.preallocate(11).unwrap_err()));
    assert!(is_full(&storage.create(Path::new("/other"), b"1").unwrap_err()));
    storage.set_full(false);
    file.preallocate(11).unwrap();
}
