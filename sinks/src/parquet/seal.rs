//! A hash of the whole file among its facts, so that what is read back to grow is what was written.
//!
//! Row groups are copied into the grown file as they are, and Parquet's own checksums are optional: without a hash a
//! bit that was read wrongly would go from file to file. The hash is of the file with [`BLANK`] in the hash's place.

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use xxhash_rust::xxh3::Xxh3;

const KEY: &str = "andon.hash";
/// As long as a hash in hex.
const BLANK: &str = "the-hash-of-this-file-goes-here.";

/// The fact that [`seal`] fills in.
pub(super) fn blank() -> (&'static str, String) {
    (KEY, BLANK.to_owned())
}

/// Puts the hash in its place.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(at) = last_place_of(&bytes, BLANK) {
        let hash = hash_around(&bytes, at);
        bytes[at..at + BLANK.len()].copy_from_slice(hash.as_bytes());
    }
    bytes
}

/// A file without a hash is an older version's, and believed. Errors: it is not what was written.
pub(super) fn check(bytes: &Bytes, metadata: &ParquetMetaData) -> Result<()> {
    let facts = metadata.file_metadata().key_value_metadata();
    let fact = facts.and_then(|facts| facts.iter().find(|fact| fact.key == KEY));
    let Some(told) = fact.and_then(|fact| fact.value.as_deref()) else { return Ok(()) };
    let at = if told.len() == BLANK.len() { last_place_of(bytes, told) } else { None };
    if at.is_none_or(|at| hash_around(bytes, at) != told) {
        return Err(ParquetError::General("its hash does not fit its content".to_owned()));
    }
    Ok(())
}

/// The footer is at the end, so the search is short.
fn last_place_of(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len()).rposition(|window| window == text.as_bytes())
}

fn hash_around(bytes: &[u8], at: usize) -> String {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..at]);
    hash.update(BLANK.as_bytes());
    hash.update(&bytes[at + BLANK.len()..]);
    format!("{:032x}", hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_differs_from_any_other() {
        let sealed = seal(format!("rows {BLANK} footer").into_bytes());
        let told = std::str::from_utf8(&sealed[5..37]).expect("hex").to_owned();
        assert_eq!(hash_around(&sealed, 5), told);
        for bit in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let told_now = std::str::from_utf8(&bytes[5..37]).unwrap_or_default();
            assert_ne!(hash_around(&bytes, 5), told_now, "bit {bit}");
        }
    }
}
