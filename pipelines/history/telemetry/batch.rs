//! Rows of a file as columns with numbers in place of names.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, MapArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::{ArrowPrimitiveType, UInt32Type};
use ingest::series::Series;
use rustc_hash::FxHashMap;

use super::super::HistoryError;
use super::super::folder::Span;
use super::super::merge::Rows;
use super::super::runs::StepRuns;
use crate::engine::past::{JoinedRun, LATENESS_NAMES, NO_RUN, Shop};

/// Some thousand rows. Columns that no rule reads are not there.
#[derive(Debug)]
pub(super) struct Batch {
    pub message: UInt64Array,
    pub index: Vec<u32>,
    pub ts: TimestampMillisecondArray,
    pub arrived: TimestampMillisecondArray,
    pub series: Vec<u32>,
    pub lateness: Vec<u8>,
    pub boot: Option<Int64Array>,
    pub seq: Option<Int64Array>,
    pub value: Option<Float64Array>,
    pub text: Option<StringArray>,
    pub unit: Option<Vec<u16>>,
    pub tags: Option<MapArray>,
    /// Place in `runs`, [`NO_RUN`] for none.
    pub run: Option<Vec<u32>>,
    pub runs: Vec<JoinedRun>,
    pub spec_min: Option<Float64Array>,
    pub spec_max: Option<Float64Array>,
    /// `expected_pset`, `expected_resource`, `asset_bay`: a name a row.
    pub asides: [Option<Vec<Option<Box<str>>>>; 3],
    pub calibration_due: Option<TimestampMillisecondArray>,
    span: Span,
}

/// A column of names: a key a row, and what the keys stand for. The last stands for null.
struct Named<'a> {
    keys: Vec<usize>,
    names: Vec<Option<&'a str>>,
}

impl Rows for Batch {
    fn len(&self) -> usize {
        self.message.len()
    }

    #[inline]
    fn place(&self, row: usize) -> Option<(u64, u32)> {
        self.span.holds(self.ts.value(row)).then(|| (self.message.value(row), self.index[row]))
    }
}

impl Batch {
    pub(super) fn new(
        rows: &RecordBatch,
        site: &str,
        span: Span,
        of_steps: &StepRuns,
        shop: &mut Shop,
    ) -> Result<Batch, HistoryError> {
        let column = |name: &str| rows.column_by_name(name);
        let placed = |name: &str| column(name).ok_or_else(|| unfit(name));
        let ids = placed("row_id")?;
        let ids = ids.as_string_opt::<i32>().ok_or_else(|| unfit("row_id"))?;
        let lateness = named(placed("lateness")?, "lateness")?;
        let number = |name: &Option<&str>| LATENESS_NAMES.iter().position(|known| Some(*known) == *name);
        let numbers: Vec<u8> = lateness.names.iter().map(|name| number(name).unwrap_or(0) as u8).collect();
        let unit = column("unit").map(|column| units(&named(column, "unit")?, shop)).transpose()?;
        let ts = primitive(placed("ts")?, "ts")?;
        let (run, runs) = runs(rows, site, &ts, of_steps)?;
        Ok(Batch {
            message: primitive(placed("message")?, "message")?,
            index: ids.iter().map(|id| index_of(id.unwrap_or_default())).collect(),
            ts,
            arrived: primitive(placed("arrived")?, "arrived")?,
            series: series(rows, site, shop)?,
            lateness: lateness.keys.iter().map(|&key| numbers[key]).collect(),
            boot: column("boot").map(|column| primitive(column, "boot")).transpose()?,
            seq: column("seq").map(|column| primitive(column, "seq")).transpose()?,
            value: column("value").map(|column| primitive(column, "value")).transpose()?,
            text: column("text").map(|column| column.as_string::<i32>().clone()),
            unit,
            tags: column("tags").map(|column| column.as_map().clone()),
            run,
            runs,
            spec_min: column("spec_min").map(|column| primitive(column, "spec_min")).transpose()?,
            asides: [
                aside(rows, "expected_pset")?,
                aside(rows, "expected_resource")?,
                aside(rows, "asset_bay")?,
            ],
            calibration_due: column("calibration_due")
                .map(|column| primitive(column, "calibration_due"))
                .transpose()?,
            spec_max: column("spec_max").map(|column| primitive(column, "spec_max")).transpose()?,
            span,
        })
    }
}

/// The digits behind the dash of `message-index`.
fn index_of(id: &str) -> u32 {
    let bytes = id.as_bytes();
    match bytes {
        [.., b'-', digit] => u32::from(digit - b'0'),
        _ => id.rsplit_once('-').and_then(|(_, index)| index.parse().ok()).unwrap_or(0),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    name: &str,
) -> Result<PrimitiveArray<T>, HistoryError> {
    column.as_primitive_opt::<T>().cloned().ok_or_else(|| unfit(name))
}

fn unfit(name: &str) -> HistoryError {
    HistoryError::new(
        format!("column `{name}` of the exported telemetry is not as this version writes it"),
        "replay the recording again with this version",
    )
}

fn named<'a>(column: &'a ArrayRef, name: &str) -> Result<Named<'a>, HistoryError> {
    let dictionary = column.as_dictionary_opt::<UInt32Type>().ok_or_else(|| unfit(name))?;
    let values = dictionary.values().as_string_opt::<i32>().ok_or_else(|| unfit(name))?;
    let mut names: Vec<Option<&str>> = values.iter().collect();
    let null = names.len();
    names.push(None);
    let keys = dictionary.keys();
    let keys = match keys.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => keys.values().iter().map(|&key| key as usize).collect(),
        Some(nulls) => (0..keys.len())
            .map(|row| if nulls.is_valid(row) { keys.value(row) as usize } else { null })
            .collect(),
    };
    Ok(Named { keys, names })
}

