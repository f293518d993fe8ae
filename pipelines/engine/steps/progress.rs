//! How far each job has come, over all bays of its site: what is finished, whether QA has signed, and what is left until
//! the time that was promised.
//!
//! It is taken from step events as they arrive, for those of another bay may be certain later.

use std::collections::BTreeMap;

use ingest::readings::{JobCard, StepEventKind};

use super::{CardKey, Record, Run, Steps, Told};
use crate::calendar::{CalendarUnit, SiteCalendar};

/// Finished steps that are remembered of a job.
const STEPS_MAX: usize = 1_000;
/// Signatures and rework that are kept of a job.
const MARKS_MAX: usize = 32;
/// Further ahead a promise is as far away as it can be.
pub(super) const AHEAD_MAX_MS: i64 = 31 * 86_400_000;

/// How far a job has come.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Progress {
    /// First finish of each step.
    finished: BTreeMap<Box<str>, i64>,
    /// Signatures of QA, and rework, which makes them void; by time.
    marks: Vec<(i64, bool)>,
    /// Ordinal of its newest message.
    pub(super) message: u64,
}

/// What the row of a step event says of its job.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct JobFacts {
    /// Of a start: steps that the card lists before it and that are not finished.
    pub after_open: Option<String>,
    /// Of a release.
    pub qa_signed: Option<bool>,
    pub promised_ms: Option<i64>,
    /// Standard time of what is not finished, without what has been worked on the event's own step.
    pub remaining_ms: Option<i64>,
    /// Working time until the promise, less what remains.
    pub slack_ms: Option<i64>,
}

impl Progress {
    pub(super) fn take(&mut self, record: &Record) {
        self.message = self.message.max(record.message);
        match record.event {
            // A job of more steps is none: what is finished beyond them is not remembered.
            StepEventKind::Finished if self.finished.len() < STEPS_MAX => {
                let first_ms = self.finished.entry(record.step.as_ref().into()).or_insert(record.ts_ms);
                *first_ms = record.ts_ms.min(*first_ms);
            }
            StepEventKind::QaSigned | StepEventKind::Reworked => {
                let mark = (record.ts_ms, record.event == StepEventKind::QaSigned);
                let place = self.marks.partition_point(|known| *known <= mark);
                self.marks.insert(place, mark);
                let over = self.marks.len().saturating_sub(MARKS_MAX);
                self.marks.drain(..over);
            }
            _ => {}
        }
    }

    pub(super) fn is_finished(&self, step: &str, ts_ms: i64) -> bool {
        self.finished.get(step).is_some_and(|&finished_ms| finished_ms <= ts_ms)
    }

    fn is_signed(&self, ts_ms: i64) -> bool {
        let before = self.marks.partition_point(|&(mark_ms, _)| mark_ms <= ts_ms);
        before.checked_sub(1).is_some_and(|last| self.marks[last].1)
    }

    /// What the row of `record` says, with the newest card of the job.
    pub(super) fn facts(
        &self,
        record: &Record,
        run: Option<&Run>,
        card: Option<&JobCard>,
        calendar: &SiteCalendar,
    ) -> JobFacts {
        use StepEventKind::{
            Failed, Finished, Overran, Paused, Planned, Released, Resumed, Slipped, Started,
        };
        let ts_ms = record.ts_ms;
        let mut facts = JobFacts {
            qa_signed: (record.event == Released).then(|| self.is_signed(ts_ms)),
            ..JobFacts::default()
        };
        let Some(card) = card else { return facts };
        let open = || card.steps.iter().filter(|step| !self.is_finished(&step.step, ts_ms));
        if record.event == Started
            && let Some(place) = card.steps.iter().position(|step| *step.step == *record.step)
        {
            let before = card.steps[..place].iter().filter(|step| !self.is_finished(&step.step, ts_ms));
            let before: Vec<&str> = before.map(|step| step.step.as_str()).collect();
            facts.after_open = (!before.is_empty()).then(|| before.join(", "));
        }
        facts.promised_ms = card.promised.as_ref().and_then(|promised| calendar.time_ms(promised));
        let is_work = matches!(
            record.event,
            Started | Paused | Resumed | Finished | Failed | Overran | Planned | Slipped
        );
        if !is_work || card.steps.iter().all(|step| step.standard_s.is_none()) {
            return facts;
        }
        let worked_s = run.map_or(0.0, |run| run.worked_ms(ts_ms) as f64 / 1000.0);
        let left_s = open().map(|step| {
            let is_own = *step.step == *record.step;
            (step.standard_s.unwrap_or(0.0) - if is_own { worked_s } else { 0.0 }).max(0.0)
        });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float becomes the nearest number that there is"
        )]
        let remaining_ms = (left_s.sum::<f64>() * 1000.0) as i64;
        facts.remaining_ms = Some(remaining_ms);
        // What is finished is not late any more.
        if let (Some(promised_ms), Some(_)) = (facts.promised_ms, open().next()) {
            let until_ms = match promised_ms >= ts_ms {
                true => calendar.working_ms(ts_ms, promised_ms.min(ts_ms.saturating_add(AHEAD_MAX_MS))),
                false => -calendar.working_ms(promised_ms.max(ts_ms - AHEAD_MAX_MS), ts_ms),
            };
            facts.slack_ms = Some(until_ms.saturating_sub(remaining_ms));
        }
        facts
    }
}

impl Steps {
    /// What the row of a step event says of its job, as known now.
    pub(in crate::engine) fn facts(&self, site: &str, told: &Told, calendar: &SiteCalendar) -> JobFacts {
        let key: CardKey = (site.into(), (&*told.record.job).into());
        let card = self.cards.get(&key).map(|(_, card)| card.as_ref());
        let progress = self.progress.get(&key);
        progress
            .map(|progress| progress.facts(&told.record, told.run.as_ref(), card, calendar))
            .unwrap_or_default()
    }

    /// Whether there is a card of the job.
    #[must_use]
    pub(in crate::engine) fn has_card(&self, site: &str, job: &str) -> bool {
        self.cards.contains_key(&(site.into(), job.into()))
    }

    /// How far jobs have come, with their sites and names.
    pub(in crate::engine) fn progress(&self) -> impl Iterator<Item = (&CardKey, &Progress)> {
        self.progress.iter()
    }
}

impl SiteCalendar {
    /// How much of the time from `from_ms` to `to_ms` is within shifts.
    fn working_ms(&self, from_ms: i64, to_ms: i64) -> i64 {
        let (mut at_ms, mut working_ms) = (from_ms, 0);
        while at_ms < to_ms {
            let Some(stretch) = self.stretch(CalendarUnit::Shift, at_ms) else { break };
            let end_ms = stretch.end_ms.min(to_ms);
            working_ms += if stretch.is_window { end_ms - at_ms } else { 0 };
            at_ms = end_ms;
        }
        working_ms
    }
}
