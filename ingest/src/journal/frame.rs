//! The bytes around an entry.

use crate::time::Offset;

pub(super) const HEAD_BYTES: usize = 32;

/// Frames begin at multiples of this.
pub(super) const ALIGN_BYTES: usize = 8;

/// What stands before an entry. The journal's head has the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) entry_bytes: u32,
    checksum: u32,
    pub(super) offset: Offset,
    pub(super) durable: Offset,
    pub(super) next_message: u64,
}

impl FrameHead {
    /// The head of an entry that is given in two parts.
    pub(super) fn of(offset: Offset, durable: Offset, next_message: u64, entry: [&[u8]; 2]) -> Self {
        let entry_bytes = entry[0].len() + entry[1].len();
        let entry_bytes = u32::try_from(entry_bytes).expect("larger entries were refused");
        let mut head = FrameHead { entry_bytes, checksum: 0, offset, durable, next_message };
        head.checksum = head.checksum_with(entry);
        head
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..4].copy_from_slice(&self.entry_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.durable.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.next_message.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Self {
        FrameHead {
            entry_bytes: u32_at(bytes, 0),
            checksum: u32_at(bytes, 4),
            offset: Offset(u64_at(bytes, 8)),
            durable: Offset(u64_at(bytes, 16)),
            next_message: u64_at(bytes, 24),
        }
    }

    /// Whether head and entry are as they were written.
    pub(super) fn is_of(&self, entry: &[u8]) -> bool {
        self.checksum == self.checksum_with([entry, &[]])
    }

    /// Whether changing one bit of head or entry makes the frame whole. `content` is what stands behind the head. A
    /// torn frame lacks whole sectors; one that lacks a single bit was whole, and was damaged since.
    pub(super) fn is_whole_but_for_a_bit(&self, content: &[u8]) -> bool {
        let of_length = (0..u32::BITS).any(|bit| {
            let head = FrameHead { entry_bytes: self.entry_bytes ^ 1 << bit, ..*self };
            head.entry_bytes > 0
                && content.get(..head.entry_bytes as usize).is_some_and(|entry| head.is_of(entry))
        });
        let Some(entry) = content.get(..self.entry_bytes as usize).filter(|entry| !entry.is_empty()) else {
            return of_length;
        };
        let difference = self.checksum ^ self.checksum_with([entry, &[]]);
        of_length || difference.count_ones() == 1 || is_one_bit(difference, HEAD_BYTES - 4 + entry.len())
    }

    fn checksum_with(&self, entry: [&[u8]; 2]) -> u32 {
        let bytes = self.encode();
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes[0..4]), &bytes[8..]);
        entry.iter().fold(checksum, |checksum, part| crc32c::crc32c_append(checksum, part))
    }
}

/// Whether checksums that differ by `difference` are of contents of `bytes` bytes that differ by one bit. CRC is
/// linear: the last bit of the content changes it by a known pattern, each bit before by the next one of a cycle.
fn is_one_bit(difference: u32, bytes: usize) -> bool {
    /// CRC-32C, bits in reverse.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut pattern = 1;
    (0..bytes * 8).any(|_| {
        pattern = pattern >> 1 ^ if pattern & 1 == 1 { POLYNOMIAL } else { 0 };
        pattern == difference
    })
}

/// What a frame takes in the file.
pub(super) fn frame_bytes(entry_bytes: usize) -> u64 {
    (HEAD_BYTES + entry_bytes).next_multiple_of(ALIGN_BYTES) as u64
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_of_a_frame_that_is_another_one_is_seen_to_be_that() {
        let entry: Vec<u8> = (0..41).map(|number| number * 7 + 1).collect();
        let head = FrameHead::of(Offset(9), Offset(8), 77, [&entry, &[]]);
        let frame = [head.encode().as_slice(), &entry, &[0; 64]].concat();
        for bit in 0..(HEAD_BYTES + entry.len()) * 8 {
            let mut bytes = frame.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (head, content) = bytes.split_first_chunk().expect("a head");
            assert!(FrameHead::decode(head).is_whole_but_for_a_bit(content), "bit {bit}");
            // Three bits are another matter.
            bytes[(bit / 8 + 9) % (HEAD_BYTES + entry.len())] ^= 6;
            let (head, content) = bytes.split_first_chunk().expect("a head");
            assert!(!FrameHead::decode(head).is_whole_but_for_a_bit(content), "bit {bit} and two more");
        }
    }
}
