//! Columns of stream `telemetry`, made of rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray,
    StringBuilder, TimestampMillisecondArray, UInt32Array, UInt64Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Schema, UInt32Type};
use arrow::error::ArrowError;
use ingest::readings::NONE;

use super::super::aside::{Asides, NameAside};
use super::super::names::Names;
use super::super::tags;
use super::{Joined, JoinedRun, NO_RUN, Rows};
use crate::schema::TELEMETRY;
use crate::window::NO_RUN as NO_STEP;

impl Rows<'_> {
    /// The `wanted` columns of [`TELEMETRY`], in that order, as a batch.
    ///
    /// # Errors
    /// Only if a column does not fit its schema, which would be a mistake of ours.
    pub(crate) fn batch(&self, wanted: &[usize]) -> Result<RecordBatch, ArrowError> {
        let schema = if wanted.len() == TELEMETRY.fields().len() {
            Arc::clone(&TELEMETRY)
        } else {
            let field = |&column: &usize| Arc::clone(&TELEMETRY.fields()[column]);
            Arc::new(Schema::new(wanted.iter().map(field).collect::<Vec<FieldRef>>()))
        };
        let columns = wanted.iter().map(|&column| self.column(column)).collect::<Result<Vec<_>, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.len()));
        RecordBatch::try_new_with_options(schema, columns, &options)
    }

    fn column(&self, column: usize) -> Result<ArrayRef, ArrowError> {
        let array: ArrayRef = match TELEMETRY.field(column).name().as_str() {
            "row_id" => Arc::new(self.row_ids()),
            "message" => Arc::new(UInt64Array::from(self.copy(|block| &block.readings.message))),
            "ts" => times(self.copy(|block| &block.readings.ts_ms)),
            "arrived" => times(self.copy(|block| &block.readings.arrived_ms)),
            name @ ("site" | "bay" | "tool" | "metric") => {
                let names = self.names.column(name);
                let mut keys = self.copy(|block| &block.readings.series);
                keys.iter_mut().for_each(|series| *series = names.keys[*series as usize]);
                dictionary(keys, &names.values)?
            }
            "boot" => numbers(self.copy(|block| &block.readings.boot)),
            "seq" => numbers(self.copy(|block| &block.readings.seq)),
            "value" => floats(self.copy(|block| &block.readings.value)),
            "text" => Arc::new(self.texts()),
            "unit" => {
                let units = self.copy(|block| &block.readings.unit);
                let key = |unit: u16| if unit == 0 { Names::NULL } else { u32::from(unit) };
                dictionary(units.into_iter().map(key).collect(), self.names.units())?
            }
            "tags" => self.tags(TELEMETRY.field(column).data_type())?,
            "lateness" => {
                let keys = self.copy(|block| &block.lateness).into_iter().map(u32::from).collect();
                dictionary(keys, self.names.lateness())?
            }
            "spec_min" => self.limits(|joined| &joined.spec_min),
            "spec_max" => self.limits(|joined| &joined.spec_max),
            "expected_pset" => self.aside(|asides| &asides.expected_pset)?,
            "expected_resource" => self.aside(|asides| &asides.expected_resource)?,
            "asset_bay" => self.aside(|asides| &asides.asset_bay)?,
            "calibration_due" => self.calibration_due(),
            "step_started" => self.step_started(),
            step_column => self.step_names(step_column)?,
        };
        Ok(array)
    }

    fn limits(&self, of: impl Fn(&Joined) -> &[f64]) -> ArrayRef {
        let limits = self.joined.map(|joined| self.copy_joined(of(joined)));
        match limits {
            Some(limits) if limits.iter().any(|limit| !limit.is_nan()) => floats(limits),
            _ => Arc::new(Float64Array::new_null(self.len())),
        }
    }

    fn aside(&self, of: impl Fn(&Asides) -> &NameAside) -> Result<ArrayRef, ArrowError> {
        match self.joined.map(|joined| (of(&joined.asides), joined.run.len())) {
            Some((aside, rows)) if !aside.is_empty() => {
                let (keys, names) = aside.keys(rows);
                let values = StringArray::from_iter_values(names);
                dictionary(self.copy_joined(&keys), &(Arc::new(values) as ArrayRef))
            }
            _ => {
                let values: ArrayRef = Arc::new(StringArray::from(vec![""]));
                Ok(Arc::new(DictionaryArray::<UInt32Type>::try_new(
                    UInt32Array::new_null(self.len()),
                    values,
                )?))
            }
        }
    }

    fn calibration_due(&self) -> ArrayRef {
        let times = match self.joined {
            Some(joined) if !joined.asides.calibration_due_ms.is_empty() => {
                let mut due_ms = joined.asides.calibration_due_ms.clone();
                due_ms.resize(joined.run.len(), NONE);
                let due_ms = self.copy_joined(&due_ms);
                let nulls = nulls(due_ms.len(), |row| due_ms[row] != NONE);
                TimestampMillisecondArray::new(due_ms.into(), nulls)
            }
            _ => TimestampMillisecondArray::new_null(self.len()),
        };
        Arc::new(times.with_timezone("UTC"))
    }

    /// Where no step was, and where history does not say, null.
    fn step_started(&self) -> ArrayRef {
        let times = match self.joined {
            Some(joined) if !joined.runs.is_empty() => {
                let of = |&run: &u32| joined.runs.get(run as usize).map_or(NO_STEP, |run| run.run_ms).0;
                let started_ms: Vec<i64> = self.copy_joined(&joined.run).iter().map(of).collect();
                let nulls = nulls(started_ms.len(), |row| started_ms[row] != NO_STEP.0);
                TimestampMillisecondArray::new(started_ms.into(), nulls)
            }
            _ => TimestampMillisecondArray::new_null(self.len()),
        };
        Arc::new(times.with_timezone("UTC"))
    }

    fn row_ids(&self) -> StringArray {
        let rows = self.len();
        let mut bytes = Vec::with_capacity(rows * 12);
        let mut digits = itoa::Buffer::new();
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0_i32);
        self.each(|block, row| {
            let readings = &self.blocks[block].readings;
            bytes.extend_from_slice(digits.format(readings.message[row]).as_bytes());
            bytes.push(b'-');
            match readings.index[row] {
                0 => bytes.push(b'0'),
                index => bytes.extend_from_slice(digits.format(index).as_bytes()),
            }
            #[expect(clippy::cast_possible_wrap, reason = "a batch of ids is far below 2 GiB")]
            ends.push(bytes.len() as i32);
        });
        StringArray::new(OffsetBuffer::new(ScalarBuffer::from(ends)), bytes.into(), None)
    }

    fn texts(&self) -> StringArray {
        if self.stretches.iter().all(|stretch| self.blocks[stretch.block].readings.texts.is_empty()) {
            return StringArray::new_null(self.len());
        }
        let mut texts = StringBuilder::with_capacity(self.len(), 0);
        self.each(|block, row| {
            let readings = &self.blocks[block].readings;
            let text = readings.text[row];
            texts.append_option((text > 0).then(|| readings.texts[text as usize - 1].as_ref()));
        });
        texts.finish()
    }

    fn tags(&self, kind: &DataType) -> Result<ArrayRef, ArrowError> {
        if self.stretches.iter().all(|stretch| self.blocks[stretch.block].readings.tag_sets.is_empty()) {
            return Ok(new_null_array(kind, self.len()));
        }
        let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
        let mut tags = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        // A block has few distinct sets and many rows: each set is parsed once.
        let parsed: Vec<Vec<Vec<(String, String)>>> = self
            .blocks
            .iter()
            .map(|block| block.readings.tag_sets.iter().map(|set| tags::pairs(set)).collect())
            .collect();
        let mut done = Ok(());
        self.each(|block, row| {
            let set = self.blocks[block].readings.tags[row];
            if set > 0 {
                for (key, value) in &parsed[block][set as usize - 1] {
                    tags.keys().append_value(key);
                    tags.values().append_value(value);
                }
            }
            if done.is_ok() {
                done = tags.append(set > 0);
            }
        });
        done?;
        Ok(Arc::new(tags.finish()))
    }

    fn step_names(&self, column: &str) -> Result<ArrayRef, ArrowError> {
        let Some(joined) = self.joined else {
            return dictionary(
                vec![Names::NULL; self.len()],
                &(Arc::new(StringArray::from(vec![""])) as ArrayRef),
            );
        };
        let name = |run: &JoinedRun| match column {
            "job" => Some(Arc::clone(&run.job)),
            "step" => Some(Arc::clone(&run.step)),
            "operation" => run.operation.clone(),
            _ => run.technician.clone(),
        };
        let names: Vec<Option<Arc<str>>> = joined.runs.iter().map(name).collect();
        // "No step" and "null" are the same number.
        let mut keys = self.copy_joined(&joined.run);
        if !names.iter().all(Option::is_some) {
            let is_known = |run: u32| names.get(run as usize).is_some_and(Option::is_some);
            keys.iter_mut().filter(|run| !is_known(**run)).for_each(|run| *run = Names::NULL);
        }
        let values = names.iter().map(|name| name.as_deref().unwrap_or(""));
        // A dictionary that all keys are null in still needs a value to point at.
        let values = StringArray::from_iter_values(values.chain(std::iter::once("")));
        dictionary(keys, &(Arc::new(values) as ArrayRef))
    }
}

