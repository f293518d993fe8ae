//! The one place where chance comes from: a generator started from a number.

/// A stream of chance. The same number gives the same stream on every machine.
#[derive(Clone, Debug)]
pub(super) struct Seed(fastrand::Rng);

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Seed(fastrand::Rng::with_seed(seed))
    }

    /// True once in `1 / probability` times.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// Evenly from `low` to `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.f64()
    }

    /// From `low` to `high`, mostly near the middle: the mean of three even draws. Uses no logarithm or sine, whose
    /// last bits differ from machine to machine.
    pub(super) fn around(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.0.f64() + self.0.f64() + self.0.f64()) / 3.0
    }

    /// `value` give or take `spread`, evenly.
    pub(super) fn near(&mut self, value: f64, spread: f64) -> f64 {
        value + spread * (2.0 * self.0.f64() - 1.0)
    }

    /// 0 to `count - 1`. `count` must not be 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0.usize(..count)
    }

    /// One of `from`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
