//! Steps that take longer than their standard: told while they go on, in event time.
//!
//! When work goes over a level follows from the start, the pauses and the card alone, so nobody has to send it. It is told
//! once the watermark has passed it; of a bay that is silent, once the clock has.

use ingest::readings::StepEventKind;

use super::{BaySteps, JobFacts, Record, Run, Steps, Told};

/// Each tenth of the standard time more is a level, so that rules set their limits among them; up to three times it, for
/// nobody works so long on a step that has been forgotten.
const LEVELS: u8 = 21;

/// The first millisecond in which work on `run` is over its next level, if that comes before it ends.
pub(super) fn next_ms(run: &Run) -> Option<i64> {
    let standard_s = run.plan.as_ref()?.standard_s.filter(|standard_s| *standard_s > 0.0)?;
    if run.is_imported || run.overruns_told >= LEVELS {
        return None;
    }
    let level = f64::from(10 + run.overruns_told);
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest number that there is")]
    let level_ms = (standard_s * 1000.0 * level / 10.0).floor() as i64;
    let (mut at_ms, mut left_ms) = (run.started_ms, level_ms.saturating_add(1));
    for &(from_ms, to_ms) in &run.pauses {
        let worked_ms = (from_ms - at_ms).max(0);
        if left_ms <= worked_ms {
            break;
        }
        left_ms -= worked_ms;
        at_ms = to_ms?.max(at_ms);
    }
    let over_ms = at_ms.saturating_add(left_ms);
    (over_ms < run.ended_ms.unwrap_or(i64::MAX)).then_some(over_ms)
}

/// The over-runs of `run` before `before_ms` that have not been told.
pub(super) fn tell(run: &mut Run, before_ms: i64) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(ts_ms) = next_ms(run).filter(|&ts_ms| ts_ms < before_ms) {
        run.overruns_told += 1;
        let record = Record::unsent(StepEventKind::Overran, ts_ms, run);
        told.push(Told { record, run: Some(run.clone()), facts: JobFacts::default() });
    }
    told
}

impl BaySteps {
    /// When the next over-run is, if there is one.
    pub(super) fn overruns_ms(&self) -> Option<i64> {
        self.runs.iter().filter_map(next_ms).min()
    }
}

impl Steps {
    /// Bays on which a step goes over a level, with the time.
    pub(in crate::engine) fn overruns(&self) -> impl Iterator<Item = (u32, i64)> {
        (0..).zip(&self.bays).filter_map(|(bay, steps)| Some((bay, steps.overruns_ms()?)))
    }
}
