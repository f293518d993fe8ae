//! The state of sum and avg over fractions.

use super::{Of, State};
use crate::window::exact::{Cut, ExactSum};
use crate::window::fused::Fold;

/// Number of values, and their sum.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    count: u64,
    sum: ExactSum,
}

impl Fold for Total {
    fn fold(&mut self, cut: Cut, value: f64) {
        self.count += 1;
        self.sum.add_cut(cut, value);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.merge(&other.sum);
    }
}

impl State for Total {
    fn result(&self, of: Of) -> Option<f64> {
        let sum = (self.count > 0).then(|| self.sum.value())?;
        #[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
        Some(if of == Of::Average { sum / self.count as f64 } else { sum })
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> u64 {
        self.sum.encode(bytes);
        self.count
    }

    fn decode(count: u64, bytes: &[u8]) -> Option<Self> {
        Some(Total { count, sum: ExactSum::decode(bytes)? })
    }
}
