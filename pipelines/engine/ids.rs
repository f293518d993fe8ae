//! Row ids: what a row says, as a short name, so that a repeat is recognised anywhere.

use xxhash_rust::xxh3::xxh3_128;

/// The id of a reading: ordinal of its message and its place there.
#[must_use]
pub fn reading_id(message: u64, index: u32) -> String {
    format!("{message}-{index}")
}

/// The id of any other row: XXH3-128 over the parts, each with its length, as 32 hex digits.
#[must_use]
pub fn row_id(stream: &str, parts: &[&[u8]]) -> String {
    RowIds::new(stream).id(parts).to_owned()
}

/// Ids of many rows of a stream, without memory of its own for each.
#[derive(Debug)]
pub(crate) struct RowIds {
    /// What is hashed; the stream's part stays.
    bytes: Vec<u8>,
    stream_len: usize,
    digits: [u8; 32],
}

impl RowIds {
    pub(crate) fn new(stream: &str) -> Self {
        let mut bytes = Vec::with_capacity(128);
        put(&mut bytes, stream.as_bytes());
        RowIds { stream_len: bytes.len(), bytes, digits: [0; 32] }
    }

    /// See [`row_id`].
    pub(crate) fn id(&mut self, parts: &[&[u8]]) -> &str {
        self.bytes.truncate(self.stream_len);
        parts.iter().for_each(|part| put(&mut self.bytes, part));
        let hash = xxh3_128(&self.bytes).to_be_bytes();
        for (digits, byte) in self.digits.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
            *digits = [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        }
        std::str::from_utf8(&self.digits).expect("hex digits")
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_run_into_each_other_give_different_ids() {
        assert_ne!(row_id("usage", &[b"ab", b"c"]), row_id("usage", &[b"a", b"bc"]));
        assert_ne!(row_id("usage", &[b"a"]), row_id("steps", &[b"a"]));
        assert_eq!(row_id("usage", &[b"a"]).len(), 32);
    }

    #[test]
    fn ids_are_the_same_in_every_version() {
        let mut ids = RowIds::new("usage");
        assert_eq!(ids.id(&[b"lyon", b"bay-01"]), "d88a2a7691a200eba3130320109c6f59");
        let long = [7_u8; 300];
        assert_eq!(ids.id(&[&long]), "899292fdc41b76cfb7e2f62a341bf239");
        assert_eq!(ids.id(&[]), row_id("usage", &[]));
    }
}
