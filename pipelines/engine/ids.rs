//! Row ids: what a row says, as a short name, so that a repeat is recognised anywhere.

use xxhash_rust::xxh3::Xxh3;

/// The id of a reading: ordinal of its message and its place there.
#[must_use]
pub fn reading_id(message: u64, index: u32) -> String {
    format!("{message}-{index}")
}

/// The id of any other row: XXH3-128 over the parts, each with its length, as 32 hex digits.
#[must_use]
pub fn row_id(stream: &str, parts: &[&[u8]]) -> String {
    let mut hasher = Xxh3::new();
    for part in std::iter::once(&stream.as_bytes()).chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("{:032x}", hasher.digest128())
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
}
