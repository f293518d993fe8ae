//! Rows of partitions that no file has yet.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use super::place::Partition;

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
