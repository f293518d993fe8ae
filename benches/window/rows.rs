//! Readings as the engine has them, column by column.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringDictionaryBuilder};
use arrow::datatypes::UInt32Type;
use ingest::series::{Series, SeriesTable};
use pipelines::plan::Plan;
use pipelines::schema::TELEMETRY;
use pipelines::window::Input;

pub(crate) const BATCH_ROWS: usize = 8192;
const BATCHES: usize = 256;
pub(crate) const BAYS: u32 = 100;
pub(crate) const SERIES: u32 = 7000;

pub(crate) fn workshop() -> SeriesTable {
    let mut table = SeriesTable::default();
    let metrics = ["torque", "angle", "current", "pressure", "temperature", "flow", "energy"];
    for number in 0..SERIES {
        let (bay, tool) = (number / 70, number / 7 % 10);
        table.intern(Series {
            site: "leeds".into(),
            bay: format!("B{bay:03}").into(),
            tool: format!("T{tool}").into(),
            metric: metrics[number as usize % 7].into(),
        });
    }
    table
}

pub(crate) struct Rows {
    pub(crate) columns: BTreeMap<&'static str, ArrayRef>,
    pub(crate) series: Vec<u32>,
    bay: Vec<u32>,
    pub(crate) ts_ms: Vec<i64>,
}

impl Rows {
    pub(crate) fn input<'a>(&'a self, rows: &'a RecordBatch) -> Input<'a> {
        Input { rows, series: &self.series, bay: &self.bay, ts_ms: &self.ts_ms, runs_ms: &[] }
    }
}

/// Batches in order of time, `rows_per_s` readings a second, from series at random.
pub(crate) fn batches(table: &SeriesTable, rows_per_s: usize) -> Vec<Rows> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..BATCHES)
        .map(|batch| {
            let series: Vec<u32> = (0..BATCH_ROWS).map(|_| random.u32(0..SERIES)).collect();
            let mut names: BTreeMap<&str, StringDictionaryBuilder<UInt32Type>> = BTreeMap::new();
            for &number in &series {
                let one = table.get(number);
                let job = format!("J{:03}", number / 70);
                for (name, value) in [
                    ("site", &*one.site),
                    ("bay", &*one.bay),
                    ("tool", &*one.tool),
                    ("metric", &*one.metric),
                    ("job", &*job),
                ] {
                    names.entry(name).or_default().append_value(value);
                }
            }
            let mut columns: BTreeMap<&str, ArrayRef> = BTreeMap::new();
            for (name, mut builder) in names {
                columns.insert(name, Arc::new(builder.finish()));
            }
            let values = (0..BATCH_ROWS).map(|_| (random.f64() * 100_000.0).round() / 1000.0);
            columns.insert("value", Arc::new(Float64Array::from_iter_values(values)));
            columns.insert("spec_max", Arc::new(Float64Array::from(vec![99.0; BATCH_ROWS])));
            let first = batch * BATCH_ROWS;
            let ts_ms = (first..first + BATCH_ROWS).map(|row| (row * 1000 / rows_per_s) as i64).collect();
            let bay = series.iter().map(|&number| table.bay_of()[number as usize]).collect();
            Rows { columns, series, bay, ts_ms }
        })
        .collect()
}

/// Reads what a stage is about to read. In the engine a block comes from the stage before, out of the cache.
pub(crate) fn warm(rows: &Rows, input: &RecordBatch) {
    let mut read = rows.series.iter().chain(&rows.bay).fold(0, |all, number| all ^ number);
    read ^= rows.ts_ms.iter().fold(0, |all, ts_ms| all ^ ts_ms) as u32;
    for column in input.columns() {
        for buffer in column.to_data().buffers() {
            read ^= u32::from(buffer.iter().fold(0, |all, byte| all ^ byte));
        }
    }
    black_box(read);
}

pub(crate) fn columns(rows: &Rows, plan: &Plan) -> RecordBatch {
    let schema = Arc::new(TELEMETRY.project(plan.columns()).expect("columns of the stream"));
    let columns = schema.fields().iter().map(|field| rows.columns[field.name().as_str()].clone()).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(BATCH_ROWS));
    RecordBatch::try_new_with_options(schema, columns, &options).expect("columns of the schema")
}
