//! What is at odds with a row: what was expected of its tags, and what its tool's asset says.
//!
//! Where all is well it is null throughout: then nothing is kept of it, and its columns cost next to nothing.

use std::ops::Range;
use std::sync::Arc;

use ingest::readings::NONE;
use rustc_hash::FxHashMap;

use super::names::Names;

/// A name of each row. Rows behind the last that has one have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameAside {
    /// Places in `names`, [`Names::NULL`] for none.
    keys: Vec<u32>,
    names: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
}

impl NameAside {
    /// Says the name of `row`; rows are named in their order.
    pub(crate) fn set(&mut self, row: usize, name: &str) {
        let number = self.numbers.get(name).copied().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            let number = u32::try_from(self.names.len()).expect("fewer names than rows");
            self.names.push(Arc::clone(&name));
            self.numbers.insert(name, number);
            number
        });
        self.keys.resize(row, Names::NULL);
        self.keys.push(number);
    }

    /// Whether no row has one.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A key for each of `rows` rows, and the names that they stand for.
    pub(crate) fn keys(&self, rows: usize) -> (Vec<u32>, &[Arc<str>]) {
        let mut keys = self.keys.clone();
        keys.resize(rows, Names::NULL);
        (keys, &self.names)
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.names.clear();
        self.numbers.clear();
    }

    fn part(&self, rows: Range<usize>) -> Self {
        if self.is_empty() {
            return NameAside::default();
        }
        let key = |row: usize| self.keys.get(row).copied().unwrap_or(Names::NULL);
        NameAside { keys: rows.map(key).collect(), ..self.clone() }
    }
}

/// All that is said beside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asides {
    pub expected_pset: NameAside,
    pub expected_resource: NameAside,
    pub asset_bay: NameAside,
    /// [`NONE`] for none; empty where no row has one.
    pub calibration_due_ms: Vec<i64>,
}

impl Asides {
    /// Says when the tool of `row` is to be calibrated; in the order of the rows.
    pub(crate) fn set_due(&mut self, row: usize, due_ms: i64) {
        self.calibration_due_ms.resize(row, NONE);
        self.calibration_due_ms.push(due_ms);
    }

    /// Forgets all rows, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.expected_pset.clear();
        self.expected_resource.clear();
        self.asset_bay.clear();
        self.calibration_due_ms.clear();
    }

    /// Of the rows of a range.
    pub(crate) fn part(&self, rows: Range<usize>) -> Asides {
        let due = |row: usize| self.calibration_due_ms.get(row).copied().unwrap_or(NONE);
        let has_due = !self.calibration_due_ms.is_empty();
        Asides {
            expected_pset: self.expected_pset.part(rows.clone()),
            expected_resource: self.expected_resource.part(rows.clone()),
            asset_bay: self.asset_bay.part(rows.clone()),
            calibration_due_ms: if has_due { rows.map(due).collect() } else { Vec::new() },
        }
    }
}
