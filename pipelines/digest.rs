//! The hash of all that was put out: equal for equal rows, whatever their order and batches.
//!
//! Each row is hashed column by column (name of the column, then the value's bits or text, a mark for
//! null), the hashes of a stream's rows are summed as 128-bit numbers, and BLAKE3 goes over name, count and
//! sum of each stream in name order. A sum needs no sorting and no memory, and unlike an exclusive or it
//! sees a row that comes twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What a null hashes to.
const NULL: u64 = 0x9e37_79b9_7f4a_7c15;

/// Sums over the streams.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    streams: BTreeMap<Arc<str>, (u64, u128)>,
}

impl Digest {
    /// Takes rows of a stream in.
    ///
    /// # Errors
    /// If a column has a type that streams do not have.
    pub fn take(&mut self, stream: &Arc<str>, rows: &RecordBatch) -> Result<(), ArrowError> {
        let mut hashes = vec![0_u64; rows.num_rows()];
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            mix(&mut hashes, xxh3_64(field.name().as_bytes()), column)?;
        }
        let (count, sum) = self.streams.entry(Arc::clone(stream)).or_default();
        *count += rows.num_rows() as u64;
        for hash in hashes {
            // A second, wider hash keeps sums of many rows from meeting by chance.
            *sum = sum.wrapping_add(
                u128::from(hash).wrapping_mul(0x2d35_8dcc_aa6c_78a5_8bb8_4b93_962e_acc9)
                    ^ u128::from(hash.rotate_left(29)),
            );
        }
        Ok(())
    }

    /// BLAKE3 over the streams, in hex.
    #[must_use]
    pub fn finish(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (stream, (count, sum)) in self.streams.iter().filter(|(_, (count, _))| *count > 0) {
            hasher.update(stream.as_bytes());
            hasher.update(&[0]);
            hasher.update(&count.to_le_bytes());
            hasher.update(&sum.to_le_bytes());
        }
        hasher.finalize().to_string()
    }
}

#[inline]
fn fold(hash: &mut u64, column: u64, value: u64) {
    let wide = u128::from(*hash ^ column ^ 0xa076_1d64_78bd_642f)
        * u128::from(value ^ column.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
    *hash = (wide as u64) ^ ((wide >> 64) as u64);
}

fn mix(hashes: &mut [u64], name: u64, column: &ArrayRef) -> Result<(), ArrowError> {
    if column.null_count() == column.len() {
        hashes.iter_mut().for_each(|hash| fold(hash, name, NULL));
        return Ok(());
    }
    match column.data_type() {
        DataType::Timestamp(..) | DataType::Int64 | DataType::Int32 => {
            let column = cast(column, &DataType::Int64)?;
            let values = column.as_primitive::<Int64Type>();
            each(hashes, name, &column, |row| values.value(row) as u64);
        }
        DataType::UInt64 | DataType::UInt32 => {
            let column = cast(column, &DataType::UInt64)?;
            let values = column.as_primitive::<UInt64Type>();
            each(hashes, name, &column, |row| values.value(row));
        }
        DataType::Float64 => {
            let values = column.as_primitive::<arrow::datatypes::Float64Type>();
            each(hashes, name, column, |row| values.value(row).to_bits());
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            each(hashes, name, column, |row| u64::from(values.value(row)));
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            each(hashes, name, column, |row| text(values.value(row)));
        }
        DataType::Utf8View => {
            let values = column.as_string_view();
            each(hashes, name, column, |row| text(values.value(row)));
        }
        DataType::Binary => {
            let values = column.as_binary::<i32>();
            each(hashes, name, column, |row| xxh3_64(values.value(row)));
        }
        DataType::Dictionary(..) if column.as_any().is::<DictionaryArray<UInt32Type>>() => {
            let dictionary = column.as_dictionary::<UInt32Type>();
            let values = cast(dictionary.values(), &DataType::Utf8)?;
            let values = values.as_string::<i32>();
            let known: Vec<u64> = (0..values.len())
                .map(|row| if values.is_null(row) { NULL } else { text(values.value(row)) })
                .collect();
            each(hashes, name, column, |row| known[dictionary.keys().value(row) as usize]);
        }
        DataType::Map(..) => {
            let map = column.as_map();
            let (keys, values) = (map.keys().as_string::<i32>(), map.values().as_string::<i32>());
            each(hashes, name, column, |row| {
                let entries = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
                entries.fold(1, |mut hash, entry| {
                    fold(&mut hash, text(keys.value(entry)), text(values.value(entry)));
                    hash
                })
            });
        }
        _ => {
            let column = cast(column, &DataType::Utf8)?;
            return mix(hashes, name, &column);
        }
    }
    Ok(())
}

fn each(hashes: &mut [u64], name: u64, column: &ArrayRef, value: impl Fn(usize) -> u64) {
    if column.null_count() == 0 {
        hashes.iter_mut().enumerate().for_each(|(row, hash)| fold(hash, name, value(row)));
        return;
    }
    for (row, hash) in hashes.iter_mut().enumerate() {
        fold(hash, name, if column.is_null(row) { NULL } else { value(row) });
    }
}

/// Texts and the names in a dictionary hash alike.
fn text(text: &str) -> u64 {
    xxh3_128(text.as_bytes()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringArray, StringDictionaryBuilder};
    use arrow::compute::concat_batches;

    fn rows(ids: &[&str], values: &[f64]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        let values: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("row_id", ids), ("value", values)]).expect("a batch")
    }

    fn hash(batches: &[RecordBatch]) -> String {
        let mut digest = Digest::default();
        let stream: Arc<str> = "telemetry".into();
        batches.iter().for_each(|batch| digest.take(&stream, batch).expect("known types"));
        digest.finish()
    }

    #[test]
    fn order_and_batches_do_not_matter_and_a_row_that_comes_twice_does() {
        let (one, two) = (rows(&["a", "b"], &[1.0, 2.0]), rows(&["c"], &[3.0]));
        let all = concat_batches(&one.schema(), [&two, &one]).expect("one schema");
        assert_eq!(hash(&[one.clone(), two.clone()]), hash(&[all]));
        assert_ne!(hash(&[one.clone(), two.clone()]), hash(&[one.clone(), two.clone(), two.clone()]));
        assert_ne!(hash(&[rows(&["a", "b"], &[1.0, 2.0])]), hash(&[rows(&["a", "b"], &[2.0, 1.0])]));
    }

    #[test]
    fn a_name_hashes_the_same_as_text_and_in_a_dictionary() {
        let mut builder = StringDictionaryBuilder::<UInt32Type>::new();
        builder.append_option(Some("lyon"));
        builder.append_option(None::<&str>);
        let names: ArrayRef = Arc::new(builder.finish());
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("lyon"), None]));
        let batch =
            |column| RecordBatch::try_from_iter_with_nullable([("site", column, true)]).expect("a batch");
        assert_eq!(hash(&[batch(names)]), hash(&[batch(texts)]));
    }

    #[test]
    fn whole_numbers_below_zero_are_told_apart() {
        let batch = |values: Vec<Option<i32>>| {
            let column: ArrayRef = Arc::new(Int32Array::from(values));
            RecordBatch::try_from_iter_with_nullable([("change", column, true)]).expect("a batch")
        };
        let hashes =
            [vec![Some(-1), Some(7)], vec![Some(-2), Some(7)], vec![None, Some(7)], vec![Some(0), Some(7)]]
                .map(|values| hash(&[batch(values)]));
        let distinct: std::collections::BTreeSet<&String> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