/// The names of a column, if any row has one.
fn aside(rows: &RecordBatch, name: &str) -> Result<Option<Vec<Option<Box<str>>>>, HistoryError> {
    let Some(column) = rows.column_by_name(name).filter(|column| column.null_count() < column.len()) else {
        return Ok(None);
    };
    let Named { keys, names } = named(column, name)?;
    Ok(Some(keys.into_iter().map(|key| names[key].map(Box::from)).collect()))
}

fn series(rows: &RecordBatch, site: &str, shop: &mut Shop) -> Result<Vec<u32>, HistoryError> {
    let column = |name: &str| named(rows.column_by_name(name).ok_or_else(|| unfit(name))?, name);
    let (bay, tool, metric) = (column("bay")?, column("tool")?, column("metric")?);
    let mut known: FxHashMap<(usize, usize, usize), u32> = FxHashMap::default();
    let text = |named: &Named<'_>, key: usize| Box::from(named.names[key].unwrap_or_default());
    let keys = bay.keys.iter().zip(&tool.keys).zip(&metric.keys);
    let series = keys.map(|((&of_bay, &of_tool), &of_metric)| {
        *known.entry((of_bay, of_tool, of_metric)).or_insert_with(|| {
            shop.series(Series {
                site: site.into(),
                bay: text(&bay, of_bay),
                tool: text(&tool, of_tool),
                metric: text(&metric, of_metric),
            })
        })
    });
    Ok(series.collect())
}

fn units(named: &Named<'_>, shop: &mut Shop) -> Result<Vec<u16>, HistoryError> {
    let number = |name: &Option<&str>| match name {
        None | Some("") => Ok(0),
        Some(code) => shop.unit(code).ok_or_else(|| unfit("unit")),
    };
    let numbers = named.names.iter().map(number).collect::<Result<Vec<u16>, _>>()?;
    Ok(named.keys.iter().map(|&key| numbers[key]).collect())
}

/// The steps that rows were joined to, as far as rules read their names, with their runs.
fn runs(
    rows: &RecordBatch,
    site: &str,
    ts: &TimestampMillisecondArray,
    of_steps: &StepRuns,
) -> Result<(Option<Vec<u32>>, Vec<JoinedRun>), HistoryError> {
    let column = |name: &str| rows.column_by_name(name).map(|column| named(column, name)).transpose();
    let columns = ["job", "step", "operation", "technician", "bay"].map(column);
    let [job, step, operation, technician, bay] = columns;
    let columns = [job?, step?, operation?, technician?, bay?];
    if columns[..4].iter().all(Option::is_none) {
        return Ok((None, Vec::new()));
    }
    let started = rows.column_by_name("step_started");
    let started: Option<TimestampMillisecondArray> =
        started.map(|column| primitive(column, "step_started")).transpose()?;
    let key = |row: usize| {
        [0, 1, 2, 3, 4].map(|at: usize| columns[at].as_ref().map_or(0, |named: &Named<'_>| named.keys[row]))
    };
    let mut known: FxHashMap<([usize; 5], i64), u32> = FxHashMap::default();
    let mut runs: Vec<JoinedRun> = Vec::new();
    let mut last = ([usize::MAX; 5], NO_RUN);
    let mut of_rows = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let (key, ts_ms) = (key(row), ts.value(row));
        let started_ms = started.as_ref().filter(|started| started.is_valid(row)).map(|all| all.value(row));
        let holds = |run: &JoinedRun| match started_ms {
            Some(started_ms) => run.run_ms.0 == started_ms,
            None => run.run_ms.0 <= ts_ms && ts_ms < run.run_ms.1,
        };
        if key != last.0 || runs.get(last.1 as usize).is_some_and(|run| !holds(run)) {
            let name = |at: usize| columns[at].as_ref().and_then(|named| named.names[key[at]]);
            let (job, step) = (name(0).unwrap_or_default(), name(1).unwrap_or_default());
            let of_step = of_steps.of(site, name(4).unwrap_or_default(), job, step);
            let run_ms = match started_ms {
                Some(started_ms) => {
                    (started_ms, of_step.map_or(i64::MAX, |of_step| of_step.end_of(started_ms)))
                }
                // Exports of earlier versions do not say which run it was.
                None => of_step.and_then(|of_step| of_step.at(ts_ms)).unwrap_or(crate::window::NO_RUN),
            };
            let number = *known.entry((key, run_ms.0)).or_insert_with(|| {
                if (0..4).all(|at| name(at).is_none()) {
                    return NO_RUN;
                }
                runs.push(JoinedRun {
                    bay: 0,
                    run: 0,
                    job: job.into(),
                    step: step.into(),
                    operation: name(2).map(Arc::from),
                    technician: name(3).map(Arc::from),
                    run_ms,
                });
                u32::try_from(runs.len() - 1).expect("at most one a row")
            });
            last = (key, number);
        }
        of_rows.push(last.1);
    }
    Ok((Some(of_rows), runs))
}
