//! The distinct combinations of keys in a batch: what hashing per row is for keys that no series decides.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::UInt32Type;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use rustc_hash::FxHashMap;

use super::OUTSIDE;

/// Numbers for them.
#[derive(Debug)]
pub(crate) struct Combinations {
    /// For each row, or [`OUTSIDE`].
    pub codes: Vec<u32>,
    /// A row for each code.
    pub first_rows: Vec<u32>,
}

impl Combinations {
    /// Rows outside in `codes` stay outside; the others are told apart by their code alone.
    pub(crate) fn of_codes(codes: &[u32]) -> Self {
        let mut numbers: FxHashMap<u32, u32> = FxHashMap::default();
        let mut first_rows = Vec::new();
        let renumbered = codes.iter().enumerate().map(|(row, &code)| {
            if code == OUTSIDE {
                return OUTSIDE;
            }
            *numbers.entry(code).or_insert_with(|| push_row(&mut first_rows, row))
        });
        let codes = renumbered.collect();
        Combinations { codes, first_rows }
    }

    /// Tells rows apart by `column`, too.
    pub(crate) fn refine(&mut self, column: &ArrayRef) -> Result<()> {
        let values = distinct_codes(column)?;
        let mut numbers: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut first_rows = Vec::new();
        for (row, code) in self.codes.iter_mut().enumerate() {
            if *code != OUTSIDE {
                *code =
                    *numbers.entry((*code, values[row])).or_insert_with(|| push_row(&mut first_rows, row));
            }
        }
        self.first_rows = first_rows;
        Ok(())
    }
}

fn push_row(first_rows: &mut Vec<u32>, row: usize) -> u32 {
    first_rows.push(u32::try_from(row).expect("a batch has fewer rows than that"));
    u32::try_from(first_rows.len() - 1).expect("fewer than rows")
}

/// A number for each row that differs where the values differ.
fn distinct_codes(column: &ArrayRef) -> Result<Vec<u32>> {
    if let Some(dictionary) = column.as_dictionary_opt::<UInt32Type>() {
        let keys = dictionary.keys();
        // Null is a value of its own. Two entries of one name are two codes here and one group later.
        return Ok((0..keys.len())
            .map(|row| if keys.is_valid(row) { keys.value(row) } else { OUTSIDE })
            .collect());
    }
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let encoded = converter.convert_columns(std::slice::from_ref(column))?;
    let mut numbers: FxHashMap<&[u8], u32> = FxHashMap::default();
    Ok((0..encoded.num_rows())
        .map(|row| {
            let next = u32::try_from(numbers.len()).expect("fewer than rows");
            *numbers.entry(encoded.row(row).data()).or_insert(next)
        })
        .collect())
}
