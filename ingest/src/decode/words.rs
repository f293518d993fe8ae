//! A payload as words of eight bytes, which are read without a look at where it ends.
//!
//! They are read where the payload lies, for behind it there mostly is another message; the last ones of an intake are
//! copied to where there is room. (Copying all of them costs more than reading them: a word that reaches over two
//! stores waits until both have left the processor, and these wait for everything that was stored before them.)

use crate::entry::MessageRef;

/// Bytes behind the payload that may be read with its last ones.
const ROOM_BYTES: usize = 24;

/// What most payloads are far below.
const COPY_BYTES_MAX: usize = 1024;

/// A payload, and anything behind it: whoever reads on there ends behind the payload, and has to see that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a>(&'a [u8]);

impl Words<'_> {
    /// Eight bytes as they lie in memory.
    #[inline(always)]
    pub(super) fn at(self, place: usize) -> u64 {
        let chunk = self.0.get(place..).and_then(<[u8]>::first_chunk);
        chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
    }
}

/// A place for payloads that have no room behind them.
#[derive(Debug)]
pub(super) struct Copied(Box<[u8; COPY_BYTES_MAX + ROOM_BYTES]>);

impl Default for Copied {
    fn default() -> Self {
        Copied(Box::new([0; COPY_BYTES_MAX + ROOM_BYTES]))
    }
}

impl Copied {
    /// The words of a message; none if it would have to be copied and is too long.
    #[inline(always)]
    pub(super) fn words<'w>(&'w mut self, message: &MessageRef<'w>) -> Option<Words<'w>> {
        if message.payload.len() + ROOM_BYTES <= message.from_payload.len() {
            return Some(Words(message.from_payload));
        }
        self.copy(message.payload)
    }

    #[inline(never)]
    fn copy(&mut self, payload: &[u8]) -> Option<Words<'_>> {
        if payload.len() > COPY_BYTES_MAX {
            return None;
        }
        self.0[..payload.len()].copy_from_slice(payload);
        Some(Words(self.0.as_slice()))
    }
}
