//! What time decides: at each second, at the end of an epoch, at the end of input.

use sinks::emission::Emission;

use super::rules::{Surroundings, Verdicts};
use super::{CARDS_MAX, Engine, EngineError};

impl Engine {
    /// Every second of a tick entry in turn; of a silent stretch only those at which something can happen.
    pub(super) fn ticks(
        &mut self,
        first_ms: i64,
        last_ms: i64,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        let mut at_ms = first_ms;
        self.rules.silences.begin_ticks(last_ms);
        loop {
            self.tick(at_ms, out)?;
            let deadlines = [
                self.bays.next_deadline_ms(at_ms),
                self.rules.silences.next_deadline_ms(at_ms),
                self.exceptions.next_deadline_ms(at_ms),
                self.functions.next_deadline_ms(at_ms),
                self.overdue.next_deadline_ms(at_ms),
                self.next_overrun_ms(at_ms),
                self.steps.next_promise_ms(at_ms),
                self.steps.next_double_ms(at_ms),
            ];
            match deadlines.into_iter().flatten().min() {
                Some(next_ms) if next_ms <= last_ms => at_ms = next_ms,
                _ => break,
            }
        }
        // The devices' say on our clock ends with time alone, so the end of the stretch counts as well.
        self.clock.tick(last_ms);
        self.at_ms = last_ms;
        Ok(())
    }

    fn tick(&mut self, at_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        self.at_ms = at_ms;
        self.clock.tick(at_ms);
        self.functions.hear(at_ms);
        self.settle_belated(out)?;
        let ticked = self.bays.tick(at_ms);
        let until = self.bays.until(&ticked);
        self.pass(&until, out)?;
        let mut shown = self.tell_overruns(out)?;
        self.tell_jobs(out)?;
        shown.extend(ticked.released);
        shown.sort_unstable();
        shown.dedup();
        let table = self.decoder.series();
        for bay in shown {
            let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
            self.rules.release(bay, &self.bays, table, verdicts, out)?;
        }
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.close(&self.bays, table, verdicts, out)?;
        let frontier_ms = |site: &str, bay: &str| Some(self.bays.frontier_ms(table.find_bay(site, bay)?));
        self.exceptions.clear_passed(frontier_ms);
        let around = Surroundings { steps: &self.steps, names: &self.names, table };
        self.rules.silences.tick(at_ms, around, &mut self.exceptions, &mut self.rejects)?;
        self.tell_gaps(at_ms, out)?;
        self.exceptions.release_suppressed();
        self.exceptions.end_shelving(at_ms);
        self.tell_exceptions(out)?;
        self.tell_rejects(out)?;
        self.functions.tick(at_ms);
        self.tell_functions(out)
    }

    /// Steps that go over their standard time on bays that say nothing, which it gives.
    fn tell_overruns(&mut self, out: &mut Vec<Emission>) -> Result<Vec<u32>, EngineError> {
        let due = self.steps.overruns().filter(|&(bay, ms)| ms < self.at_ms && self.bays.is_silent(bay));
        let due: Vec<u32> = due.map(|(bay, _)| bay).collect();
        due.iter().try_for_each(|&bay| self.tell_steps(bay, i64::MAX, out))?;
        Ok(due)
    }

    /// The next whole second after `at_ms` at which there is one.
    fn next_overrun_ms(&self, at_ms: i64) -> Option<i64> {
        let due = self.steps.overruns().filter(|&(bay, _)| self.bays.is_silent(bay));
        due.map(|(_, ms)| (ms.div_euclid(1000) + 1) * 1000).filter(|&ms| ms > at_ms).min()
    }

    /// An epoch ends: what is too old to matter is forgotten.
    pub(super) fn cut(&mut self, at_ms: i64, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        self.at_ms = self.at_ms.max(at_ms);
        self.settle_belated(out)?;
        self.bound_waiting()?;
        let horizon_ms = self.correction_horizon_ms;
        for bay in 0..self.bays.all().len() {
            let bay = u32::try_from(bay).expect("bays are numbered in u32");
            let watermark_ms = self.bays.watermark_ms(bay);
            self.steps.bay_mut(bay).forget(
                watermark_ms.saturating_sub(horizon_ms),
                watermark_ms.saturating_sub(self.age_bound_ms),
            );
        }
        let (bays, age_ms) = (&self.bays, self.age_bound_ms);
        self.usage.forget(bays.all().len(), |bay| bays.watermark_ms(bay).saturating_sub(age_ms));
        let settled_ms = |bay| bays.watermark_ms(bay).saturating_sub(horizon_ms);
        self.balances.forget(settled_ms);
        self.unassigned.forget(settled_ms);
        self.exceptions.forget(self.at_ms.saturating_sub(age_ms));
        self.exceptions.bound_latched(self.at_ms);
        self.steps.bound_cards(CARDS_MAX);
        self.tell_exceptions(out)?;
        self.tell_rejects(out)
    }

    /// No more entries will come: every watermark goes to infinity. Open steps stay open, timers stand.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn end_of_input(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.seal()?;
        self.functions.hear(self.at_ms);
        self.settle_belated(out)?;
        let bays = u32::try_from(self.decoder.series().bays().len()).expect("bays are numbered in u32");
        let all: Vec<(u32, i64)> = (0..bays).map(|bay| (bay, i64::MAX)).collect();
        self.bays.close_all();
        self.pass(&all, out)?;
        let verdicts = Verdicts { exceptions: &mut self.exceptions, rejects: &mut self.rejects };
        self.rules.close_all(&self.bays, self.decoder.series(), verdicts, out)?;
        self.tell_exceptions(out)?;
        self.tell_rejects(out)?;
        self.functions.tick(self.at_ms);
        self.tell_functions(out)
    }
}
