//! The block that is being filled, and the empty ones that wait for their turn.
//!
//! Readings are decoded for a few messages at a time into memory that stays in the processor's cache, and what is left of
//! them goes into the block column by column. Decoded there at once, each would touch a dozen lines of memory that is not
//! near, one after the other, and the next message would wait for them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::Engine;
use super::block::{BLOCK_ROWS, Block};
use super::rules::Threads;

/// Blocks kept for their memory: a tick lets go of about as many as the second before it filled.
const SPARE_BLOCKS: usize = 8;

impl Engine {
    /// Blocks are full at so many rows. No result hangs on it.
    pub fn fill_blocks_to(&mut self, rows: NonZeroUsize) {
        self.block_rows = rows.get();
    }

    /// Windows are folded on so many threads, however little there is to do. No result hangs on it.
    pub fn fold_on(&mut self, threads: NonZeroUsize) {
        self.rules.threads = Threads::exactly(threads);
    }

    /// The open block; `next` is open in its place.
    pub(super) fn exchange_open(&mut self, next: Block) -> Block {
        let mut block = std::mem::replace(&mut self.open, next);
        // Texts and tag sets are numbered by the decoder, which has those of the open block.
        let (decoded, next) = (&mut self.decoded.readings, &mut self.open.readings);
        block.readings.texts = std::mem::replace(&mut decoded.texts, std::mem::take(&mut next.texts));
        block.readings.tag_sets =
            std::mem::replace(&mut decoded.tag_sets, std::mem::take(&mut next.tag_sets));
        block
    }

    /// The rows of the open block, which is empty afterwards. They wait for their bays, so their memory is about as large as
    /// they are: those of a second of few messages are copied.
    pub(super) fn take_open(&mut self) -> Block {
        if self.open.readings.len() > BLOCK_ROWS / 2 {
            let mut next = self.spare.pop().unwrap_or_default();
            // The last message may have more readings than there is room.
            next.reserve(BLOCK_ROWS + BLOCK_ROWS / 16);
            return self.exchange_open(next);
        }
        let mut block = self.open.clone();
        self.open.clear();
        block.readings.texts = std::mem::take(&mut self.decoded.readings.texts);
        block.readings.tag_sets = std::mem::take(&mut self.decoded.readings.tag_sets);
        block
    }

    /// Keeps the memory of blocks that nobody waits in any more, for the next ones; not of those that a huge message
    /// has made large.
    pub(super) fn recycle(&mut self, blocks: Vec<Arc<Block>>) {
        for mut block in blocks.into_iter().filter_map(Arc::into_inner) {
            let is_usual = (BLOCK_ROWS..=2 * BLOCK_ROWS).contains(&block.bay.capacity());
            if is_usual && self.spare.len() < SPARE_BLOCKS {
                block.clear();
                self.spare.push(block);
            }
        }
    }
}
