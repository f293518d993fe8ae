//! When a picture is due.

const INTERVAL_US: u64 = 250_000;
/// Painting takes one part in so many of the loop's time, however much there is to paint.
const SHARE: u64 = 10;

/// The pace of pictures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    next_us: u64,
    /// Before this there is none, however urgent.
    soonest_us: u64,
}

impl Pace {
    /// Whether one is due.
    pub(super) fn is_due(self, now_us: u64) -> bool {
        now_us >= self.next_us
    }

    /// One is due as soon as can be.
    pub(super) fn hurry(&mut self) {
        self.next_us = self.soonest_us;
    }

    /// One was painted.
    pub(super) fn painted(&mut self, begun_us: u64, ended_us: u64) {
        self.soonest_us = ended_us + ended_us.saturating_sub(begun_us) * (SHARE - 1);
        self.next_us = self.soonest_us.max(begun_us + INTERVAL_US);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With twenty thousand silent tools each exception made a picture of all of them, and the engine fell behind.
    #[test]
    fn a_flood_of_exceptions_leaves_the_loop_nine_tenths_of_its_time() {
        let mut pace = Pace::default();
        let (mut now_us, mut painting_us) = (0, 0);
        while now_us < 10_000_000 {
            pace.hurry();
            if pace.is_due(now_us) {
                pace.painted(now_us, now_us + 40_000);
                (now_us, painting_us) = (now_us + 40_000, painting_us + 40_000);
            }
            now_us += 1_000;
        }
        assert!(painting_us <= now_us / 10 + 40_000, "{painting_us} of {now_us} us");
    }

    #[test]
    fn an_exception_is_shown_at_once_while_pictures_are_quick() {
        let mut pace = Pace::default();
        pace.painted(1_000_000, 1_000_200);
        assert!(!pace.is_due(1_200_000) && pace.is_due(1_250_000));
        pace.hurry();
        assert!(pace.is_due(1_002_000));
    }
}
