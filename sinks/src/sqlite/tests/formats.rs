//! `fixtures/formats/store-VERSION`: a store of each version that left its rows in it. The crate `pipelines` says what to do
//! when the version is raised.

use std::path::{Path, PathBuf};

use super::*;

/// Stores of these versions are kept; the last is the current one.
const VERSIONS: [&str; 2] = ["3", "4"];

fn fixture(version: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats");
    folder.join(format!("store-{version}")).join("andon.db")
}

async fn write(url: &str, to: &Path) {
    let mut sink = SqliteSink::open(url).await.expect("opens");
    committed(&mut sink, 1, &[exception("e1", "high", "active", None), usage(4.2, 1)]).await;
    drop(sink);
    std::fs::create_dir_all(to.parent().expect("it has a folder")).expect("a folder");
    let mut connection = SqliteConnection::connect(url).await.expect("connects");
    let copy = format!("VACUUM INTO '{}'", to.display());
    sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.expect("copied");
}

#[tokio::test]
async fn a_store_of_each_version_opens_becomes_one_of_the_current_and_takes_rows() {
    let current = VERSIONS[VERSIONS.len() - 1];
    for kept in VERSIONS {
        let folder = tempfile::tempdir().expect("a folder");
        let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        if std::env::var_os("UPDATE_EXPECT").is_some() && kept == current && !fixture(kept).exists() {
            write(&url("new.db"), &fixture(kept)).await;
        }
        let url = url("andon.db");
        let file = folder.path().join("andon.db");
        std::fs::copy(fixture(kept), file).expect("UPDATE_EXPECT=1 writes what is not there");
        let version = "SELECT CAST(user_version AS TEXT) FROM pragma_user_version";
        assert_eq!(texts(&url, version).await, [kept]);
        let mut sink = SqliteSink::open(&url).await.expect("opens");
        assert_eq!(texts(&url, version).await, [current], "raise `VERSIONS` with the migrations");
        committed(&mut sink, 2, &[exception("e1", "high", "cleared", Some(1_795_332_950_000))]).await;
        assert_eq!(texts(&url, "SELECT state FROM exceptions").await, ["cleared"]);
        assert_eq!(texts(&url, "SELECT CAST(quantity AS TEXT) FROM usage").await, ["4.2"]);
    }
}
