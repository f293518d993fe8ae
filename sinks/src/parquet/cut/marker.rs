//! The file that says what is shown: the newest epoch, and what the latest ones brought.
//!
//! ```text
//! shown 2 51c0…
//! 17
//! 16 240 9f3c…
//! 17 3 04aa…
//! ```
//!
//! The first line has the version and a hash of all that follows: a number read wrongly would show rows twice or
//! never. Version 1 has no such line. One line per epoch with rows: number, rows, a hash of their ids. A start from an older checkpoint brings
//! the rows of shown epochs again; by these lines they are known for the same, and are not shown twice.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use ingest::time::Epoch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// Epochs that are remembered: as many as checkpoints can be kept.
const EPOCHS_MAX: usize = 1_000;

/// Begins the file.
const VERSION: &str = "shown 2 ";
const NUMBER: u32 = 2;

fn hash_of(body: &str) -> String {
    format!("{:032x}", xxh3_128(body.as_bytes()))
}

/// What an epoch brought: how many rows, and the sum of their ids' hashes, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) rows: u64,
    hash: u128,
}

impl Brought {
    /// Takes rows of a stream in.
    pub(super) fn add(&mut self, stream: &str, rows: &RecordBatch) {
        self.rows += rows.num_rows() as u64;
        let ids = rows.column_by_name("row_id").and_then(|ids| ids.as_string_opt::<i32>());
        let salt = xxh3_128(stream.as_bytes());
        for row in ids.iter().flat_map(|ids| (0..ids.len()).map(|row| ids.value(row))) {
            self.hash = self.hash.wrapping_add(xxh3_128(row.as_bytes()) ^ salt);
        }
    }
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) newest: Epoch,
    pub(super) brought: BTreeMap<u64, Brought>,
}

impl Marker {
    /// None if the text is no marker.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = match text.strip_prefix(VERSION) {
            Some(rest) => {
                let (hash, body) = rest.split_once('\n')?;
                if hash != hash_of(body) {
                    return None;
                }
                body
            }
            None => text,
        };
        let mut lines = body.lines();
        let newest = Epoch(lines.next()?.trim().parse().ok()?);
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (epoch, rows, hash) = (words.next()?, words.next()?, words.next()?);
            let hash = u128::from_str_radix(hash, 16).ok()?;
            Some((epoch.parse().ok()?, Brought { rows: rows.parse().ok()?, hash }))
        };
        Some(Marker { newest, brought: lines.map(line).collect::<Option<_>>()? })
    }

    /// The version of a text, if that is one to come.
    pub(super) fn newer(text: &str) -> Option<u32> {
        let number = text.strip_prefix("shown ")?.split(' ').next()?.parse().ok()?;
        (number > NUMBER).then_some(number)
    }

    pub(super) fn text(&self) -> String {
        let lines = self
            .brought
            .iter()
            .map(|(epoch, brought)| format!("{epoch} {} {:032x}\n", brought.rows, brought.hash));
        let body = format!("{}\n{}", self.newest.0, lines.collect::<String>());
        format!("{VERSION}{}\n{body}", hash_of(&body))
    }

    /// `epoch` and those before it are shown.
    pub(super) fn show(&mut self, epoch: Epoch, brought: &BTreeMap<u64, Brought>) {
        self.newest = epoch;
        self.brought.extend(brought.range(..=epoch.0));
        while self.brought.len() > EPOCHS_MAX {
            self.brought.pop_first();
        }
    }

    /// Whether what is shown of `epoch`, which is not above the newest, is `brought`.
    pub(super) fn has(&self, epoch: Epoch, brought: &Brought) -> bool {
        self.brought.get(&epoch.0).copied().unwrap_or_default() == *brought
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_as_it_was_written_and_one_without_lines_too() {
        let brought = BTreeMap::from([(16, Brought { rows: 240, hash: 1 << 90 }), (17, Brought::default())]);
        let marker = Marker { newest: Epoch(17), brought };
        assert_eq!(Marker::parse(&marker.text()), Some(marker));
        let older = Marker { newest: Epoch(17), brought: BTreeMap::new() };
        assert_eq!(Marker::parse("17"), Some(older));
        assert_eq!(Marker::parse(""), None);
        assert_eq!(Marker::parse("17\n16 240"), None);
    }

    /// An epoch number that was read wrongly by one bit showed rows twice.
    #[test]
    fn a_marker_that_is_read_wrongly_by_a_bit_or_not_to_its_end_is_none() {
        let brought = BTreeMap::from([(16, Brought { rows: 240, hash: 1 << 90 }), (17, Brought::default())]);
        let text = Marker { newest: Epoch(17), brought }.text();
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = std::str::from_utf8(&bytes).ok().and_then(Marker::parse);
            assert_eq!(read, None, "bit {bit}");
        }
        for end in 0..text.len() {
            assert_eq!(Marker::parse(&text[..end]), None, "{end} bytes of it");
        }
    }
}
