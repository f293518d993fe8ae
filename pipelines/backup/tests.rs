use super::proof::place_of;
use super::*;

fn contents(files: Vec<Copied>) -> Contents {
    Contents {
        format: FORMAT,
        version: "0.1.0".into(),
        at_ms: 1_772_445_600_000,
        epoch: 2,
        resume_at: 300,
        state_hash: "51c0".into(),
        exports: true,
        first_offset: 1,
        next_offset: 320,
        next_message: 4_712,
        files,
    }
}

fn put(folder: &Path, text: &str) -> Result<Contents, BackupError> {
    std::fs::write(folder.join(MANIFEST), text).expect("written");
    Contents::read(folder)
}

#[test]
fn a_manifest_reads_back_and_no_changed_letter_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Copied { path: "store/andon.db".into(), bytes: 4, hash: "9f3c".into() };
    let whole = contents(vec![file]);
    let text = whole.text();
    assert_eq!(put(folder.path(), &text).expect("reads"), whole);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let changed = String::from_utf8_lossy(&bytes).into_owned();
        assert!(put(folder.path(), &changed).is_err(), "letter {at}");
    }
}

#[test]
fn a_backup_of_a_version_to_come_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = Contents { format: FORMAT + 1, ..contents(Vec::new()) }.text();
    let error = put(folder.path(), &text).expect_err("newer").to_string();
    assert!(error.contains("format 2") && error.contains("upgrade"), "{error}");
}

#[test]
fn a_folder_without_a_manifest_is_no_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Contents::read(folder.path()).expect_err("none").to_string();
    assert!(error.contains("is no backup"), "{error}");
}

#[test]
fn a_manifest_names_no_file_outside_of_its_folder() {
    let place = |path: &str| place_of(Path::new("/srv/backup"), path).ok();
    assert_eq!(place("export/steps/date=2026-11-26/site=a b/part-000001.parquet").map(|_| ()), Some(()));
    for path in ["../etc/passwd", "export/../../x", "/etc/passwd", "", "export//x", "./x", "a\\..\\b"] {
        assert_eq!(place(path), None, "{path}");
    }
}
