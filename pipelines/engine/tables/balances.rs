//! Rows of stream `balances`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;
use ingest::series::SeriesTable;

use super::super::balances::{Balance, MeterDay};
use super::super::block::times;
use super::super::ids::row_id;
use super::{batch, names};
use crate::calendar::Calendars;
use crate::schema::BALANCES;

/// Balances that are due, in the order of the names of their meters.
pub(in crate::engine) fn balances(
    due: &mut [(MeterDay, Balance)],
    table: &SeriesTable,
    calendars: &Calendars,
) -> Result<RecordBatch, ArrowError> {
    due.sort_by(|(one, _), (other, _)| {
        let place = |day: &MeterDay| {
            let meter = table.get(day.series);
            let resource = (day.resource.clone(), day.unit.clone());
            (
                day.started_ms,
                meter.site.clone(),
                meter.bay.clone(),
                meter.tool.clone(),
                meter.metric.clone(),
                resource,
            )
        };
        place(one).cmp(&place(other))
    });
    let rows: Vec<_> = due.iter().map(|(day, balance)| (day, balance, table.get(day.series))).collect();
    let ids = rows.iter().map(|(day, balance, meter)| {
        let names = [&*meter.site, &*meter.bay, &*meter.tool, &*meter.metric, &*day.resource, &*day.unit];
        let [site, bay, tool, metric, resource, unit] = names.map(str::as_bytes);
        let (started, revision) = (day.started_ms.to_le_bytes(), balance.revision.to_le_bytes());
        row_id("balances", &[site, bay, tool, metric, resource, unit, &started, &revision])
    });
    let named = |name: &'_ str| (!name.is_empty()).then(|| name.to_owned());
    let number = |of: fn(&Balance) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, balance, _)| of(balance))))
    };
    let shown = |of: fn((f64, f64)) -> f64| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, balance, _)| balance.shown.map(of)).collect::<Float64Array>())
    };
    batch(
        &BALANCES,
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()),
            names(rows.iter().map(|(.., meter)| Some(&meter.site))),
            names(rows.iter().map(|(.., meter)| named(&meter.bay))),
            names(rows.iter().map(|(.., meter)| named(&meter.tool))),
            names(rows.iter().map(|(.., meter)| Some(&meter.metric))),
            names(rows.iter().map(|(day, ..)| Some(&day.resource))),
            names(rows.iter().map(|(_, balance, _)| Some(balance.kind.as_str()))),
            names(rows.iter().map(|(day, ..)| Some(calendars.of(&day.site).date(day.started_ms)))),
            times(rows.iter().map(|(day, ..)| day.started_ms).collect()),
            times(rows.iter().map(|(_, balance, _)| balance.ended_ms).collect()),
            shown(|(start, _)| start),
            shown(|(_, end)| end),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, balance, _)| balance.resets))),
            number(|balance| balance.reset_quantity),
            number(Balance::metered),
            number(|balance| balance.drawn.booked),
            number(|balance| balance.drawn.unassigned),
            number(Balance::difference),
            names(rows.iter().map(|(day, ..)| named(&day.unit))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(_, balance, _)| balance.readings))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|(_, balance, _)| balance.revision))),
            Arc::new(rows.iter().map(|(_, balance, _)| Some(balance.is_final)).collect::<BooleanArray>()),
        ],
    )
}
