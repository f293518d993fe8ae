//! `fixtures/formats/store-VERSION`: a store of each version that left its rows in it. The crate `pipelines` says what to do
//! when the version is raised.

use std::path::{Path, PathBuf};

use super::*;

/// Stores of these versions are kept; the last is the current one.
const VERSIONS: [&str; 6] = ["3", "4", "5", "6", "7", "8"];

fn fixture(version: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats");
    folder.join(format!("store-{version}")).join("andon.db")
}

async fn write(to: &Path) {
    let store = Store::sqlite();
    let mut sink = store.open().await;
    committed(&mut sink, 1, &[exception("e1", "high", "active", None), usage(4.2, 1)]).await;
    drop(sink);
    std::fs::create_dir_all(to.parent().expect("it has a folder")).expect("a folder");
    let copied = std::thread::scope(|scope| scope.spawn(|| copy(&store.address, to)).join());
    assert!(copied.expect("no panic").expect("copied"));
}

#[tokio::test]
async fn a_store_of_each_version_opens_becomes_one_of_the_current_and_takes_rows() {
    let current = VERSIONS[VERSIONS.len() - 1];
    for kept in VERSIONS {
        if std::env::var_os("UPDATE_EXPECT").is_some() && kept == current && !fixture(kept).exists() {
            write(&fixture(kept)).await;
        }
        let store = Store::sqlite();
        let file = store.address.file().expect("a file");
        std::fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
        std::fs::copy(fixture(kept), file).expect("UPDATE_EXPECT=1 writes what is not there");
        let version = "SELECT CAST(user_version AS TEXT) FROM pragma_user_version";
        assert_eq!(store.texts(version).await, [kept]);
        let mut sink = store.open().await;
        assert_eq!(store.texts(version).await, [current], "raise `VERSIONS` with the migrations");
        committed(&mut sink, 2, &[exception("e1", "high", "cleared", Some(1_795_332_950_000))]).await;
        assert_eq!(store.texts("SELECT state FROM exceptions").await, ["cleared"]);
        assert_eq!(store.texts("SELECT CAST(quantity AS TEXT) FROM usage").await, ["4.2"]);
    }
}
