//! What a process held from second to second, and whether that grows.

use std::fmt;

/// Kilobytes, one number for each second.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    pub(crate) fn saw(&mut self, kb: u64) {
        self.0.push(kb);
    }

    /// Whether the last third's median, or its least, is within `noise` (0.1: a tenth) of the middle third's, or below.
    /// What fills up and then stays has the first third to do so; what leaks is as steep in the last as in the others, and
    /// in what is held at the least as well. Medians, since a service that works at its limit holds a third more or less
    /// from one second to the next.
    pub(crate) fn is_flat(&self, noise: f64) -> bool {
        let [_, middle, last] = self.thirds();
        let grows = |of: fn(&Third) -> f64| of(&last) > of(&middle) * (1.0 + noise);
        !(grows(|third| third.median_mb) && grows(|third| third.least_mb))
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

/// At its limit for longer than before, a service held 406 MB (323 to 565), and then 528 (319 to 918).
#[test]
fn a_third_with_more_to_do_and_no_more_at_the_least_is_no_leak() {
    let busy = |second: u64| if second < 80 || second.is_multiple_of(20) { 0 } else { 200_000 };
    let noisy = made(120, 0);
    let memory = Memory((0..).zip(noisy.0).map(|(second, kb)| kb + busy(second)).collect());
    let [_, middle, last] = memory.thirds();
    assert!(last.median_mb > middle.median_mb * 1.3, "{memory}");
    assert!(memory.is_flat(0.3), "{memory}");
}
