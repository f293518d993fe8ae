//! How often a key is usually heard, of rules with `silent_intervals`.
//!
//! It follows what arrives, in whole milliseconds, so that it is the same wherever it is counted. A key that is heard
//! sooner than usual is never due sooner than before: a gap makes the usual interval shorter by an eighth of the gap at
//! most, and no rule allows more than [`INTERVALS_MAX`] of them. So whoever is not due by an older row is not by a newer one.

/// As many usual intervals a rule may allow.
pub(crate) const INTERVALS_MAX: i64 = 8;
/// So many gaps make an interval usual; before them nobody is silent.
const LEARNT_FROM: u8 = 4;
/// A gap counts as so many intervals at most: an outage is not usual.
const GAP_INTERVALS_MAX: i64 = 4;
/// The longest gap that counts.
const GAP_MAX_MS: i64 = 24 * 3_600_000;

/// The usual interval of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Usual {
    last_ms: i64,
    interval_ms: u32,
    /// How many gaps it has been learnt from, up to [`LEARNT_FROM`].
    gaps: u8,
}

impl Usual {
    /// Of a key that nobody listens for.
    pub(super) const UNHEARD: Usual = Usual { last_ms: i64::MIN, interval_ms: 0, gaps: 0 };

    /// Of a key that is heard for the first time.
    pub(super) fn first(arrived_ms: i64) -> Self {
        Usual { last_ms: arrived_ms, ..Usual::UNHEARD }
    }

    /// Something of it has arrived. What arrives together is one. Whether its interval is known from now on.
    #[inline]
    pub(super) fn hear(&mut self, arrived_ms: i64) -> bool {
        arrived_ms > self.last_ms && self.last_ms != i64::MIN && self.take(arrived_ms)
    }

    fn take(&mut self, arrived_ms: i64) -> bool {
        let was_known = self.gaps == LEARNT_FROM;
        let gap_ms = arrived_ms.saturating_sub(self.last_ms).min(GAP_MAX_MS);
        self.last_ms = arrived_ms;
        let usual_ms = i64::from(self.interval_ms);
        let usual_ms = if self.gaps < LEARNT_FROM {
            self.gaps += 1;
            // The longest: a tool that is switched on may say several things at once.
            usual_ms.max(gap_ms)
        } else {
            let gap_ms = gap_ms.min(GAP_INTERVALS_MAX * usual_ms);
            // Weighed by time, over about eight intervals.
            let change_ms = (gap_ms - usual_ms) * gap_ms / (gap_ms + 8 * usual_ms);
            usual_ms + change_ms.min((gap_ms - usual_ms).max(0) / 8)
        };
        self.interval_ms = u32::try_from(usual_ms).expect("a day at most");
        !was_known && self.gaps == LEARNT_FROM
    }

    /// The interval, once it is known.
    pub(super) fn interval_ms(self) -> Option<i64> {
        (self.gaps == LEARNT_FROM).then_some(i64::from(self.interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard_after(gaps_ms: impl IntoIterator<Item = i64>) -> Usual {
        let mut usual = Usual::first(1_000);
        for gap_ms in gaps_ms {
            usual.hear(usual.last_ms + gap_ms);
        }
        usual
    }

    #[test]
    fn an_interval_is_usual_after_four_gaps_and_what_comes_together_is_one() {
        assert_eq!(heard_after([10_000, 10_000, 0, 0, 10_000]).interval_ms(), None);
        assert_eq!(heard_after([2, 10_000, 0, 10_000, 9_000]).interval_ms(), Some(10_000));
        let mut unheard = Usual::UNHEARD;
        unheard.hear(5);
        assert_eq!(unheard, Usual::UNHEARD);
    }

    #[test]
    fn it_follows_a_tool_that_reports_at_another_pace_and_an_outage_hardly_moves_it() {
        let usual = |gaps: &[(i64, usize)]| {
            let each = gaps.iter().flat_map(|&(gap_ms, times)| std::iter::repeat_n(gap_ms, times));
            heard_after(each).interval_ms().expect("it is known")
        };
        assert_eq!(usual(&[(10_000, 50)]), 10_000);
        assert!((9_900..=10_100).contains(&usual(&[(30_000, 10), (10_000, 200)])));
        assert!((29_900..=30_100).contains(&usual(&[(10_000, 10), (30_000, 60)])));
        assert_eq!(usual(&[(10_000, 50), (12 * 3_600_000, 1)]), 13_750);
        assert!(usual(&[(10_000, 50), (12 * 3_600_000, 1), (10_000, 20)]) < 10_500);
        assert_eq!(usual(&[(i64::MAX / 16, 8)]), 24 * 3_600_000);
    }

    proptest::proptest! {
        #[test]
        fn who_is_heard_again_is_never_due_sooner(gaps in proptest::collection::vec(1..100_000_i64, 5..60)) {
            let due_ms = |usual: Usual| Some(usual.last_ms + INTERVALS_MAX * usual.interval_ms()?);
            let mut usual = Usual::first(0);
            for gap_ms in gaps {
                let before_ms = due_ms(usual);
                usual.hear(usual.last_ms + gap_ms);
                proptest::prop_assert!(before_ms.is_none() || due_ms(usual) >= before_ms, "{usual:?}");
            }
        }
    }
}
