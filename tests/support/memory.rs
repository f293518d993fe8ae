//! What a process held from second to second, and whether that grows.

use std::fmt;

/// Kilobytes, one number for each second.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    pub(crate) fn saw(&mut self, kb: u64) {
        self.0.push(kb);
    }

    /// Whether the last third's median is within `noise` (0.1: a tenth) of the middle third's, or below. What fills up and
    /// then stays has the first third to do so; what leaks is as steep in the last as in the others. Medians, since a
    /// service that works at its limit holds a third more or less from one second to the next.
    pub(crate) fn is_flat(&self, noise: f64) -> bool {
        let [_, middle, last] = self.thirds().map(|third| third.median_mb);
        last <= middle * (1.0 + noise)
    }

    pub(crate) fn most_mb(&self) -> f64 {
        self.thirds().iter().map(|third| third.most_mb).fold(0.0, f64::max)
    }

    fn thirds(&self) -> [Third; 3] {
        let third = self.0.len() / 3;
        assert!(third > 0, "{} seconds are too few", self.0.len());
        [0, 1, 2].map(|part| {
            let mut kb = self.0[part * third..(part + 1) * third].to_vec();
            kb.sort_unstable();
            let mb = |place: usize| kb[place] as f64 / 1024.0;
            Third { least_mb: mb(0), median_mb: mb(third / 2), most_mb: mb(third - 1) }
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Third {
    least_mb: f64,
    median_mb: f64,
    most_mb: f64,
}

/// `510 (420 to 640), …`: median, least and most of each third.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Third { least_mb, median_mb, most_mb }) in self.thirds().iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{median_mb:.0} ({least_mb:.0} to {most_mb:.0})")?;
        }
        f.write_str(" MB")
    }
}

/// As noisy as a service at its limit; `leak_kb` comes with each second.
fn made(seconds: u64, leak_kb: u64) -> Memory {
    let mut draw = fastrand::Rng::with_seed(7);
    let mut memory = Memory::default();
    for second in 0..seconds {
        // What has a bound fills up within a quarter of the time.
        let filled = 100_000.min(400_000 * second / seconds);
        memory.saw(350_000 + filled + draw.u64(0..200_000) + second * leak_kb);
    }
    memory
}

#[test]
fn what_fills_up_is_flat_and_what_leaks_is_not() {
    assert!(made(120, 0).is_flat(0.1), "{}", made(120, 0));
    assert!(!made(120, 3_000).is_flat(0.1), "{}", made(120, 3_000));
    assert!(made(1_800, 0).is_flat(0.05), "{}", made(1_800, 0));
    assert!(!made(1_800, 100).is_flat(0.05), "{}", made(1_800, 100));
}
