//! What holds of a store in a file alone.

use sqlx::Connection as _;

use super::*;

fn store() -> Store {
    Store::sqlite()
}

async fn connect(store: &Store) -> SqliteConnection {
    SqliteConnection::connect(&store.address.to_string()).await.expect("connects")
}

#[tokio::test]
async fn a_store_from_before_checks_gets_their_table_and_keeps_its_rows() {
    let store = store();
    let mut sink = store.open().await;
    committed(&mut sink, 1, &[usage(4.0, 1)]).await;
    drop(sink);
    let mut connection = connect(&store).await;
    let mut back = String::new();
    for table in ["checks", "balances", "ledger"] {
        back += &format!("DROP VIEW {table}_iso; DROP TABLE {table}; DROP TABLE staged_{table};");
    }
    back += "DROP VIEW job_steps_waiting; DROP VIEW invoice_totals;";
    for table in ["inspections", "job_steps", "invoice_lines", "job_cards", "queue_items"] {
        back += &format!("DROP TABLE {table}; DROP TABLE staged_{table};");
    }
    for table in ["exceptions", "staged_exceptions"] {
        for column in ["operator_state", "operator_since_ms", "actor", "operator_reason", "shelved_until_ms"]
        {
            back += &format!("ALTER TABLE {table} DROP COLUMN {column};");
        }
    }
    back += "DROP INDEX usage_by_job; PRAGMA user_version = 1";
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut connection).await.expect("as it was");
    connection.close().await.expect("closes");
    let mut sink = store.open().await;
    committed(&mut sink, 2, &[check(None, Some(5), 1)]).await;
    assert_eq!(store.texts("SELECT resource FROM usage").await, ["oil_5w30"]);
    assert_eq!(store.texts("SELECT metric FROM checks").await, ["torque"]);
}

#[tokio::test]
async fn a_locked_store_is_waited_for() {
    let store = store();
    let mut sink = store.open().await;
    sink.write(&steps(0, 3)).await.expect("writes");
    let mut other = connect(&store).await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("locks");
    let error = sink.prepare(Epoch(1), Offset(1)).await.expect_err("is locked");
    assert!(error.is_passing());
    assert!(
        error.to_string().ends_with("another program holds its lock; end that program or wait"),
        "{error}"
    );
    lock.rollback().await.expect("unlocks");
    let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
    sink.commit(Epoch(1), &receipt).await.expect("commits");
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 3);
}

#[tokio::test]
async fn a_full_store_is_waited_for() {
    let store = store();
    let mut sink = store.open().await;
    sink.write(&steps(0, 2_000)).await.expect("writes");
    let Some(Connection::Sqlite(connection)) = sink.connection.as_mut() else { panic!("is open") };
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(connection)
        .await
        .expect("SQLite takes the least it can");
    let error = sink.prepare(Epoch(1), Offset(1)).await.expect_err("is full");
    assert!(error.is_passing());
    assert!(error.to_string().ends_with("no space; make room there"), "{error}");
    // The failed connection is given up; the next has no such bound.
    let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
    sink.commit(Epoch(1), &receipt).await.expect("commits");
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 2_000);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_so() {
    let store = store();
    let folder = store.address.file().expect("a file").parent().expect("in a folder");
    std::fs::write(folder, "a file").expect("writes");
    let error = StoreSink::open(&store.address).await.expect_err("its folder is a file");
    assert!(error.is_passing(), "{error}");
}

#[tokio::test]
async fn the_usual_questions_have_an_index() {
    let store = store();
    store.open().await;
    let mut connection = connect(&store).await;
    let questions = [
        "SELECT * FROM exceptions WHERE cleared_ms IS NULL ORDER BY severity, raised_ms",
        "SELECT * FROM usage WHERE site = 'bern' AND job = 'J1'",
        "SELECT * FROM usage WHERE resource = 'oil_5w30' AND ended_ms > 0",
        "SELECT * FROM steps WHERE site = 'bern' AND bay = 'bay-1' ORDER BY ts_ms",
        "SELECT * FROM checks WHERE missing > 0 AND ended_ms > 0 ORDER BY ended_ms",
        "SELECT * FROM checks WHERE site = 'bern' AND job = 'J1'",
        // A job is asked for by its name alone, too.
        "SELECT * FROM usage WHERE job = 'J1'",
        "SELECT * FROM exceptions WHERE job = 'J1' ORDER BY raised_ms",
        "SELECT * FROM steps WHERE job = 'J1' ORDER BY ts_ms",
        "SELECT * FROM invoice_lines WHERE job = 'J1' AND coalesce(NULL, site) = site ORDER BY line",
        "SELECT * FROM queue_items WHERE job = 'J1' AND queue = 'audit' ORDER BY number",
        "SELECT site, job FROM ledger WHERE lot = 'D-0422' ORDER BY last_ts_ms, id",
        "SELECT * FROM ledger WHERE site = 'bern' AND job = 'J1'",
        "SELECT * FROM ledger WHERE resource = 'oil_5w30' AND last_ts_ms > 0 ORDER BY last_ts_ms, id",
        "SELECT * FROM ledger WHERE job IS NULL AND local_date = '2026-11-22'",
    ];
    for question in questions {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
        let plan = sqlx::query(sql).fetch_all(&mut connection).await.expect("a plan");
        let steps: Vec<String> = plan.iter().map(|row| row.get::<String, _>("detail")).collect();
        assert!(steps.iter().all(|step| step.contains("USING INDEX")), "{question}: {steps:?}");
    }
}

#[tokio::test]
async fn a_newer_programs_store_is_refused() {
    let store = store();
    store.open().await;
    let mut connection = connect(&store).await;
    sqlx::query("PRAGMA user_version = 99").execute(&mut connection).await.expect("sets");
    let error = StoreSink::open(&store.address).await.expect_err("is newer");
    assert!(error.to_string().ends_with("use the program that wrote it, or a newer one"), "{error}");
}
