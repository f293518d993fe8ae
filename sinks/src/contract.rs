//! The contract of [`Sink`], run against the sinks that keep it by transactions of their own.
//!
//! A process ends by dropping its sink; what it leaves is what it told the file system and the receipts in its
//! checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::datatypes::{SchemaRef, UInt32Type};
use ingest::time::{Epoch, Offset};

use crate::emission::Emission;
use crate::parquet::{ParquetSettings, ParquetSink, Show, StreamSettings};
use crate::sink::{Receipt, Sink};
use crate::store::tests::Store;

/// A sink and a way to see what it shows.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Parquet,
    Sqlite,
    Postgres,
}

struct Place {
    kind: Kind,
    folder: tempfile::TempDir,
    store: Option<Store>,
}

impl Place {
    fn new(kind: Kind) -> Self {
        let store = match kind {
            Kind::Parquet => None,
            Kind::Sqlite => Some(Store::sqlite()),
            Kind::Postgres => Some(Store::postgres()),
        };
        Place { kind, folder: tempfile::tempdir().expect("a folder"), store }
    }

    async fn open(&self) -> Box<dyn Sink> {
        if let Some(store) = &self.store {
            return Box::new(store.open().await);
        }
        let stream =
            StreamSettings { name: "steps".to_owned(), schema: schema(), time_column: "ts".to_owned() };
        let settings = ParquetSettings::new(self.folder.path(), Show::AtCut, vec![stream]);
        Box::new(ParquetSink::new(settings).expect("opens"))
    }

    /// Row ids that others see, sorted.
    async fn shown(&self) -> Vec<String> {
        let mut ids = match &self.store {
            None => parquet_ids(&self.folder.path().join("steps")),
            Some(store) => store.texts("SELECT row_id FROM steps").await,
        };
        ids.sort_unstable();
        ids
    }
}

fn parquet_ids(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let ids = |path: PathBuf| {
        if path.is_dir() {
            return parquet_ids(&path);
        }
        let bytes = bytes::Bytes::from(std::fs::read(path).expect("readable"));
        let reader =
            ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 1_024).expect("whole");
        let of = |batch: RecordBatch| -> Vec<String> {
            let ids = arrow::array::AsArray::as_string::<i32>(batch.column(0)).clone();
            ids.iter().flatten().map(str::to_owned).collect()
        };
        reader.flat_map(|batch| of(batch.expect("readable"))).collect()
    };
    entries.flat_map(ids).collect()
}

/// Step events `first..first + count`.
pub(crate) fn steps(first: u64, count: u64) -> Emission {
    let numbers: Vec<u64> = (first..first + count).collect();
    let name = |of: fn(u64) -> String| -> ArrayRef {
        Arc::new(
            numbers
                .iter()
                .map(|row| of(*row))
                .collect::<Vec<_>>()
                .iter()
                .map(|s| Some(s.as_str()))
                .collect::<DictionaryArray<UInt32Type>>(),
        )
    };
    let time = |add: i64| -> ArrayRef {
        let ms = numbers.iter().map(|row| 1_795_348_800_000 + *row as i64 * 1_000 + add);
        Arc::new(TimestampMillisecondArray::from_iter_values(ms).with_timezone("UTC"))
    };
    let standard: ArrayRef =
        Arc::new(Float64Array::from_iter(numbers.iter().map(|row| (row % 2 == 0).then_some(1_200.0))));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "row_id",
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|row| format!("step-{row:04}")))),
        ),
        ("message", Arc::new(UInt64Array::from(numbers.clone()))),
        ("ts", time(0)),
        ("arrived", time(40)),
        ("site", name(|row| format!("site-{}", row % 2))),
        ("bay", name(|row| format!("bay-{}", row % 7))),
        ("job", name(|row| format!("J{row:06}"))),
        ("step", name(|_| "S04".to_owned())),
        ("operation", name(|_| "tighten".to_owned())),
        ("technician", name(|_| "T17".to_owned())),
        ("event", name(|row| ["started", "finished"][row as usize % 2].to_owned())),
        ("seq", Arc::new(Int64Array::from_iter_values(numbers.iter().map(|row| *row as i64)))),
        ("elapsed_s", Arc::clone(&standard)),
        ("standard_s", standard),
        ("overlaps", Arc::new(StringArray::new_null(numbers.len()))),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    Emission { stream: "steps".into(), rows: rows.expect("columns of one length") }
}

