//! What the store holds after commits, and what it says when it cannot.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::UInt32Type;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::*;
use crate::contract::steps;

mod alike;
mod balances;
mod formats;
mod ledger;
mod postgres;
#[path = "../../tests/support/postgres.rs"]
mod server;
mod sqlite;

use server::Server;

/// One for all tests of this program; each has a database of its own.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// An empty store.
pub(crate) struct Store {
    pub(crate) address: Address,
    /// Of an SQLite database.
    _folder: Option<tempfile::TempDir>,
    /// Of a PostgreSQL server.
    database: String,
}

impl Store {
    pub(crate) fn sqlite() -> Store {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::of_file(&folder.path().join("sub").join("store.db"));
        Store { address, _folder: Some(folder), database: String::new() }
    }

    pub(crate) fn postgres() -> Store {
        let database = SERVER.database();
        let address = Address::parse(&SERVER.url(&database), Path::new("")).expect("a good URL");
        Store { address, _folder: None, database }
    }

    fn each() -> [Store; 2] {
        [Store::sqlite(), Store::postgres()]
    }

    pub(crate) async fn open(&self) -> StoreSink {
        StoreSink::open(&self.address).await.expect("opens")
    }

    /// As if it had been replaced by a new one.
    fn clear(&self) {
        match self.address.file() {
            Some(file) => std::fs::remove_dir_all(file.parent().expect("in a folder")).expect("removed"),
            None => drop(SERVER.ask(&self.database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")),
        }
    }

    /// First column of a query's rows, as text.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        match &self.address.place {
            Place::Sqlite(options) => {
                let mut connection = super::sqlite::connect_to_read(options).await.expect("connects");
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("a good query");
                rows.iter().map(|row| row.get(0)).collect()
            }
            Place::Postgres(options) => {
                let mut connection = super::postgres::connect_to_read(options).await.expect("connects");
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("a good query");
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }
}

fn name(value: Option<&str>) -> ArrayRef {
    Arc::new([value].into_iter().collect::<DictionaryArray<UInt32Type>>())
}

fn time(ms: Option<i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(vec![ms]).with_timezone("UTC"))
}

fn emission(stream: &str, columns: Vec<(&str, ArrayRef)>) -> Emission {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let rows = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    Emission { stream: stream.into(), rows }
}

/// One revision of an exception.
fn exception(id: &str, severity: &str, state: &str, cleared_ms: Option<i64>) -> Emission {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let limit = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    emission(
        "exceptions",
        vec![
            ("row_id", text(&format!("{id}-{state}"))),
            ("id", text(id)),
            ("rule", name(Some("torque_out_of_spec"))),
            ("rule_version", name(Some("0123456789ab"))),
            ("severity", name(Some(severity))),
            ("site", name(Some("bern"))),
            ("bay", name(Some("bay-1"))),
            ("tool", name(None)),
            ("job", name(Some("J000123"))),
            ("step", name(Some("S04"))),
            ("raised", time(Some(1_795_332_840_123))),
            ("cleared", time(cleared_ms)),
            ("state", name(Some(state))),
            ("value", limit(Some(97.5))),
            ("limit_min", limit(None)),
            ("limit_max", limit(Some(95.5))),
            ("message", text("too tight")),
            ("evidence", text("{}")),
            ("operator_state", name(None)),
            ("operator_since", time(None)),
            ("actor", name(None)),
            ("operator_reason", name(None)),
            ("shelved_until", time(None)),
        ],
    )
}

fn usage(quantity: f64, revision: u32) -> Emission {
    let number = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    emission(
        "usage",
        vec![
            ("row_id", Arc::new(StringArray::from(vec![format!("usage-{revision}")]))),
            ("site", name(Some("bern"))),
            ("bay", name(Some("bay-1"))),
            ("job", name(Some("J000123"))),
            ("step", name(Some("S04"))),
            ("resource", name(Some("oil_5w30"))),
            ("quantity", number(quantity)),
            ("unit", name(Some("L"))),
            ("planned", number(4.0)),
            ("readings", Arc::new(UInt64Array::from(vec![12]))),
            ("started", time(Some(1_795_332_840_000))),
            ("ended", time(Some(1_795_333_440_000))),
            ("revision", Arc::new(UInt32Array::from(vec![revision]))),
            ("final", Arc::new(BooleanArray::from(vec![revision > 1]))),
        ],
    )
}

/// A revision of what a step measured of `joint`, or of all its joints.
fn check(joint: Option<&str>, counted: Option<u64>, revision: u32) -> Emission {
    let count = |count: Option<u64>| -> ArrayRef { Arc::new(UInt64Array::from(vec![count])) };
    let limit = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let row_id = format!("check-{}-{revision}", joint.unwrap_or_default());
    emission(
        "checks",
        vec![
            ("row_id", Arc::new(StringArray::from(vec![row_id]))),
            ("site", name(Some("bern"))),
            ("bay", name(Some("bay-1"))),
            ("job", name(Some("J000123"))),
            ("step", name(Some("S04"))),
            ("operation", name(Some("mount_wheels"))),
            ("technician", name(None)),
            ("metric", name(Some("torque"))),
            ("joint", name(joint)),
            ("pset", name(None)),
            ("class", name(Some("A"))),
            ("expected", count(Some(5))),
            ("counted", count(counted)),
            ("within", count(counted)),
            ("missing", count(counted.map(|counted| 5 - counted))),
            ("surplus", count(counted.map(|_| 0))),
            ("spec_min", limit(80.0)),
            ("spec_max", limit(95.0)),
            ("unit", name(Some("N.m"))),
            ("started", time(Some(1_795_332_840_000))),
            ("ended", time(Some(1_795_333_440_000))),
            ("revision", Arc::new(UInt32Array::from(vec![revision]))),
            ("final", Arc::new(BooleanArray::from(vec![true]))),
        ],
    )
}

async fn committed(sink: &mut StoreSink, epoch: u64, emissions: &[Emission]) {
    for emission in emissions {
        sink.write(emission).await.expect("writes");
    }
    let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
    sink.commit(Epoch(epoch), &receipt).await.expect("commits");
}

#[tokio::test]
async fn the_newest_state_of_an_exception_and_revision_of_a_booking_stay() {
    for store in Store::each() {
        let mut sink = store.open().await;
        let first =
            [exception("a", "high", "active", None), exception("b", "low", "active", None), usage(4.1, 2)];
        committed(&mut sink, 1, &first).await;
        let second = [
            exception("a", "high", "latched", None),
            exception("a", "high", "cleared", Some(1_795_332_900_000)),
            usage(3.0, 1),
            usage(4.25, 3),
        ];
        committed(&mut sink, 2, &second).await;
        let exceptions = store.texts("SELECT concat_ws(' ', id, state, raised, cleared, value, limit_max, coalesce(tool, '-'), epoch) \
             FROM exceptions_iso ORDER BY id",
        )
        .await;
        let expected = [
            "a cleared 2026-11-22T07:34:00.123Z 2026-11-22T07:35:00.000Z 97.5 95.5 - 2",
            "b active 2026-11-22T07:34:00.123Z 97.5 95.5 - 1",
        ];
        assert_eq!(exceptions, expected);
        let usage = store
            .texts("SELECT concat_ws(' ', resource, quantity, unit, revision, final, ended) FROM usage_iso")
            .await;
        assert_eq!(usage, ["oil_5w30 4.25 L 3 1 2026-11-22T07:44:00.000Z"]);
        let open = store.texts("SELECT id FROM exceptions_iso WHERE cleared_ms IS NULL").await;
        assert_eq!(open, ["b"]);
    }
}

#[tokio::test]
async fn the_newest_revision_of_a_check_counts_and_each_joint_has_its_own() {
    for store in Store::each() {
        let mut sink = store.open().await;
        let first = [check(None, None, 1), check(None, Some(3), 2), check(Some("J1"), Some(1), 1)];
        committed(&mut sink, 1, &first).await;
        committed(&mut sink, 2, &[check(None, Some(5), 3), check(Some(""), Some(0), 1)]).await;
        let checks = store.texts("SELECT concat_ws(' ', coalesce(joint, 'all'), counted, missing, revision, ended, epoch) FROM checks_iso \
             ORDER BY coalesce(joint, '-')",
        )
        .await;
        let expected = [
            " 0 5 1 2026-11-22T07:44:00.000Z 2",
            "all 5 0 3 2026-11-22T07:44:00.000Z 2",
            "J1 1 4 1 2026-11-22T07:44:00.000Z 1",
        ];
        assert_eq!(checks, expected);
    }
}

#[tokio::test]
async fn more_rows_than_memory_holds_are_staged_ahead_of_the_cut() {
    for store in Store::each() {
        let mut sink = store.open().await;
        for part in 0..6 {
            sink.write(&steps(part * 2_000, 2_000)).await.expect("writes");
        }
        assert!(sink.pending.len() <= PENDING_ROWS_MAX + 2_000);
        assert!(sink.staged_rows >= 6_000);
        // What is staged ahead is lost in a crash and comes again, once.
        drop(sink);
        let mut sink = store.open().await;
        let all: Vec<Emission> = (0..6).map(|part| steps(part * 2_000, 2_000)).collect();
        committed(&mut sink, 1, &all).await;
        let counts = store
            .texts("SELECT count(*) || ' ' || count(DISTINCT row_id) || ' ' || max(ts_ms) FROM steps_iso")
            .await;
        assert_eq!(counts, ["12000 12000 1795360799000"]);
        let staged = store.texts("SELECT count(*) || '' FROM staged_steps").await;
        assert_eq!(staged, ["0"]);
    }
}

#[tokio::test]
async fn another_journals_store_is_refused() {
    for store in Store::each() {
        let mut sink = store.open().await;
        committed(&mut sink, 1, &[steps(0, 3)]).await;
        committed(&mut sink, 2, &[steps(3, 3)]).await;
        drop(sink);
        let mut sink = store.open().await;
        sink.write(&steps(100, 5)).await.expect("writes");
        let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
        let error = sink.commit(Epoch(1), &receipt).await.expect_err("epoch 1 is another");
        assert!(!error.is_passing());
        assert!(error.to_string().contains("use an empty store"), "{error}");
        assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 6);
    }
}

