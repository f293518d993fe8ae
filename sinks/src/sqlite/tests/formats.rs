//! `fixtures/formats/store-VERSION`: a store of each version that left its rows in it. The crate `pipelines` says what to do
//! when the version is raised.

use std::path::{Path, PathBuf};

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/formats/store-3/andon.db")
}

#[tokio::test]
async fn a_store_of_the_current_version_opens_and_takes_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("andon.db");
    let url = format!("sqlite:{}", file.display());
    if std::env::var_os("UPDATE_EXPECT").is_some() && !fixture().exists() {
        let mut sink = SqliteSink::open(&url).await.expect("opens");
        committed(&mut sink, 1, &[exception("e1", "high", "active", None), usage(4.2, 1)]).await;
        drop(sink);
        std::fs::create_dir_all(fixture().parent().expect("it has a folder")).expect("a folder");
        let mut connection = SqliteConnection::connect(&url).await.expect("connects");
        let copy = format!("VACUUM INTO '{}'", fixture().display());
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.expect("copied");
        std::fs::remove_file(&file).expect("removed");
    }
    std::fs::copy(fixture(), &file).expect("UPDATE_EXPECT=1 writes what is not there");
    let version = "SELECT CAST(user_version AS TEXT) FROM pragma_user_version";
    assert_eq!(
        texts(&url, version).await,
        ["3"],
        "a store that is opened is migrated; this one was not opened yet"
    );
    let mut sink = SqliteSink::open(&url).await.expect("opens");
    assert_eq!(
        texts(&url, version).await,
        ["3"],
        "with another number of migrations the fixture is one of before"
    );
    committed(&mut sink, 2, &[exception("e1", "high", "cleared", Some(1_795_332_950_000))]).await;
    assert_eq!(texts(&url, "SELECT state FROM exceptions").await, ["cleared"]);
    assert_eq!(texts(&url, "SELECT CAST(quantity AS TEXT) FROM usage").await, ["4.2"]);
}
