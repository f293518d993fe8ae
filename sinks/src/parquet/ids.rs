//! A column of ids: text that never repeats, and often begins like the one before.

use arrow::array::StringArray;
use parquet::basic::Encoding;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, Compressor, Content, Presence, assemble};
use super::delta::Delta;

/// Encoder of a Utf8 column as DELTA_BYTE_ARRAY: what an id shares with the one before, and the rest of it.
#[derive(Debug)]
pub(super) struct IdsColumn {
    column: ColumnDescPtr,
    shared: Delta,
    rest: Delta,
    bytes: Vec<u8>,
    last: Vec<u8>,
    present: Presence,
}

impl IdsColumn {
    pub(super) fn new(column: ColumnDescPtr) -> Self {
        IdsColumn {
            column,
            shared: Delta::default(),
            rest: Delta::default(),
            bytes: Vec::new(),
            last: Vec::new(),
            present: Presence::default(),
        }
    }

    /// Appends a batch's column.
    pub(super) fn write(&mut self, ids: &StringArray) {
        let last = std::mem::take(&mut self.last);
        let mut before = last.as_slice();
        for id in ids {
            self.present.push(id.is_some(), 1);
            let Some(id) = id.map(str::as_bytes) else { continue };
            let shared = shared_length(before, id);
            self.shared.push(shared as i64);
            self.rest.push((id.len() - shared) as i64);
            self.bytes.extend_from_slice(&id[shared..]);
            before = id;
        }
        self.last = before.to_vec();
    }

    /// Bytes held for the row group in the making.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.shared.memory_bytes()
            + self.rest.memory_bytes()
            + self.present.memory_bytes()
    }

    /// Ends the row group.
    pub(super) fn finish(&mut self, compressor: &mut Compressor) -> Result<Chunk> {
        let lengths_bytes = self.shared.memory_bytes() + self.rest.memory_bytes();
        let mut values = Vec::with_capacity(self.bytes.len() + lengths_bytes);
        self.shared.finish(&mut values);
        self.rest.finish(&mut values);
        values.extend_from_slice(&self.bytes);
        self.bytes.clear();
        let content = Content {
            column: &self.column,
            present: &self.present,
            dictionary: None,
            values: &values,
            encoding: Encoding::DELTA_BYTE_ARRAY,
            // Ids are spread over all values, so bounds would spare no reader anything.
            statistics: None,
        };
        let chunk = assemble(content, compressor)?;
        self.last.clear();
        self.present = Presence::default();
        Ok(chunk)
    }
}

/// Bytes that both begin with; eight at a time.
fn shared_length(one: &[u8], other: &[u8]) -> usize {
    let mut shared = 0;
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        let (Ok(one), Ok(other)) = (one.try_into(), other.try_into()) else { break };
        let difference = u64::from_le_bytes(one) ^ u64::from_le_bytes(other);
        if difference != 0 {
            return shared + difference.trailing_zeros() as usize / 8;
        }
        shared += 8;
    }
    let rest = one[shared..].iter().zip(&other[shared..]);
    shared + rest.take_while(|(one, other)| one == other).count()
}
