//! Rows of partitions that no file has yet.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;

use super::place::Partition;

/// A batch of few rows takes many times their memory. So many that came one after the other become one, unless they have
/// many rows together.
const SMALL_BATCHES: usize = 64;
const SMALL_ROWS: usize = 4_096;

/// Batches by partition, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Pending {
    partitions: BTreeMap<Partition, Held>,
    bytes: usize,
}

/// A partition's batches.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// The last batches, which have not been looked at yet.
    fresh: usize,
}

impl Pending {
    /// Takes rows in; returns how many the partition holds now.
    pub(super) fn push(&mut self, partition: Partition, batch: RecordBatch) -> usize {
        let bytes = memory_bytes(&batch);
        let held = self.partitions.entry(partition).or_default();
        held.rows += batch.num_rows();
        held.bytes += bytes;
        held.batches.push(batch);
        self.bytes += bytes;
        held.join_small();
        held.rows
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The partition that holds most.
    pub(super) fn largest(&self) -> Option<Partition> {
        self.partitions.iter().max_by_key(|(_, held)| held.bytes).map(|(partition, _)| partition.clone())
    }

    /// A partition of a stream.
    pub(super) fn of_stream(&self, stream: usize) -> Option<Partition> {
        self.partitions.keys().find(|partition| partition.stream == stream).cloned()
    }

    /// Any partition, the least first.
    pub(super) fn first(&self) -> Option<Partition> {
        self.partitions.keys().next().cloned()
    }

    /// Rows of a partition, to be looked at; [`Pending::remove`] forgets them.
    pub(super) fn get(&self, partition: &Partition) -> Option<&Held> {
        self.partitions.get(partition)
    }

    /// Forgets a partition's rows.
    pub(super) fn remove(&mut self, partition: &Partition) -> Option<Held> {
        let held = self.partitions.remove(partition)?;
        self.bytes -= held.bytes;
        Some(held)
    }
}

impl Held {
    fn join_small(&mut self) {
        self.fresh += 1;
        if self.fresh < SMALL_BATCHES {
            return;
        }
        self.fresh = 0;
        let first = self.batches.len() - SMALL_BATCHES;
        let small = &self.batches[first..];
        let rows: usize = small.iter().map(RecordBatch::num_rows).sum();
        // Those that cannot be one, since they name too much together, stay as they are.
        if rows < SMALL_ROWS
            && let Ok(joined) = concat_batches(small[0].schema_ref(), small)
        {
            self.batches.truncate(first);
            self.batches.push(joined);
        }
    }

    /// The rows from `first` on, `count` of them.
    pub(super) fn slices(&self, first: usize, count: usize) -> Vec<RecordBatch> {
        let (mut skip, mut left, mut slices) = (first, count, Vec::new());
        for batch in &self.batches {
            let rows = batch.num_rows();
            if skip >= rows {
                skip -= rows;
                continue;
            }
            let taken = left.min(rows - skip);
            if taken == 0 {
                break;
            }
            slices.push(batch.slice(skip, taken));
            left -= taken;
            skip = 0;
        }
        slices
    }
}

/// Bytes that the rows themselves hold. Dictionaries are shared between batches and do not count.
fn memory_bytes(batch: &RecordBatch) -> usize {
    let column_bytes = |column: &arrow::array::ArrayRef| match column.data_type() {
        DataType::Dictionary(..) => column.len() * 4,
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()),
    };
    batch.columns().iter().map(column_bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn many_batches_of_a_row_become_few_and_their_rows_stay_in_order() {
        let row = |number: i64| {
            let text: StringArray = [format!("job {number}")].iter().map(Some).collect();
            let columns: [(&str, Arc<dyn Array>); 2] =
                [("number", Arc::new(Int64Array::from(vec![number]))), ("job", Arc::new(text))];
            RecordBatch::try_from_iter(columns).expect("two columns")
        };
        let partition = Partition { stream: 0, day: None, site: None };
        let mut pending = Pending::default();
        for number in 0..1_000 {
            assert_eq!(pending.push(partition.clone(), row(number)), number as usize + 1);
        }
        let held = pending.get(&partition).expect("it holds rows");
        assert!(held.batches.len() < 1_000 / SMALL_BATCHES + SMALL_BATCHES, "{}", held.batches.len());
        let numbers = held.slices(100, 800);
        let numbers = numbers.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
        assert!(numbers.copied().eq(100..900));
    }
}
