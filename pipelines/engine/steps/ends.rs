//! When runs ended, as far as it has been told, and when they began.

use ingest::readings::StepEventKind;

use super::{BaySteps, Record, Run, Steps};

impl BaySteps {
    /// The end of a run, once it has been told: until then an earlier one may come.
    pub(crate) fn told_end_ms(&self, run: &Run) -> Option<i64> {
        let ended_ms = run.ended_ms?;
        let of_moment = self.events.partition_point(|record| record.ts_ms < ended_ms);
        let mut of_moment = self.events[of_moment..].iter().take_while(|record| record.ts_ms == ended_ms);
        let ends = |record: &Record| matches!(record.event, StepEventKind::Finished | StepEventKind::Failed);
        let is_it = |record: &Record| ends(record) && record.job == run.job && record.step == run.step;
        of_moment.any(|record| record.told && !record.is_refused && is_it(record)).then_some(ended_ms)
    }

    /// Start and end of each run whose end has been told, also from where it was thought to have begun.
    pub(super) fn told_ends(&self) -> impl Iterator<Item = (i64, i64)> {
        let told = self.runs.iter().filter_map(|run| Some((run, self.told_end_ms(run)?)));
        told.flat_map(|(run, ended_ms)| self.starts_of(run).map(move |started_ms| (started_ms, ended_ms)))
    }

    /// When a run began, and where it was thought to have begun until an earlier start came: readings may have been told of
    /// that.
    pub(crate) fn starts_of(&self, run: &Run) -> impl Iterator<Item = i64> {
        let is_before_end =
            move |record: &&Record| run.ended_ms.is_none_or(|ended_ms| record.ts_ms < ended_ms);
        let from = self.events.partition_point(|record| record.ts_ms < run.started_ms);
        let within = self.events[from..].iter().take_while(is_before_end);
        let starts = within.filter(|record| record.event == StepEventKind::Started);
        starts.filter(|record| record.job == run.job && record.step == run.step).map(|record| record.ts_ms)
    }
}

impl Steps {
    /// Bay, start and end of each run whose end has been told.
    pub(in crate::engine) fn told_ends(&self) -> impl Iterator<Item = (u32, i64, i64)> {
        let bays = (0..).zip(&self.bays);
        bays.flat_map(|(bay, steps)| steps.told_ends().map(move |(from_ms, to_ms)| (bay, from_ms, to_ms)))
    }
}