#[tokio::test]
async fn a_store_that_was_put_back_from_an_older_copy_is_noticed() {
    for store in Store::each() {
        let mut sink = store.open().await;
        sink.write(&steps(0, 3)).await.expect("writes");
        let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
        drop(sink);
        store.clear();
        let mut sink = store.open().await;
        let error = sink.commit(Epoch(1), &receipt).await.expect_err("the staged rows are gone");
        assert!(error.to_string().contains("speaks of 3 rows of epoch 1 and the store holds 0"), "{error}");
    }
}

#[tokio::test]
async fn each_epoch_says_where_the_journal_goes_on_behind_it() {
    for store in Store::each() {
        let mut sink = store.open().await;
        for (epoch, resume_at) in [(1, 40), (2, 75)] {
            sink.write(&usage(4.0, epoch)).await.expect("writes");
            let receipt = sink.prepare(Epoch(u64::from(epoch)), Offset(resume_at)).await.expect("prepares");
            sink.commit(Epoch(u64::from(epoch)), &receipt).await.expect("commits");
        }
        let epochs = store.texts("SELECT concat_ws(' ', epoch, resume_at) FROM epochs ORDER BY epoch").await;
        assert_eq!(epochs, ["1 40", "2 75"]);
    }
}

fn item(number: u64) -> Emission {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    emission(
        "queue_items",
        vec![
            ("row_id", text(&format!("item-{number}"))),
            ("ts", time(Some(1_795_332_840_123))),
            ("queue", name(Some("billing"))),
            ("number", Arc::new(UInt64Array::from(vec![number]))),
            ("site", name(Some("bern"))),
            ("job", name(None)),
            ("kind", name(Some("labour"))),
            ("key", text(&format!("bern/J1/{number}"))),
            ("body", text(r#"{"amount":42.5}"#)),
            ("previous", text("")),
            ("hash", text("ab")),
        ],
    )
}

#[tokio::test]
async fn a_queue_is_read_from_an_offset_and_shows_what_is_committed_alone() {
    for store in Store::each() {
        let mut sink = store.open().await;
        for number in 1..=3 {
            sink.write(&item(number)).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(1), Offset(9)).await.expect("prepares");
        let question = |from| reader::Question::Queue { name: "billing".to_owned(), from, limit: 2 };
        let before = reader::ask(&store.address, &question(1)).await.expect("answers");
        assert!(before.is_empty(), "it is not committed: {before:?}");
        sink.commit(Epoch(1), &receipt).await.expect("commits");
        let offsets = |items: Vec<serde_json::Value>| -> Vec<Option<u64>> {
            items.iter().map(|item| item["offset"].as_u64()).collect()
        };
        let items = reader::ask(&store.address, &question(1)).await.expect("answers");
        assert_eq!(
            (&items[0]["body"]["amount"], &items[0]["job"]),
            (&serde_json::json!(42.5), &serde_json::Value::Null)
        );
        assert_eq!(offsets(items), [Some(1), Some(2)]);
        assert_eq!(offsets(reader::ask(&store.address, &question(3)).await.expect("answers")), [Some(3)]);
        store.clear();
        assert!(
            reader::ask(&store.address, &question(1)).await.is_err(),
            "a store that is not there is not made"
        );
    }
}
