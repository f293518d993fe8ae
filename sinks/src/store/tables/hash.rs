//! What an epoch brought, in a few letters.

use xxhash_rust::xxh3::Xxh3;

use super::Value;

/// Hash of an epoch's rows in their order.
#[derive(Default)]
pub(in crate::store) struct RowHash(Xxh3);

impl std::fmt::Debug for RowHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text())
    }
}

impl RowHash {
    pub(in crate::store) fn add(&mut self, table: usize, row: &[Value]) {
        self.0.update(&(table as u64).to_le_bytes());
        for value in row {
            // A byte for the kind, and lengths, so that no two rows give the same bytes.
            match value {
                Value::Null => self.0.update(&[0]),
                Value::Integer(value) => {
                    self.0.update(&[1]);
                    self.0.update(&value.to_le_bytes());
                }
                Value::Real(value) => {
                    self.0.update(&[2]);
                    self.0.update(&value.to_bits().to_le_bytes());
                }
                Value::Text(value) => {
                    self.0.update(&[3]);
                    self.0.update(&(value.len() as u64).to_le_bytes());
                    self.0.update(value.as_bytes());
                }
            }
        }
    }

    /// 16 hex digits.
    pub(in crate::store) fn text(&self) -> String {
        format!("{:016x}", self.0.digest())
    }
}
