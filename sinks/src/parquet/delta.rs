//! Parquet's DELTA_BINARY_PACKED: differences to the value before, in as few bits as a few neighbours need.
//!
//! A header (values a block, parts of a block, count, first value), then blocks of 128 differences: the least
//! of them, a width in bits for each of four parts, and the parts with the least subtracted.

use super::hybrid::varint;

const BLOCK: usize = 128;
const PART: usize = 32;

/// Takes values one after the other; holds only the block in the making and the bytes before it.
#[derive(Debug)]
pub(super) struct Delta {
    count: usize,
    first: i64,
    last: i64,
    block: Box<[i64; BLOCK]>,
    /// Differences in `block`.
    filled: usize,
    blocks: Vec<u8>,
}

impl Default for Delta {
    fn default() -> Self {
        Delta { count: 0, first: 0, last: 0, block: Box::new([0; BLOCK]), filled: 0, blocks: Vec::new() }
    }
}

impl Delta {
    pub(super) fn push(&mut self, value: i64) {
        if self.count == 0 {
            self.first = value;
        } else {
            self.block[self.filled] = value.wrapping_sub(self.last);
            self.filled += 1;
            if self.filled == BLOCK {
                self.end_block();
            }
        }
        self.last = value;
        self.count += 1;
    }

    fn end_block(&mut self) {
        let deltas = &mut self.block[..self.filled];
        let Some(least) = deltas.iter().copied().min() else { return };
        zigzag(least, &mut self.blocks);
        let mut widths = [0_u8; BLOCK / PART];
        for (width, part) in widths.iter_mut().zip(deltas.chunks_mut(PART)) {
            let mut bits = 0;
            for delta in part {
                // Wraps like the reader's sum does; what counts is the bit pattern.
                *delta = delta.wrapping_sub(least);
                bits |= *delta as u64;
            }
            *width = (u64::BITS - bits.leading_zeros()) as u8;
        }
        self.blocks.extend_from_slice(&widths);
        // A part in use is always whole.
        self.block[self.filled..].fill(0);
        for (width, part) in widths.iter().zip(self.block.chunks(PART)).take(self.filled.div_ceil(PART)) {
            pack(part, u32::from(*width), &mut self.blocks);
        }
        self.filled = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.capacity() + BLOCK * 8
    }

    /// Appends everything to `out` and begins anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.filled > 0 {
            self.end_block();
        }
        for number in [BLOCK, BLOCK / PART, self.count] {
            varint(number as u64, out);
        }
        zigzag(self.first, out);
        out.extend_from_slice(&self.blocks);
        self.blocks.clear();
        self.count = 0;
    }
}

/// 32 values are `4 * width` whole bytes.
fn pack(part: &[i64], width: u32, out: &mut Vec<u8>) {
    let (mut word, mut bits) = (0_u128, 0);
    for value in part {
        word |= u128::from(*value as u64) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(word as u64).to_le_bytes());
            word >>= 64;
            bits -= 64;
        }
    }
    out.extend_from_slice(&(word as u64).to_le_bytes()[..bits as usize / 8]);
}

/// Small numbers of both signs become small varints.
fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}
