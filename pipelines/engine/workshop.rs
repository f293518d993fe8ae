//! What the engine tells the workshop's functions, and what these put out.

use ingest::readings::{Event, JobCard, StepEvent};
use ingest::units::Units;
use sinks::emission::Emission;
use sinks::view::FloodView;

use super::exceptions::{Exception, Operator, State};
use super::steps::{Record, Run};
use super::usage::Due;
use super::{Engine, EngineError, rows_error};
use crate::functions::{
    Asks, CardPlan, Checked, Evidence, ExceptionChange, Functions, Input, Occasion, Sign, Used,
};

impl Engine {
    /// The workshop's functions.
    #[must_use]
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(super) fn tell_functions_of_card(&mut self, event: &Event, card: &JobCard) {
        let plan = CardPlan::new(card, self.calendars.of(&event.site));
        self.functions.take(Input::Card { site: event.site.clone(), card: plan, ts_ms: event.ts_ms });
        self.functions.take(asked(&event.site, card, self.decoder.units()));
    }

    pub(super) fn tell_functions_of_step(&mut self, event: &Event, step: &StepEvent) {
        let (site, ts_ms) = (event.site.clone(), event.ts_ms);
        self.functions.take(Input::Step { site, event: step.clone(), ts_ms });
    }

    pub(super) fn tell_functions_of_exceptions(&mut self, changes: &[Exception]) {
        changes.iter().for_each(|change| self.functions.take_exception(changed(change)));
    }

    /// How many exceptions call on each site.
    #[must_use]
    pub fn floods(&self) -> Vec<FloodView> {
        self.functions.floods(self.at_ms)
    }

    /// Something of the service itself has happened.
    pub(super) fn occasion(
        &mut self,
        occasion: &Occasion<'_>,
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        self.functions.audit_occasion(occasion, self.at_ms);
        self.tell_functions(out)
    }

    /// Puts out what the functions have to say.
    pub(super) fn tell_functions(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        self.functions.tell(out).map_err(|source| rows_error("the functions", source))
    }
}

/// What a card asks of tools.
pub(super) fn asked(site: &str, card: &JobCard, units: &Units) -> Input {
    Input::Asked { site: site.into(), job: card.job.as_str().into(), steps: Asks::of(card, units) }
}

/// A clocked start that is certain.
pub(super) fn started(site: &str, bay: &str, record: &Record) -> Evidence {
    Evidence {
        site: site.into(),
        bay: bay.into(),
        ts_ms: record.ts_ms,
        place: (record.message, record.index),
        sign: Sign::Started { job: (&*record.job).into(), step: (&*record.step).into() },
    }
}

/// A run whose finish is certain.
pub(super) fn finished(site: &str, run: &Run, ended_ms: i64) -> Input {
    Input::Finished {
        site: site.into(),
        job: (&*run.job).into(),
        step: (&*run.step).into(),
        started_ms: run.started_ms,
        ended_ms,
        worked_ms: run.worked_ms(ended_ms),
    }
}

/// What a book says anew.
pub(super) fn booked(due: &Due) -> Input {
    let name = |name: &Option<std::sync::Arc<str>>| name.as_deref().map(Box::from);
    let checks = due.checks.iter().map(|check| Checked {
        metric: (&*check.subject.metric).into(),
        joint: name(&check.subject.joint),
        pset: name(&check.subject.pset),
        class: check.expect.class.as_deref().map(Box::from),
        expected: check.expect.count.map(u64::from),
        counted: check.tally.map(|tally| tally.counted),
        within: check.tally.map(|tally| tally.within),
        missing: check.missing(),
        min: check.expect.min,
        max: check.expect.max,
        unit: name(&check.unit),
    });
    let used = due.book.amounts.iter().map(|(resource, amount)| Used {
        resource: (&**resource).into(),
        quantity: amount.quantity,
        unit: (&*amount.unit).into(),
        planned: amount.planned,
    });
    Input::Booked {
        site: (&*due.key.site).into(),
        job: (&*due.key.job).into(),
        step: (&*due.key.step).into(),
        checks: checks.collect(),
        measured: due.measured.clone(),
        used: used.collect(),
    }
}

fn changed(change: &Exception) -> ExceptionChange {
    let text = |text: &Option<String>| text.as_deref().map(Box::from);
    let Operator { state, actor, reason, since_ms, .. } = &change.operator;
    let of_people = change.operator != Operator::default();
    let at_ms = change.cleared_ms.unwrap_or(change.raised_ms).max(since_ms.unwrap_or(i64::MIN));
    ExceptionChange {
        id: change.id.as_str().into(),
        rule: (&*change.rule).into(),
        severity: change.severity.as_str().into(),
        site: change.site.as_str().into(),
        bay: text(&change.bay),
        tool: text(&change.tool),
        job: text(&change.job),
        step: text(&change.step),
        message: change.message.as_str().into(),
        state: change.state.as_str().into(),
        is_open: matches!(change.state, State::Active | State::Latched),
        is_event: change.state == State::Cleared && change.cleared_ms == Some(change.raised_ms),
        is_latched: change.state == State::Latched,
        at_ms,
        operator_state: of_people.then(|| state.as_str().into()),
        actor: text(actor),
        reason: text(reason),
    }
}
