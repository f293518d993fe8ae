//! Whatever comes, both databases hold the same rows.

use arrow::array::Int64Array;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::connection::Dialect;
use super::super::tables::{Column, Kind, Table};
use super::*;

/// A row of few keys: which table, key, revision, and what the rest is made of.
type Row = (usize, i64, i64, i64);

fn row() -> impl Strategy<Value = Row> {
    (0..TABLES.len(), 0..3i64, 1..4i64, 0..1_000i64)
}

fn emitted((table, key, revision, salt): &Row) -> Emission {
    let table = &TABLES[*table];
    let columns = table.columns.iter();
    let columns = columns.map(|column| (column.streamed(), value(table, column, *key, *revision, *salt)));
    emission(table.name, columns.collect())
}

fn value(table: &Table, column: &Column, key: i64, revision: i64, salt: i64) -> ArrayRef {
    let number = match column.streamed() {
        "revision" => revision,
        _ if table.is_key(column) => key,
        _ => salt,
    };
    match column.kind {
        Kind::Text
            if ["joint", "pset", "note", "tool", "lot"].contains(&column.streamed()) && salt % 3 == 0 =>
        {
            name(None)
        }
        Kind::Text => name(Some(&format!("{} {number}", column.streamed()))),
        Kind::Json => name(Some(&format!("{{\"b\": {number},  \"a\":[1.50, \"é\\u0000\"]}}"))),
        Kind::Integer => Arc::new(Int64Array::from(vec![number])),
        Kind::Flag => Arc::new(BooleanArray::from(vec![number % 2 == 0])),
        Kind::Real => Arc::new(Float64Array::from(vec![number as f64 / 7.0])),
        Kind::Time => time(Some(1_795_332_840_123 + number)),
    }
}

/// All rows of a table in a stated order.
async fn all(store: &Store, table: &Table) -> Vec<serde_json::Value> {
    let sql = |dialect: Dialect| {
        // Both are read under the names of SQLite.
        let key = table.key(Dialect::Sqlite).replace("ifnull", "coalesce");
        AssertSqlSafe(format!("SELECT * FROM {} ORDER BY {key}", table.as_read(dialect)))
    };
    macro_rules! rows {
        ($connection:expr, $dialect:expr) => {{
            let rows = sqlx::query(sql($dialect)).fetch_all(&mut $connection).await.expect("a good query");
            rows.iter().map(|row| reader::object(row).expect("known types")).collect()
        }};
    }
    match &store.address.place {
        Place::Sqlite(options) => {
            let mut connection = super::super::sqlite::connect_to_read(options).await.expect("connects");
            rows!(connection, Dialect::Sqlite)
        }
        Place::Postgres(options) => {
            let mut connection = super::super::postgres::connect_to_read(options).await.expect("connects");
            rows!(connection, Dialect::Postgres)
        }
    }
}

proptest! {
    // Each has a database of its own.
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_both_hold_the_same_rows(epochs in vec(vec(row(), 0..60), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let stores = Store::each();
            for store in &stores {
                let mut sink = store.open().await;
                for (rows, epoch) in epochs.iter().zip(1..) {
                    committed(&mut sink, epoch, &rows.iter().map(emitted).collect::<Vec<_>>()).await;
                }
            }
            for table in &TABLES {
                let [sqlite, postgres] = [all(&stores[0], table).await, all(&stores[1], table).await];
                assert_eq!(sqlite, postgres, "{}", table.name);
            }
        });
    }
}
