//! Row groups of all partitions merged by message.

use arrow::array::RecordBatch;

use super::HistoryError;
use super::folder::{Group, StreamFiles};
use super::group::OpenGroup;

/// Rows that are handed on at a time, if there are so many.
const READY_ROWS: usize = 16_384;

/// Decoded rows.
pub(super) trait Rows {
    /// How many.
    fn len(&self) -> usize;
    /// Message and place in it of a row; none if nobody wants the row.
    fn place(&self, row: usize) -> Option<(u64, u32)>;
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    message: u64,
    index: u32,
    /// Batch and row.
    pub batch: u32,
    pub row: u32,
}

/// Merges. Bound: row groups that overlap in their messages are open at once, each with what its columns need, and
/// rows wait for those of older messages only.
#[derive(Debug)]
pub(super) struct Merge<B> {
    /// Not yet open, those with the oldest messages last.
    groups: Vec<Group>,
    open: Vec<OpenGroup>,
    wanted: Vec<String>,
    batches: Vec<Option<(B, usize)>>,
    /// In message order, but for the newest ones.
    order: Vec<Place>,
    sorted: usize,
    /// Rows of the row groups so far.
    pub read: u64,
}

impl<B: Rows> Merge<B> {
    pub(super) fn new(files: StreamFiles, wanted: Vec<String>) -> Self {
        let mut groups = files.groups;
        groups.reverse();
        groups.sort_by_key(|group| std::cmp::Reverse(group.least_message));
        Merge { groups, open: Vec::new(), wanted, batches: Vec::new(), order: Vec::new(), sorted: 0, read: 0 }
    }

    /// The next rows in message order, whole messages; none at the end.
    pub(super) fn next(
        &mut self,
        mut decode: impl FnMut(&RecordBatch, &str) -> Result<B, HistoryError>,
    ) -> Result<Vec<Place>, HistoryError> {
        loop {
            let least = self.least();
            let fresh = self.order.len() - self.sorted;
            if least.is_none() || fresh > READY_ROWS.max(self.order.len() / 3) {
                // Long stretches are in order already.
                self.order.sort_by_key(|place| (place.message, place.index));
                self.sorted = self.order.len();
                let ready = match least {
                    Some(message) => self.order.partition_point(|place| place.message < message),
                    None => self.order.len(),
                };
                if ready >= READY_ROWS || least.is_none() {
                    let rest = self.order.split_off(self.whole(ready));
                    self.sorted = rest.len();
                    return Ok(std::mem::replace(&mut self.order, rest));
                }
            }
            if let Some(message) = least {
                self.pull(message, &mut decode)?;
            }
        }
    }

    /// The end of the last whole message of at most some ready rows.
    fn whole(&self, ready: usize) -> usize {
        let mut end = ready.min(4 * READY_ROWS);
        while 0 < end && end < ready && self.order[end].message == self.order[end - 1].message {
            end += 1;
        }
        end
    }

    /// The oldest message that any row can have that is not here yet.
    fn least(&self) -> Option<u64> {
        let open = self.open.iter().filter_map(OpenGroup::least_message);
        open.chain(self.groups.last().map(|group| group.least_message)).min()
    }

    fn pull(
        &mut self,
        message: u64,
        decode: &mut impl FnMut(&RecordBatch, &str) -> Result<B, HistoryError>,
    ) -> Result<(), HistoryError> {
        let next = self.open.iter().position(|group| group.least_message() == Some(message));
        let Some(at) = next else {
            if let Some(group) = self.groups.pop() {
                self.open.push(OpenGroup::open(group, &self.wanted)?);
            }
            return Ok(());
        };
        let group = &mut self.open[at];
        if let Some(rows) = group.next()? {
            self.read += rows.num_rows() as u64;
            let batch = decode(&rows, group.site())?;
            let slot = self.batches.iter().position(Option::is_none).unwrap_or(self.batches.len());
            let number = u32::try_from(slot).expect("far fewer batches");
            let before = self.order.len();
            self.order.extend((0..batch.len()).filter_map(|row| {
                let (message, index) = batch.place(row)?;
                Some(Place { message, index, batch: number, row: u32::try_from(row).ok()? })
            }));
            let wanted = self.order.len() - before;
            if wanted > 0 {
                let entry = Some((batch, wanted));
                if slot < self.batches.len() {
                    self.batches[slot] = entry;
                } else {
                    self.batches.push(entry);
                }
            }
        }
        if self.open[at].least_message().is_none() {
            self.open.swap_remove(at);
        }
        Ok(())
    }

    /// The batch of a place that [`Merge::next`] gave.
    pub(super) fn batch(&self, number: u32) -> &B {
        &self.batches[number as usize].as_ref().expect("it is kept while rows of it are left").0
    }

    /// These rows are taken.
    pub(super) fn release(&mut self, places: &[Place]) {
        for place in places {
            let slot = &mut self.batches[place.batch as usize];
            if let Some((_, left)) = slot {
                *left -= 1;
                if *left == 0 {
                    *slot = None;
                }
            }
        }
    }
}
