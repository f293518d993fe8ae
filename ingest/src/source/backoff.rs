//! How long to wait before the next try: 100 ms, doubling to 10 s, always the same.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct BackOff {
    next: Duration,
}

impl BackOff {
    pub(crate) fn new() -> Self {
        BackOff { next: FIRST }
    }

    /// The wait before the next try; the one after that will be twice as long.
    pub(crate) fn failed(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        wait
    }

    /// A connection ended after `lived`. Only one that outlived its own wait begins anew: a broker that
    /// takes the connection and drops it at once, or a second client with our id, is not hammered.
    pub(crate) fn ended_after(&mut self, lived: Duration) {
        if lived > self.next {
            self.next = FIRST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(back_off: &mut BackOff, tries: usize) -> Vec<u128> {
        (0..tries).map(|_| back_off.failed().as_millis()).collect()
    }

    #[test]
    fn the_wait_doubles_up_to_ten_seconds() {
        let expected = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
        assert_eq!(waits(&mut BackOff::new(), 9), expected);
    }

    #[test]
    fn a_connection_that_lasted_begins_anew_and_one_that_was_dropped_at_once_does_not() {
        let mut back_off = BackOff::new();
        waits(&mut back_off, 3);
        back_off.ended_after(Duration::from_millis(20));
        assert_eq!(waits(&mut back_off, 1), [800]);
        back_off.ended_after(Duration::from_secs(60));
        assert_eq!(waits(&mut back_off, 2), [100, 200]);
    }
}
