//! Columns of stream `ledger`.

use std::sync::LazyLock;

use arrow::datatypes::{DataType, SchemaRef};

use super::{name, schema, time};

/// What a finished step used of a lot of a resource; without `job` and `step` what nobody accounts for of a bay and a day of its
/// site's calendar, its `local_date`. `id` names the row in all its revisions, of which the newest counts. `lot` is null where
/// nobody named one, `(further lots)` beyond sixteen. `from_value` and `to_value` are what the register showed before the first
/// use and behind the last, where all comes from one; they are null of amounts and bookings by hand. The uses, `readings` of
/// them, lie between `first_ts` and `last_ts`; `evidence` is a JSON array of their messages' ordinals, of the first eight and the
/// last eight. `started` and `ended` are those of the step, or of the day. `state` is held (not final, or beyond the tolerance of
/// bills), posted, or amended: something of it came after step or day had been final.
pub static LEDGER: LazyLock<SchemaRef> = LazyLock::new(|| {
    schema(&[
        ("row_id", DataType::Utf8, false),
        ("id", DataType::Utf8, false),
        ("site", name(), false),
        ("bay", name(), false),
        ("job", name(), true),
        ("step", name(), true),
        ("resource", name(), false),
        ("lot", name(), true),
        ("quantity", DataType::Float64, false),
        ("unit", name(), true),
        ("from_value", DataType::Float64, true),
        ("to_value", DataType::Float64, true),
        ("first_ts", time(), false),
        ("last_ts", time(), false),
        ("readings", DataType::UInt64, false),
        ("evidence", DataType::Utf8, false),
        ("local_date", name(), true),
        ("started", time(), false),
        ("ended", time(), false),
        ("state", name(), false),
        ("revision", DataType::UInt32, false),
        ("final", DataType::Boolean, false),
    ])
});
