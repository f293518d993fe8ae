//! Rules that work beside each other, on several threads where there is much to do.
//!
//! Each has its own state, and what comes of them is put in their order: no result hangs on how many threads there are.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use super::super::EngineError;

/// More would wait for memory.
const THREADS_MAX: usize = 4;
/// Rows or groups, counted once for each rule, from which on threads are worth their start: about a millisecond.
const WORK_MIN: usize = 65_536;

/// On how many threads rules work.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Threads {
    threads: usize,
    work_min: usize,
}

impl Threads {
    /// As many as there are processors, within reason, where there is enough to do.
    pub(in crate::engine) fn of_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Threads { threads: processors.min(THREADS_MAX), work_min: WORK_MIN }
    }

    /// So many, however little there is to do.
    pub(in crate::engine) fn exactly(threads: NonZeroUsize) -> Self {
        Threads { threads: threads.get(), work_min: 0 }
    }

    /// Has `work` done on each of `rules`, that have so many rows or groups together; what comes of them is in their
    /// order.
    ///
    /// # Errors
    /// That of the first rule that has one.
    pub(super) fn each<R: Send, T: Send>(
        self,
        rules: impl ExactSizeIterator<Item = R> + Send,
        rows: usize,
        work: impl Fn(R) -> Result<T, EngineError> + Sync,
    ) -> Result<Vec<T>, EngineError> {
        let threads = self.threads.min(rules.len());
        if threads < 2 || rows < self.work_min {
            return rules.map(work).collect();
        }
        let waiting = Mutex::new(rules.enumerate());
        let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let done = || -> Vec<(usize, Result<T, EngineError>)> {
            std::iter::from_fn(take).map(|(place, rule)| (place, work(rule))).collect()
        };
        let mut results = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(done)).collect();
            let mut results = done();
            for other in others {
                match other.join() {
                    Ok(others) => results.extend(others),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            results
        });
        results.sort_unstable_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_rule_works_once_and_what_comes_of_them_is_in_their_order() {
        for threads in 1..6 {
            let threads = Threads::exactly(NonZeroUsize::new(threads).expect("not none"));
            let done = AtomicUsize::new(0);
            let work = |rule: i32| {
                done.fetch_add(1, Ordering::Relaxed);
                // The earlier ones take longer.
                (rule..200).for_each(|_| std::thread::yield_now());
                Ok(rule)
            };
            let results = threads.each(0..200, 0, work).expect("none fails");
            assert_eq!(results, (0..200).collect::<Vec<_>>());
            assert_eq!(done.into_inner(), 200);
            let fails = |rule: i32| match rule % 50 {
                49 => Err(EngineError::State { reason: rule.to_string() }),
                _ => Ok(()),
            };
            let failed = threads.each(0..200, 0, fails);
            assert!(matches!(failed, Err(EngineError::State { reason }) if reason == "49"));
        }
    }
}
