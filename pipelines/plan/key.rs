//! GROUP BY: the window, the keys, and whose watermark closes a group.

use datafusion::common::ScalarValue;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};

use super::chain::Groups;
use super::expression::Expression;
use super::function::scalar_interval_ms;
use super::refusal::Refusal;
use super::scope::is_of_series;
use super::stream::{Stream, WindowKind, Windows};

/// A column of GROUP BY.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    WindowStart,
    WindowEnd,
    /// Over site, bay, tool, metric: found once a series.
    Series(Expression),
    /// Over the row.
    Row(Expression),
}

/// Whose watermark closes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closes {
    Bay,
    Site,
    Overall,
}
const WINDOW_REMEDY: &str =
    "read FROM tumble(telemetry, ts, INTERVAL '10 seconds') and GROUP BY window_start, window_end";

/// The windows, and the keys over the stream's columns.
pub(super) fn keys_of(
    stream: Stream,
    window: Option<&WindowKind>,
    groups: &Groups,
) -> Result<(WindowKind, Vec<Key>), Refusal> {
    let first_of_window = stream.schema().fields().len();
    let time = stream.schema().index_of(stream.time_column()).unwrap_or(usize::MAX);
    let mut found = window.cloned();
    let mut keys = Vec::with_capacity(groups.keys.len());
    for (key, _) in &groups.keys {
        let place = key.downcast_ref::<Column>().map(Column::index);
        keys.push(match place {
            Some(place) if place == first_of_window => Key::WindowStart,
            Some(place) if place == first_of_window + 1 => Key::WindowEnd,
            _ => match date_bin(key, time).transpose()? {
                Some(bin) if window.is_none() => {
                    let bin = WindowKind::Fixed(bin);
                    if found.as_ref().is_some_and(|other| *other != bin) {
                        return Err(Refusal::new("date_bin", "two windows in one GROUP BY", WINDOW_REMEDY));
                    }
                    found = Some(bin);
                    Key::WindowStart
                }
                _ if is_of_series(stream, key) => Key::Series(key.clone()),
                _ => Key::Row(key.clone()),
            },
        });
    }
    match found {
        Some(windows) if keys.iter().any(|key| matches!(key, Key::WindowStart | Key::WindowEnd)) => {
            Ok((windows, keys))
        }
        Some(_) => Err(Refusal::new("GROUP", "a GROUP BY without its window never ends", WINDOW_REMEDY)),
        None if groups.keys.is_empty() => Err(Refusal::new(
            groups.aggregates.first().map_or("SELECT", |first| first.function.fun().name()),
            "an aggregate without a window never ends",
            WINDOW_REMEDY,
        )),
        None => Err(Refusal::new("GROUP", "a GROUP BY without a window never ends", WINDOW_REMEDY)),
    }
}

/// The window that `date_bin(INTERVAL …, ts)` makes; `None` if `key` is something else.
fn date_bin(key: &Expression, time: usize) -> Option<Result<Windows, Refusal>> {
    let call = key.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == "date_bin")?;
    let size = call.args().first()?.downcast_ref::<Literal>()?;
    let mut column = call.args().get(1)?;
    // DataFusion casts to its preferred unit of time first.
    while let Some(cast) = column.downcast_ref::<CastExpr>() {
        column = cast.expr();
    }
    let column = column.downcast_ref::<Column>()?;
    if column.index() != time {
        return None;
    }
    let origin_ms = match call.args().get(2) {
        None => 0,
        Some(origin) => timestamp_ms(origin.downcast_ref::<Literal>()?.value())?,
    };
    Some(
        scalar_interval_ms(size.value())
            .map(|size_ms| Windows::tumbling(size_ms, origin_ms.rem_euclid(size_ms))),
    )
}

/// A constant time in whole milliseconds.
fn timestamp_ms(value: &ScalarValue) -> Option<i64> {
    let (value, per_ms) = match value {
        ScalarValue::TimestampSecond(Some(seconds), _) => return seconds.checked_mul(1000),
        ScalarValue::TimestampMillisecond(Some(value), _) => (*value, 1),
        ScalarValue::TimestampMicrosecond(Some(value), _) => (*value, 1_000),
        ScalarValue::TimestampNanosecond(Some(value), _) => (*value, 1_000_000),
        _ => return None,
    };
    (value % per_ms == 0).then_some(value / per_ms)
}

/// Whose watermark closes a group, and the places of site and bay among the keys without the window's.
pub(super) fn closes_of(stream: Stream, groups: &Groups, keys: &[Key]) -> (Closes, (usize, usize)) {
    let place_of = |name: &str| {
        let place = stream.schema().index_of(name).ok()?;
        let own = groups.keys.iter().zip(keys);
        let mut own = own.filter(|(_, key)| !matches!(key, Key::WindowStart | Key::WindowEnd));
        own.position(|((key, _), _)| key.downcast_ref::<Column>().is_some_and(|it| it.index() == place))
    };
    match (place_of("site"), place_of("bay")) {
        (Some(site), Some(bay)) => (Closes::Bay, (site, bay)),
        (Some(site), None) => (Closes::Site, (site, 0)),
        _ => (Closes::Overall, (0, 0)),
    }
}
