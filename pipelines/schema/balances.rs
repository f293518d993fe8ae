//! Columns of stream `balances`.

use std::sync::LazyLock;

use arrow::datatypes::{DataType, SchemaRef};

use super::{name, schema, time};

/// The balance of a meter, a dispenser or a tank and a day, from `started` to `ended`, of its site's calendar, which calls it
/// `local_date`. `meter_start` and `meter_end` are what a register or level showed; it was set back or changed `resets` times, by
/// `reset_quantity` in all. `metered` is what was drawn by the meter's own word: the rise of a counter without resets, the sum
/// of a dispenser's amounts, the fall of a tank's level. `booked` of it is in books of steps, `unassigned` in none; of a tank
/// both are what the meters and dispensers of its site measured of the same resource. `difference` is what is left: 0 of a
/// meter; of a tank what got lost or, below 0, was delivered. The newest revision counts.
pub static BALANCES: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("site", name(), false),
        ("bay", name(), true),
        ("tool", name(), true),
        ("metric", name(), false),
        ("resource", name(), false),
        ("kind", name(), false),
        ("local_date", name(), false),
        ("started", time(), false),
        ("ended", time(), false),
        ("meter_start", DataType::Float64, true),
        ("meter_end", DataType::Float64, true),
        ("resets", DataType::UInt32, false),
        ("reset_quantity", DataType::Float64, false),
        ("metered", DataType::Float64, false),
        ("booked", DataType::Float64, false),
        ("unassigned", DataType::Float64, false),
        ("difference", DataType::Float64, false),
        ("unit", name(), true),
        ("readings", DataType::UInt64, false),
        ("revision", DataType::UInt32, false),
        ("final", DataType::Boolean, false),
    ])
});
