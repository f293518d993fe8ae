//! Some rows of some blocks.

use std::borrow::Cow;

use super::super::names::Names;
use super::{Block, Joined, Lateness, Stretch};

/// Some rows of some blocks, to be turned into columns.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Rows<'a> {
    pub blocks: &'a [&'a Block],
    pub stretches: &'a [Stretch],
    /// Places of those that are meant among the rows of the stretches, ascending; all if none.
    pub at: Option<&'a [u32]>,
    pub names: &'a Names,
    /// Of all rows of the stretches, where the step columns are asked for; else these are null.
    pub joined: Option<&'a Joined>,
}

impl Rows<'_> {
    /// How many rows there are.
    #[must_use]
    pub(in crate::engine) fn len(&self) -> usize {
        let all = || self.stretches.iter().map(|stretch| stretch.to - stretch.from).sum();
        self.at.map_or_else(all, <[u32]>::len)
    }

    /// One column of each row, copied.
    pub(in crate::engine) fn copy<T: Copy>(&self, column: impl Fn(&Block) -> &[T]) -> Vec<T> {
        let mut copied = Vec::with_capacity(self.len());
        match (self.at, self.stretches) {
            (Some(at), [stretch]) => {
                let rows = &column(self.blocks[stretch.block])[stretch.from..stretch.to];
                copied.extend(at.iter().map(|&place| rows[place as usize]));
            }
            (Some(at), _) => {
                copied.extend(self.places(at).map(|(block, row)| column(self.blocks[block])[row]));
            }
            (None, stretches) => {
                for stretch in stretches {
                    let rows = &column(self.blocks[stretch.block])[stretch.from..stretch.to];
                    if let [row] = rows {
                        copied.push(*row);
                    } else {
                        copied.extend_from_slice(rows);
                    }
                }
            }
        }
        copied
    }

    /// One column of what the join says of each row.
    pub(super) fn copy_joined<T: Copy>(&self, column: &[T]) -> Vec<T> {
        match self.at {
            Some(at) => at.iter().map(|&place| column[place as usize]).collect(),
            None => column.to_vec(),
        }
    }

    /// Shows each row of its block.
    pub(super) fn each(&self, mut show: impl FnMut(usize, usize)) {
        match self.at {
            Some(at) => self.places(at).for_each(|(block, row)| show(block, row)),
            None => {
                for stretch in self.stretches {
                    (stretch.from..stretch.to).for_each(|row| show(stretch.block, row));
                }
            }
        }
    }

    /// Start and end of each row's run of a step; empty where no step is asked for.
    pub(in crate::engine) fn runs_ms(&self) -> Vec<(i64, i64)> {
        let Some(joined) = self.joined else { return Vec::new() };
        let of = |run: u32| joined.runs.get(run as usize).map_or(crate::window::NO_RUN, |run| run.run_ms);
        self.copy_joined(&joined.run).into_iter().map(of).collect()
    }

    /// Where the rows at `positions` (ascending, counted over all rows) are: block number and row.
    pub(in crate::engine) fn locate(&self, positions: &[u32]) -> impl Iterator<Item = (usize, usize)> {
        let at = self.at;
        let positions =
            positions.iter().map(move |&position| at.map_or(position, |at| at[position as usize]));
        self.located(positions)
    }

    fn places(&self, at: &[u32]) -> impl Iterator<Item = (usize, usize)> {
        self.located(at.iter().copied())
    }

    fn located(&self, places: impl Iterator<Item = u32>) -> impl Iterator<Item = (usize, usize)> {
        let mut stretches = self.stretches.iter();
        let (mut current, mut before) = (stretches.next(), 0);
        places.map_while(move |place| {
            while let Some(stretch) = current {
                let row = stretch.from + place as usize - before;
                if row < stretch.to {
                    return Some((stretch.block, row));
                }
                before += stretch.to - stretch.from;
                current = stretches.next();
            }
            None
        })
    }

    /// What [`Rows::at`] is for the rows at `positions` alone.
    #[must_use]
    pub(in crate::engine) fn pick<'b>(&self, positions: &'b [u32]) -> Cow<'b, [u32]> {
        match self.at {
            Some(at) => positions.iter().map(|&position| at[position as usize]).collect(),
            None => Cow::Borrowed(positions),
        }
    }

    /// What [`Rows::at`] is for those of messages behind `message` alone.
    #[must_use]
    pub(in crate::engine) fn newer_than(&self, message: u64) -> Vec<u32> {
        self.of_messages(|of| of > message)
    }

    /// The same for those of messages up to `message`.
    #[must_use]
    pub(in crate::engine) fn up_to(&self, message: u64) -> Vec<u32> {
        self.of_messages(|of| of <= message)
    }

    fn of_messages(&self, is_wanted: impl Fn(u64) -> bool) -> Vec<u32> {
        let messages = self.copy(|block| &block.readings.message);
        let wanted = (0..).zip(&messages).filter(|(_, message)| is_wanted(**message));
        self.pick(&wanted.map(|(position, _)| position).collect::<Vec<u32>>()).into_owned()
    }

    /// Whether any of them is late.
    #[must_use]
    pub(in crate::engine) fn has_late(&self) -> bool {
        let is_late = |stretch: &Stretch| {
            let lateness = &self.blocks[stretch.block].lateness[stretch.from..stretch.to];
            lateness.contains(&(Lateness::Late as u8))
        };
        self.stretches.iter().any(is_late)
    }

    /// What [`Rows::at`] is for the late ones alone, or for the others.
    #[must_use]
    pub(in crate::engine) fn of_lateness(&self, is_late: bool) -> Vec<u32> {
        let lateness = self.copy(|block| &block.lateness);
        let wanted =
            (0..).zip(&lateness).filter(|(_, lateness)| (**lateness == Lateness::Late as u8) == is_late);
        self.pick(&wanted.map(|(position, _)| position).collect::<Vec<u32>>()).into_owned()
    }
}
