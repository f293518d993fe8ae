use super::super::repeats::Print;
use super::*;

const AFTER_MS: i64 = 600_000;

/// A device whose messages come with these numbers.
#[derive(Debug)]
struct Device {
    repeats: Repeats,
    overdue: Overdue,
    ts_ms: i64,
}

impl Device {
    fn new() -> Self {
        Device { repeats: Repeats::new(1_000, 86_400_000), overdue: Overdue::new(AFTER_MS), ts_ms: 0 }
    }

    fn says(&mut self, boot: i64, numbers: impl IntoIterator<Item = i64>) {
        for seq in numbers {
            self.ts_ms += 1;
            let (ts_ms, hash) = (self.ts_ms, self.ts_ms as u64);
            let print = Print { channel: 0, boot, seq, ts_ms, arrived_ms: ts_ms, hash, is_first: true };
            self.repeats.see(&print);
        }
    }

    /// What is told at a second: first, last, missing, revision.
    fn tick(&mut self, second: i64) -> Vec<(i64, i64, u64, u32)> {
        let gaps = self.overdue.tick(second * 1000, &mut self.repeats);
        gaps.into_iter().map(|gap| (gap.first, gap.last, gap.missing, gap.revision)).collect()
    }
}

#[test]
fn a_number_that_comes_a_little_later_is_not_worth_a_word() {
    let mut device = Device::new();
    device.says(1, [1, 2, 5, 4]);
    assert_eq!(device.tick(10), []);
    assert_eq!(device.overdue.next_deadline_ms(10_000), Some(610_000));
    device.says(1, [3]);
    assert_eq!(device.tick(20), []);
    assert_eq!(device.overdue.next_deadline_ms(20_000), None);
    assert_eq!(device.tick(1_000), []);
    assert!(device.overdue.channels.is_empty(), "nothing is kept: {:?}", device.overdue);
}

#[test]
fn a_gap_is_told_when_it_is_due_and_again_as_its_numbers_come() {
    let mut device = Device::new();
    device.says(1, [1, 5]);
    assert_eq!(device.tick(10), []);
    device.says(1, [9]);
    assert_eq!(device.tick(20), []);
    assert_eq!(device.tick(609), []);
    assert_eq!(device.tick(610), [(2, 4, 3, 0)]);
    assert_eq!(device.tick(611), [], "once");
    assert_eq!(device.tick(700), [(6, 8, 3, 0)]);
    device.says(1, [3]);
    assert_eq!(device.tick(701), [(2, 4, 2, 1)]);
    device.says(1, [2, 7]);
    assert_eq!(device.tick(702), [(2, 4, 1, 2), (6, 8, 2, 1)]);
    device.says(1, [4, 6, 8]);
    assert_eq!(device.tick(703), [(2, 4, 0, 3), (6, 8, 0, 2)]);
    assert!(device.overdue.channels.is_empty(), "nothing is kept: {:?}", device.overdue);
}

#[test]
fn what_an_earlier_boot_lacks_is_told_beside_what_this_one_lacks() {
    let mut device = Device::new();
    device.says(1, [1, 3]);
    device.tick(1);
    device.says(2, [1, 3]);
    device.tick(2);
    assert_eq!(device.tick(602), [(2, 2, 1, 0), (2, 2, 1, 0)]);
}

#[test]
fn what_is_forgotten_at_a_bound_is_not_called_found() {
    let mut device = Device::new();
    device.says(1, [1, 3]);
    device.tick(1);
    assert_eq!(device.tick(601), [(2, 2, 1, 0)]);
    // 256 further stretches are kept, so the first is forgotten.
    device.says(1, (5..=515).step_by(2));
    assert_eq!(device.repeats.missing().forgotten(), 1);
    assert_eq!(device.tick(602), [], "it has not come");
    device.says(1, [4]);
    assert_eq!(device.tick(603), [], "it was not told yet, and has come");
    assert_eq!(device.tick(1_202).len(), 255);
}
