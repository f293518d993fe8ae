//! What `sum` adds, and as what.

use std::sync::LazyLock;

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Signature, Volatility};

/// [`of`] says what it takes.
pub(super) static SIGNATURE: LazyLock<Signature> =
    LazyLock::new(|| Signature::user_defined(Volatility::Immutable));

/// Twenty digits hold every whole number of 64 bits. The sum has thirty: as BIGINT it would go over without a word, and
/// be wrong.
const WHOLE: DataType = DataType::Decimal128(20, 0);

/// As what the argument is added.
pub(super) fn of(arguments: &[DataType]) -> Result<Vec<DataType>> {
    let [argument] = arguments else { return plan_err!("sum takes one argument") };
    let mut kind = argument;
    while let DataType::Dictionary(_, values) = kind {
        kind = values;
    }
    match kind {
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => {
            Ok(vec![DataType::Float64])
        }
        kind if kind.is_integer() => Ok(vec![WHOLE]),
        DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Duration(_)
        | DataType::Interval(_) => Ok(vec![kind.clone()]),
        kind => plan_err!("sum does not take {kind}; write sum(CAST(… AS DOUBLE))"),
    }
}