const _: () = assert!(NO_RUN == Names::NULL);

/// `Timestamp(Millisecond, "UTC")`.
pub(crate) fn times(times_ms: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(times_ms).with_timezone("UTC"))
}

/// Integers where [`NONE`] is null.
pub(crate) fn numbers(values: Vec<i64>) -> ArrayRef {
    let nulls = nulls(values.len(), |row| values[row] != NONE);
    Arc::new(Int64Array::new(values.into(), nulls))
}

/// Floats where NaN is null.
pub(crate) fn floats(values: Vec<f64>) -> ArrayRef {
    let nulls = nulls(values.len(), |row| !values[row].is_nan());
    Arc::new(Float64Array::new(values.into(), nulls))
}

/// Nothing where all rows are valid.
fn nulls(rows: usize, is_valid: impl Fn(usize) -> bool) -> Option<NullBuffer> {
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, is_valid));
    (nulls.null_count() > 0).then_some(nulls)
}

/// A dictionary column; [`Names::NULL`] keys are null.
pub(crate) fn dictionary(mut keys: Vec<u32>, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(keys.len(), |row| keys[row] != Names::NULL);
    if nulls.is_some() {
        keys.iter_mut().filter(|key| **key == Names::NULL).for_each(|key| *key = 0);
    }
    let keys = UInt32Array::new(keys.into(), nulls);
    Ok(Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, Arc::clone(values))?))
}
