//! A column of names: dictionary codes go straight from Arrow's dictionary to Parquet's.
//!
//! A name is hashed once a dictionary and row group, not once a row. What is left a row is one look into a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::datatypes::UInt32Type;
use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, Compressor, Content, Presence, assemble};
use super::hybrid;

/// Not yet looked up.
const UNKNOWN: u32 = u32::MAX;
/// The dictionary's entry is null.
const NULL: u32 = u32::MAX - 1;

/// Encoder of a `Dictionary(UInt32, Utf8)` column, for one row group after the other.
#[derive(Debug)]
pub(super) struct NamesColumn {
    column: ColumnDescPtr,
    /// Name to code in this row group.
    codes_by_name: BTreeMap<Box<str>, u32>,
    /// PLAIN-encoded names in the order of their codes.
    dictionary: Vec<u8>,
    codes: Vec<u32>,
    present: Presence,
    /// The Arrow dictionary of the last batch; `table` leads from its keys to codes.
    known: Option<ArrayRef>,
    table: Vec<u32>,
}

impl NamesColumn {
    pub(super) fn new(column: ColumnDescPtr) -> Self {
        NamesColumn {
            column,
            codes_by_name: BTreeMap::new(),
            dictionary: Vec::new(),
            codes: Vec::new(),
            present: Presence::default(),
            known: None,
            table: Vec::new(),
        }
    }

    /// Appends a batch's column.
    pub(super) fn write(&mut self, names: &DictionaryArray<UInt32Type>) {
        let values = names.values();
        // The same allocation means the same names; it is held, so its address cannot be used again.
        if !self.known.as_ref().is_some_and(|known| is_same(known, values)) {
            self.table.clear();
            self.table.resize(values.len(), UNKNOWN);
            self.known = Some(Arc::clone(values));
        }
        let values = values.as_string::<i32>();
        let keys = names.keys();
        if keys.null_count() == keys.len() {
            self.present.push(false, keys.len());
            return;
        }
        self.codes.reserve(keys.len());
        if keys.null_count() == 0 && values.null_count() == 0 {
            for key in keys.values() {
                let code = self.code(*key, values);
                self.codes.push(code);
            }
            self.present.push(true, keys.len());
            return;
        }
        for key in keys {
            let code = key.map_or(NULL, |key| self.code(key, values));
            self.present.push(code != NULL, 1);
            if code != NULL {
                self.codes.push(code);
            }
        }
    }

    #[inline]
    fn code(&mut self, key: u32, values: &StringArray) -> u32 {
        let code = self.table[key as usize];
        if code == UNKNOWN { self.look_up(key, values) } else { code }
    }

    #[cold]
    fn look_up(&mut self, key: u32, values: &StringArray) -> u32 {
        let code = if values.is_null(key as usize) {
            NULL
        } else {
            let name = values.value(key as usize);
            let next = u32::try_from(self.codes_by_name.len()).unwrap_or(NULL);
            match self.codes_by_name.get(name) {
                Some(code) => *code,
                None => {
                    self.dictionary
                        .extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
                    self.dictionary.extend_from_slice(name.as_bytes());
                    self.codes_by_name.insert(name.into(), next);
                    next
                }
            }
        };
        self.table[key as usize] = code;
        code
    }

    /// Bytes held for the row group in the making.
    pub(super) fn memory_bytes(&self) -> usize {
        self.codes.capacity() * 4 + self.dictionary.capacity() + self.present.memory_bytes()
    }

    /// Ends the row group.
    pub(super) fn finish(&mut self, compressor: &mut Compressor) -> Result<Chunk> {
        let distinct = self.codes_by_name.len();
        let width = hybrid::width(distinct);
        let mut values = vec![width];
        hybrid::encode(&self.codes, width, &mut values);
        let bound = |name: Option<&Box<str>>| name.map(|name| ByteArray::from(name.as_bytes().to_vec()));
        let statistics = Statistics::byte_array(
            bound(self.codes_by_name.keys().next()),
            bound(self.codes_by_name.keys().next_back()),
            Some(distinct as u64),
            Some(self.present.nulls() as u64),
            false,
        );
        let content = Content {
            column: &self.column,
            present: &self.present,
            dictionary: Some((std::mem::take(&mut self.dictionary), distinct)),
            values: &values,
            encoding: Encoding::RLE_DICTIONARY,
            statistics: Some(statistics),
        };
        let chunk = assemble(content, compressor)?;
        self.codes_by_name.clear();
        self.codes.clear();
        self.present = Presence::default();
        self.known = None;
        Ok(chunk)
    }
}

/// Whether two arrays are the same allocation.
fn is_same(one: &ArrayRef, other: &ArrayRef) -> bool {
    if Arc::ptr_eq(one, other) {
        return true;
    }
    let (Some(one), Some(other)) = (one.as_string_opt::<i32>(), other.as_string_opt::<i32>()) else {
        return false;
    };
    one.len() == other.len()
        && one.value_offsets().as_ptr() == other.value_offsets().as_ptr()
        && one.value_data().as_ptr() == other.value_data().as_ptr()
        && one.nulls().map(|nulls| nulls.inner().inner().as_ptr())
            == other.nulls().map(|nulls| nulls.inner().inner().as_ptr())
}