fn schema() -> SchemaRef {
    steps(0, 1).rows.schema()
}

/// Rows of an epoch: 10 each.
async fn write(sink: &mut Box<dyn Sink>, epoch: u64) {
    for part in 0..2 {
        sink.write(&steps(epoch * 10 + part * 5, 5)).await.expect("writes");
    }
}

fn ids(epochs: std::ops::RangeInclusive<u64>) -> Vec<String> {
    epochs.flat_map(|epoch| epoch * 10..epoch * 10 + 10).map(|row| format!("step-{row:04}")).collect()
}

const KINDS: [Kind; 3] = [Kind::Parquet, Kind::Sqlite, Kind::Postgres];

#[tokio::test]
async fn an_epoch_is_seen_after_its_commit_and_not_before() {
    for place in KINDS.map(Place::new) {
        let mut sink = place.open().await;
        for epoch in 1..=3 {
            write(&mut sink, epoch).await;
            let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
            assert_eq!(place.shown().await, ids(1..=epoch - 1), "{:?} prepared {epoch}", place.kind);
            sink.commit(Epoch(epoch), &receipt).await.expect("commits");
            sink.commit(Epoch(epoch), &receipt).await.expect("commits twice");
            assert_eq!(place.shown().await, ids(1..=epoch), "{:?} committed {epoch}", place.kind);
        }
    }
}

#[tokio::test]
async fn a_crash_between_prepare_and_commit_loses_and_doubles_nothing() {
    for place in KINDS.map(Place::new) {
        let mut receipts = vec![Receipt::default()];
        let mut sink = place.open().await;
        for epoch in 1..=4 {
            write(&mut sink, epoch).await;
            receipts.push(sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares"));
            // The checkpoint is safe; the process ends, and the next one begins with the commit.
            drop(sink);
            sink = place.open().await;
            sink.commit(Epoch(epoch), &receipts[epoch as usize]).await.expect("commits");
            assert_eq!(place.shown().await, ids(1..=epoch), "{:?}", place.kind);
        }
    }
}

#[tokio::test]
async fn an_epoch_without_a_checkpoint_comes_again() {
    for place in KINDS.map(Place::new) {
        let mut sink = place.open().await;
        write(&mut sink, 1).await;
        let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
        sink.commit(Epoch(1), &receipt).await.expect("commits");
        write(&mut sink, 2).await;
        sink.prepare(Epoch(2), Offset(1)).await.expect("prepares, but its checkpoint is never put");
        drop(sink);
        sink = place.open().await;
        sink.commit(Epoch(1), &receipt).await.expect("commits again");
        assert_eq!(place.shown().await, ids(1..=1), "{:?}", place.kind);
        write(&mut sink, 2).await;
        let receipt = sink.prepare(Epoch(2), Offset(1)).await.expect("prepares again");
        sink.commit(Epoch(2), &receipt).await.expect("commits");
        assert_eq!(place.shown().await, ids(1..=2), "{:?}", place.kind);
    }
}

#[tokio::test]
async fn commits_may_come_late_and_the_newest_receipt_speaks_for_all() {
    for place in KINDS.map(Place::new) {
        let mut sink = place.open().await;
        let mut receipts = Vec::new();
        for epoch in 1..=3 {
            write(&mut sink, epoch).await;
            receipts.push(sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares"));
        }
        sink.commit(Epoch(1), &receipts[0]).await.expect("commits late");
        assert_eq!(place.shown().await, ids(1..=1), "{:?}", place.kind);
        drop(sink);
        sink = place.open().await;
        sink.commit(Epoch(3), &receipts[2]).await.expect("commits the newest");
        assert_eq!(place.shown().await, ids(1..=3), "{:?}", place.kind);
        write(&mut sink, 4).await;
        let receipt = sink.prepare(Epoch(4), Offset(1)).await.expect("prepares");
        sink.commit(Epoch(4), &receipt).await.expect("commits");
        assert_eq!(place.shown().await, ids(1..=4), "{:?}", place.kind);
    }
}

#[tokio::test]
async fn an_epoch_without_rows_is_fine() {
    for place in KINDS.map(Place::new) {
        let mut sink = place.open().await;
        for epoch in 1..=3 {
            let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
            sink.commit(Epoch(epoch), &receipt).await.expect("commits");
        }
        assert!(place.shown().await.is_empty(), "{:?}", place.kind);
    }
}
