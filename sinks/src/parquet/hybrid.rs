//! Parquet's RLE and bit-packing hybrid: how dictionary codes and null levels are stored.
//!
//! A run is a varint header and data: `length << 1` then the value for a repeated value, or
//! `groups << 1 | 1` then groups of eight values, bit-packed from the lowest bit on.

/// Bits that hold every code below `distinct`.
pub(super) fn width(distinct: usize) -> u8 {
    let highest = u32::try_from(distinct.saturating_sub(1)).unwrap_or(u32::MAX);
    u8::try_from(u32::BITS - highest.leading_zeros()).unwrap_or(32)
}

/// Appends `values`, each below `1 << width`, to `out`.
pub(super) fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    let mut at = 0;
    // First value of the group run that is not yet written; a whole number of eights before `at`.
    let mut packed_from = 0;
    while at < values.len() {
        let run = run_length(&values[at..]);
        if run >= 8 {
            pack(&values[packed_from..at], width, out);
            repeat(values[at], run, width, out);
            at += run;
            packed_from = at;
        } else {
            at = (at + 8).min(values.len());
        }
    }
    pack(&values[packed_from..], width, out);
}

/// Appends one value `count` times to `out`.
pub(super) fn repeat(value: u32, count: usize, width: u8, out: &mut Vec<u8>) {
    if count == 0 {
        return;
    }
    varint((count as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
}

/// How often the first value stands at the front.
fn run_length(values: &[u32]) -> usize {
    let first = values[0];
    values.iter().position(|value| *value != first).unwrap_or(values.len())
}

fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    out.reserve(groups * usize::from(width));
    let mut whole = values.chunks_exact(8);
    for group in &mut whole {
        pack_group(group, width, out);
    }
    let rest = whole.remainder();
    if !rest.is_empty() {
        let mut group = [0_u32; 8];
        group[..rest.len()].copy_from_slice(rest);
        pack_group(&group, width, out);
    }
}

/// Eight values are `width` whole bytes.
fn pack_group(group: &[u32], width: u8, out: &mut Vec<u8>) {
    if width <= 8 {
        let mut word = 0_u64;
        for (index, value) in group.iter().enumerate() {
            word |= u64::from(*value) << (index * usize::from(width));
        }
        out.extend_from_slice(&word.to_le_bytes()[..usize::from(width)]);
        return;
    }
    let (mut word, mut bits) = (0_u64, 0);
    for value in group {
        word |= u64::from(*value) << bits;
        bits += u32::from(width);
        while bits >= 8 {
            out.push(word.to_le_bytes()[0]);
            word >>= 8;
            bits -= 8;
        }
    }
}

/// Seven bits a byte, lowest first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reader after the format's description, independent of the writer above.
    fn decode(bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let (mut at, mut values) = (0, Vec::new());
        let bit = |from: usize, index: usize| u32::from(bytes[from + index / 8] >> (index % 8) & 1);
        while values.len() < count {
            let (mut header, mut shift) = (0_usize, 0);
            loop {
                let byte = bytes[at];
                at += 1;
                header |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            let bits = usize::from(width);
            let value = |from: usize, first: usize| (0..bits).map(|b| bit(from, first + b) << b).sum::<u32>();
            if header & 1 == 0 {
                values.extend(std::iter::repeat_n(value(at, 0), header >> 1));
                at += bits.div_ceil(8);
            } else {
                values.extend((0..(header >> 1) * 8).map(|index| value(at, index * bits)));
                at += (header >> 1) * bits;
            }
        }
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(
            runs in prop::collection::vec((0_u32..70_000, 1_usize..40), 0..60),
            distinct in 1_usize..70_000,
        ) {
            let values: Vec<u32> = runs
                .iter()
                .flat_map(|(value, length)| std::iter::repeat_n(value % distinct as u32, *length))
                .collect();
            let mut out = Vec::new();
            encode(&values, width(distinct), &mut out);
            prop_assert_eq!(decode(&out, width(distinct), values.len()), values);
        }
    }

    #[test]
    fn a_constant_takes_a_few_bytes() {
        let mut out = Vec::new();
        encode(&[0; 100_000], width(1), &mut out);
        assert_eq!(out.len(), 3, "a header of three bytes and a value of no bits");
    }
}
