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
        let mut first_rows = Vec::new();
        let ends = codes.iter().filter(|code| **code != OUTSIDE).max().map_or(0, |code| *code as usize + 1);
        let mut numbers = Numbers::up_to(ends, codes.len());
        let renumbered = codes.iter().enumerate().map(|(row, &code)| match code {
            OUTSIDE => OUTSIDE,
            code => numbers.of(code, || push_row(&mut first_rows, row)),
        });
        let codes = renumbered.collect();
        Combinations { codes, first_rows }
    }

    /// Tells rows apart by `column`, too.
    pub(crate) fn refine(&mut self, column: &ArrayRef) -> Result<()> {
        let values = distinct_codes(column)?;
        // Most rows have what the row of their code before them had: only others are looked up.
        let mut latest = vec![(OUTSIDE, OUTSIDE); self.first_rows.len()];
        let mut numbers: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut first_rows = Vec::new();
        for (row, (code, value)) in self.codes.iter_mut().zip(values).enumerate() {
            if *code == OUTSIDE {
                continue;
            }
            let latest = &mut latest[*code as usize];
            if latest.0 != value || latest.1 == OUTSIDE {
                let number = numbers.entry((*code, value)).or_insert_with(|| push_row(&mut first_rows, row));
                *latest = (value, *number);
            }
            *code = latest.1;
        }
        self.first_rows = first_rows;
        Ok(())
    }
}

/// A batch has so many times fewer rows than there are codes where looking these up is worth more than a place for each.
const SPARSE: usize = 16;

/// New numbers of codes.
enum Numbers {
    /// By code; [`OUTSIDE`] for those that have not come yet.
    Dense(Vec<u32>),
    Sparse(FxHashMap<u32, u32>),
}

impl Numbers {
    fn up_to(ends: usize, rows: usize) -> Self {
        if ends / SPARSE > rows {
            Numbers::Sparse(FxHashMap::default())
        } else {
            Numbers::Dense(vec![OUTSIDE; ends])
        }
    }

    #[inline]
    fn of(&mut self, code: u32, new: impl FnOnce() -> u32) -> u32 {
        match self {
            Numbers::Dense(numbers) => {
                let number = &mut numbers[code as usize];
                if *number == OUTSIDE {
                    *number = new();
                }
                *number
            }
            Numbers::Sparse(numbers) => *numbers.entry(code).or_insert_with(new),
        }
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
