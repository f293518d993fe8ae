//! Waiting rows as a checkpoint keeps them: their places, by bay and second of event time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::block::Block;
use super::{Hold, Waiting};

/// [`Hold`] in a checkpoint.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    /// Blocks, with how many rows of each wait.
    blocks: VecDeque<(Arc<Block>, u32)>,
    /// Number of the first of them.
    first_block: u64,
    /// By number.
    bays: Vec<OfBay>,
}

#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct OfBay {
    /// By second of event time, oldest first.
    seconds: VecDeque<(i64, Vec<Place>)>,
}

/// Place of a row: block number in the high 32 bits, row in the low 32. (A block ends with a whole message, and a
/// message may have a hundred thousand readings.)
type Place = u64;

impl From<Hold> for Kept {
    fn from(hold: Hold) -> Kept {
        let mut bays: Vec<BTreeMap<i64, Vec<Place>>> = vec![BTreeMap::new(); hold.before_ms.len()];
        let mut blocks = VecDeque::new();
        for (number, waiting) in (hold.gone..).zip(hold.blocks) {
            let mut rows = 0;
            for row in waiting.rows() {
                let second = waiting.block.readings.ts_ms[row].div_euclid(1000);
                let bay = &mut bays[waiting.block.bay[row] as usize];
                bay.entry(second).or_default().push(number << 32 | row as u64);
                rows += 1;
            }
            blocks.push_back((waiting.block, rows));
        }
        let of_bay = |seconds: BTreeMap<i64, Vec<Place>>| OfBay { seconds: seconds.into_iter().collect() };
        Kept { blocks, first_block: hold.gone, bays: bays.into_iter().map(of_bay).collect() }
    }
}

impl TryFrom<Kept> for Hold {
    type Error = &'static str;

    fn try_from(kept: Kept) -> Result<Hold, &'static str> {
        let mut hold = Hold { gone: kept.first_block, ..Hold::default() };
        kept.blocks.into_iter().for_each(|(block, _)| hold.take_shared(block));
        hold.blocks.iter_mut().for_each(Waiting::none);
        for &place in kept.bays.iter().flat_map(|bay| &bay.seconds).flat_map(|(_, places)| places) {
            let block = (place >> 32).checked_sub(kept.first_block);
            let waiting = block.and_then(|block| hold.blocks.get_mut(block as usize));
            let is_there = waiting.is_some_and(|waiting| waiting.add((place & 0xffff_ffff) as usize));
            is_there.then_some(()).ok_or("a row waits that is in no block")?;
        }
        hold.forget_empty();
        Ok(hold)
    }
}
