//! The block that readings are decoded into, and the empty ones that wait for their turn.

use std::sync::Arc;

use super::Engine;
use super::block::{BLOCK_ROWS, Block};

/// Blocks kept for their memory: a tick lets go of about as many as the second before it filled.
const SPARE_BLOCKS: usize = 8;

impl Engine {
    /// The open block; `next` is open in its place.
    pub(super) fn exchange_open(&mut self, next: Block) -> Block {
        Block {
            readings: std::mem::replace(&mut self.decoded.readings, next.readings),
            bay: std::mem::replace(&mut self.open_bay, next.bay),
            lateness: std::mem::replace(&mut self.open_lateness, next.lateness),
        }
    }

    /// Keeps the memory of blocks that nobody waits in any more, for the next ones; not of those that a huge message
    /// has made large.
    pub(super) fn recycle(&mut self, blocks: Vec<Arc<Block>>) {
        for mut block in blocks.into_iter().filter_map(Arc::into_inner) {
            if self.spare.len() < SPARE_BLOCKS && block.bay.capacity() <= 2 * BLOCK_ROWS {
                block.clear();
                self.spare.push(block);
            }
        }
    }
}
