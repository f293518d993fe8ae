//! How far the mirror is behind.

use std::collections::VecDeque;

use ingest::time::Offset;

/// Marks that are kept; beyond, two neighbours become one.
const MARKS_MAX: usize = 1_024;

/// What is durable here and not mirrored, in marks: one for each sync.
#[derive(Debug, Default)]
pub(super) struct Lag {
    marks: VecDeque<Mark>,
    /// Bytes of all that was appended, and of what the mirror has of it.
    appended_bytes: u64,
    mirrored_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The first entry behind.
    end: Offset,
    /// Appended up to there.
    bytes: u64,
    /// When the first of it was appended, by the monotonic clock.
    at_us: u64,
}

impl Lag {
    /// Entries up to `end` have come, of so many bytes.
    pub(super) fn appended(&mut self, end: Offset, bytes: u64, now_us: u64) {
        self.appended_bytes += bytes;
        let mark = Mark { end, bytes: self.appended_bytes, at_us: now_us };
        if self.marks.len() >= MARKS_MAX {
            // The older of two stays responsible for the time: the lag is told too long rather than too short.
            let marks = self.marks.make_contiguous();
            let kept: VecDeque<Mark> =
                marks.chunks(2).map(|pair| Mark { at_us: pair[0].at_us, ..pair[pair.len() - 1] }).collect();
            self.marks = kept;
        }
        self.marks.push_back(mark);
    }

    /// The mirror has all entries below `end`.
    pub(super) fn mirrored(&mut self, end: Offset) {
        while let Some(mark) = self.marks.front()
            && mark.end <= end
        {
            self.mirrored_bytes = mark.bytes;
            self.marks.pop_front();
        }
    }

    /// Bytes that the mirror does not have.
    pub(super) fn bytes(&self) -> u64 {
        self.appended_bytes - self.mirrored_bytes
    }

    /// How long the oldest of them has been waiting.
    pub(super) fn us(&self, now_us: u64) -> u64 {
        self.marks.front().map_or(0, |mark| now_us.saturating_sub(mark.at_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_what_the_mirror_does_not_have_and_how_old_the_oldest_of_it_is() {
        let mut lag = Lag::default();
        for number in 1..=10_000 {
            lag.appended(Offset(number), 10, number * 100);
        }
        assert!(lag.marks.len() <= MARKS_MAX);
        assert_eq!(lag.us(1_000_100), 1_000_000);
        lag.mirrored(Offset(10_000));
        assert_eq!((lag.bytes(), lag.us(2_000_000)), (0, 0));
        lag.appended(Offset(10_001), 7, 5_000);
        assert_eq!((lag.bytes(), lag.us(6_000)), (7, 1_000));
    }
}
