//! Several recordings as one: by arrival, then the order of the arguments, then line.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Recorded, RecordedMessages, Recording, RecordingError};

/// Recordings merged as they are read. Each is in order of arrival, so only their heads are compared.
#[derive(Debug)]
pub struct MergedRecordings {
    inputs: Vec<Recording>,
    /// (arrival, place in `inputs`) of those whose current message is still to come.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    current: usize,
    is_begun: bool,
}

impl MergedRecordings {
    /// In the order of the arguments.
    #[must_use]
    pub fn new(inputs: Vec<Recording>) -> Self {
        MergedRecordings { inputs, heads: BinaryHeap::new(), current: 0, is_begun: false }
    }

    fn advance_one(&mut self, place: usize) -> Result<(), RecordingError> {
        if self.inputs[place].advance()? {
            self.heads.push(Reverse((self.inputs[place].current().arrived_ms(), place)));
        }
        Ok(())
    }
}

impl RecordedMessages for MergedRecordings {
    fn advance(&mut self) -> Result<bool, RecordingError> {
        if self.inputs.len() == 1 {
            return self.inputs[0].advance();
        }
        if self.is_begun {
            self.advance_one(self.current)?;
        } else {
            self.is_begun = true;
            for place in 0..self.inputs.len() {
                self.advance_one(place)?;
            }
        }
        let next = self.heads.pop();
        self.current = next.map_or(self.current, |Reverse((_, place))| place);
        Ok(next.is_some())
    }

    fn current(&self) -> Recorded<'_> {
        self.inputs[self.current].current()
    }

    /// Each recording has numbers of its own.
    fn topic_number(&self) -> Option<u32> {
        if self.inputs.len() == 1 { self.inputs[0].topic_number() } else { None }
    }
}
