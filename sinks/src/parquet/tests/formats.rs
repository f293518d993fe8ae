//! `fixtures/formats/exports-VERSION`: what is shown, and the marker that says so. The crate `pipelines` says what to do when
//! the version is raised.

use super::*;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats").join(name)
}

async fn epoch(sink: &mut ParquetSink, number: u64, rows: RecordBatch) -> Result<(), SinkError> {
    sink.write(&emission("telemetry", rows)).await?;
    let receipt = sink.prepare(Epoch(number), Offset(number * 10)).await?;
    sink.commit(Epoch(number), &receipt).await
}

/// A copy of a fixture's files as the folder of an export.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, bytes) in files(&fixture(name)) {
        let path = match file.as_str() {
            "shown" => folder.path().join(".staging/shown"),
            file => folder.path().join(file),
        };
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("written");
    }
    folder
}

#[tokio::test]
async fn exports_of_the_current_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = ParquetSink::new(settings(folder.path(), Show::AtCut)).expect("opens");
    epoch(&mut sink, 1, rows(0, &["bern", "bern"])).await.expect("shown");
    epoch(&mut sink, 2, rows(2, &["bern"])).await.expect("shown");
    let mut written = files(folder.path());
    let marker = written.remove(".staging/shown").expect("a marker");
    if std::env::var_os("UPDATE_EXPECT").is_some() && !fixture("exports-2").exists() {
        for (name, bytes) in written.into_iter().chain([("shown".to_owned(), marker.clone())]) {
            let path = fixture("exports-2").join(name);
            std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("written");
        }
    }
    let kept = std::fs::read(fixture("exports-2/shown")).expect("UPDATE_EXPECT=1 writes what is not there");
    assert_eq!(kept, marker, "the marker's text");
    its_rows_are_known("exports-2").await;
}

/// Without a hash of its own.
#[tokio::test]
async fn exports_of_version_1() {
    its_rows_are_known("exports-1").await;
}

async fn its_rows_are_known(name: &str) {
    let folder = copied(name);
    let mut sink = ParquetSink::new(settings(folder.path(), Show::AtCut)).expect("opens");
    epoch(&mut sink, 2, rows(2, &["bern"])).await.expect("it is shown already");
    epoch(&mut sink, 3, rows(3, &["bern"])).await.expect("shown");
    let parts = files(folder.path());
    let parts = parts.iter().filter(|(name, _)| name.starts_with("telemetry/date="));
    let batches: Vec<RecordBatch> = parts.flat_map(|(_, bytes)| read(bytes.clone())).collect();
    assert_eq!(ids(&batches), ["row-0000", "row-0001", "row-0002", "row-0003"], "{name}: each once");
    let mut sink = ParquetSink::new(settings(copied(name).path(), Show::AtCut)).expect("opens");
    let error = epoch(&mut sink, 2, rows(7, &["bern"])).await.expect_err("other rows").to_string();
    assert!(error.contains("epoch 2 is shown there already"), "{error}");
}

#[test]
fn exports_of_a_version_to_come_are_refused() {
    let folder = copied("exports-2");
    let marker = folder.path().join(".staging/shown");
    let text = std::fs::read_to_string(&marker).expect("a marker");
    std::fs::write(&marker, text.replace("shown 2 ", "shown 3 ")).expect("written");
    let error = ParquetSink::new(settings(folder.path(), Show::AtCut)).expect_err("newer").to_string();
    assert!(error.contains("version 3") && error.contains("start the Andon that wrote it"), "{error}");
}
