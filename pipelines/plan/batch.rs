//! Window functions over any table, so that a rule's text runs on history too.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampMillisecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimestampMillisecondType};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarUDF, Volatility, cast as cast_to, create_udf, ident, lit,
};

use super::function::{WindowFunction, block_on};
use super::refusal::{Refusal, unknown};
use super::stream::{WINDOW_COLUMNS, Windows};
use crate::schema;

/// A window function over any table: its rows with `window_start` and `window_end`, each as often as there are windows
/// that hold it.
#[derive(Debug)]
pub(super) struct BatchWindow(pub WindowFunction);

impl TableFunctionImpl for BatchWindow {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (name, time, windows) = self.0.arguments(args.exprs()).map_err(Refusal::into_external)?;
        let options = &args.session().config_options().catalog;
        let tables = args
            .session()
            .catalog_list()
            .catalog(&options.default_catalog)
            .and_then(|catalog| catalog.schema(&options.default_schema));
        let table = match tables {
            Some(tables) => block_on(tables.table(&name))?,
            None => None,
        };
        let Some(table) = table else {
            return Err(unknown("table", &name, &[]).into_external());
        };
        let own = || table.schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<Expr>>();
        let [start, end] = WINDOW_COLUMNS;
        let (mut with_starts, mut with_window) = (own(), own());
        let starts = starts_of(windows).call(vec![cast_to(ident(&time), schema::time())]);
        with_starts.push(starts.alias(start));
        let size = lit(ScalarValue::new_interval_mdn(0, 0, windows.size_ms * 1_000_000));
        with_window.push(ident(start));
        with_window.push((ident(start) + size).alias(end));
        let rows = LogicalPlanBuilder::scan(name, provider_as_source(Arc::clone(&table)), None)?;
        let plan = rows.project(with_starts)?.unnest_column(start)?.project(with_window)?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}

/// A function from a time to the starts of all windows that hold it.
fn starts_of(windows: Windows) -> ScalarUDF {
    let item = Arc::new(Field::new_list_field(schema::time(), true));
    let list = DataType::List(Arc::clone(&item));
    let Windows { size_ms, slide_ms, .. } = windows;
    let starts = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let times = ColumnarValue::values_to_arrays(arguments)?;
        let times = cast(&times[0], &schema::time())?;
        let times = times.as_primitive::<TimestampMillisecondType>();
        let (mut starts, mut lengths) = (Vec::new(), Vec::with_capacity(times.len()));
        for &time_ms in times.values() {
            let newest_ms = windows.start_of(time_ms);
            let before = starts.len();
            let all = windows.steps_back().map(|back_ms| newest_ms.saturating_sub(back_ms));
            starts.extend(all.filter(|&start_ms| time_ms < windows.end_of(start_ms)));
            lengths.push(starts.len() - before);
        }
        let starts: ArrayRef = Arc::new(TimestampMillisecondArray::from(starts).with_timezone("UTC"));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = times.nulls().cloned();
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, starts, nulls)?)))
    };
    // Its name tells windows apart, for plans are compared by names.
    let name = format!("windows_of_{size_ms}_each_{slide_ms}");
    create_udf(&name, vec![schema::time()], list, Volatility::Immutable, Arc::new(starts))
}
