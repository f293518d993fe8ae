//! The step join: each row with the step that was active on its bay at its event time, and its limits.

use std::sync::Arc;

use ingest::series::SeriesTable;

use super::block::{BLOCK_ROWS, Block, Joined, JoinedRun, NO_RUN, Stretch};
use super::limits::{self, AssetFacts, Assets, Limits, StepLimits, UNLIMITED};
use super::steps::Steps;
use crate::calendar::Calendars;

/// Joined rows whose memory is kept for the next call.
const SPARE_ROWS_MAX: usize = 16 * BLOCK_ROWS;

/// What the join keeps between calls: all of it can be found again.
#[derive(Clone, Debug, Default)]
pub(super) struct Joiner {
    /// By series, where no step sets any: 1 + place of its asset's limits in `limits`, 0 for none.
    asset_limits: Vec<u32>,
    limits: Vec<Limits>,
    /// By series: what its tool's asset says beside limits. Empty where no asset says anything.
    facts: Vec<AssetFacts>,
    /// By bay: what its row before said.
    memo: Vec<Memo>,
    call: u64,
    /// Kept for its memory.
    spare: Joined,
}

/// Which run is active on a bay, and for how long.
#[derive(Clone, Copy, Debug, Default)]
struct Memo {
    /// For which call it holds.
    call: u64,
    from_ms: i64,
    until_ms: i64,
    /// What [`Joined::run`] says of it.
    place: u32,
    /// Whether its step expects readings.
    expects: bool,
    /// Run in the bay.
    run: Option<usize>,
    /// The run that was placed last, and where in [`Joined::runs`].
    placed: Option<(usize, u32)>,
}

/// A reading that goes into the book of its step: of consumption, or of a metric that the step expects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booked {
    /// Its place among the rows of the call.
    pub at: usize,
    pub ts_ms: i64,
    pub stretch_block: usize,
    pub row: usize,
    /// Run in its bay, if a step was active.
    pub run: Option<usize>,
    pub is_expected: bool,
}

impl Joiner {
    /// Takes in what is new in `table`; `afresh` when an asset's limits have changed.
    pub(super) fn follow(
        &mut self,
        table: &SeriesTable,
        assets: &Assets,
        calendars: &Calendars,
        afresh: bool,
    ) {
        if afresh {
            self.asset_limits.clear();
            self.limits.clear();
            self.facts.clear();
        }
        assets.follow_facts(table, calendars, &mut self.facts);
        for series in &table.all()[self.asset_limits.len()..] {
            let limits = assets.limits(&series.site, &series.tool, &series.metric);
            self.limits.extend(limits);
            let place = u32::try_from(self.limits.len()).expect("series are numbered in u32");
            self.asset_limits.push(if limits.is_some() { place } else { 0 });
        }
    }

    /// Joins rows with the steps as known now. Rows are listed as well for which `is_booked` holds of their series and of
    /// whether their step expects it, and those of no step for which `is_evidence` holds.
    pub(super) fn join(
        &mut self,
        blocks: &[&Block],
        stretches: &[Stretch],
        steps: &mut Steps,
        table: &SeriesTable,
        is_booked: impl Fn(u32, bool) -> bool,
        is_evidence: impl Fn(&Block, usize) -> bool,
    ) -> (Joined, Vec<Booked>) {
        let rows = stretches.iter().map(|stretch| stretch.to - stretch.from).sum();
        let mut joined = std::mem::take(&mut self.spare);
        joined.clear();
        joined.reserve(rows);
        let mut booked = Vec::new();
        self.call += 1;
        if self.memo.len() < table.bays().len() {
            self.memo.resize(table.bays().len(), Memo::default());
        }
        for stretch in stretches {
            let block = blocks[stretch.block];
            for row in stretch.from..stretch.to {
                let (bay, series, ts_ms) =
                    (block.bay[row], block.readings.series[row], block.readings.ts_ms[row]);
                if !self.memo[bay as usize].holds(self.call, ts_ms) {
                    self.look_up(bay, ts_ms, steps, &mut joined.runs);
                }
                let memo = &self.memo[bay as usize];
                let mut limits = match self.asset_limits[series as usize] {
                    0 => UNLIMITED,
                    place => self.limits[place as usize - 1],
                };
                let mut is_expected = false;
                let at = joined.run.len();
                if let Some(facts) = self.facts.get(series as usize) {
                    facts.tell(at, ts_ms, &mut joined.asides);
                }
                joined.run.push(memo.place);
                if memo.expects
                    && let Some(run) = memo.run
                    && let Some((said, pset)) = step_limits(steps, bay, run, series, block, row, table)
                {
                    if let Some(pset) = pset {
                        joined.asides.expected_pset.set(at, &pset);
                    }
                    limits = said.limits.unwrap_or(limits);
                    is_expected = said.is_expected;
                }
                joined.spec_min.push(limits.min);
                joined.spec_max.push(limits.max);
                if is_booked(series, is_expected) || (memo.place == NO_RUN && is_evidence(block, row)) {
                    let (stretch_block, run) = (stretch.block, memo.run);
                    booked.push(Booked { at, ts_ms, stretch_block, row, run, is_expected });
                }
            }
        }
        (joined, booked)
    }

    /// Keeps the memory of what [`Joiner::join`] gave, unless a backlog has made it large.
    pub(super) fn recycle(&mut self, joined: Joined) {
        if joined.run.capacity() <= SPARE_ROWS_MAX {
            self.spare = joined;
        }
    }

    /// What is active on a bay at `ts_ms`; its run is added to `runs` unless it was placed there in this call.
    #[cold]
    fn look_up(&mut self, bay: u32, ts_ms: i64, steps: &mut Steps, runs: &mut Vec<JoinedRun>) {
        let of_bay = steps.bay_mut(bay);
        let ((from_ms, until_ms), run) = of_bay.active(ts_ms);
        let memo = &mut self.memo[bay as usize];
        let known = memo.placed.filter(|_| memo.call == self.call);
        let (call, placed) = (self.call, known);
        *memo = Memo { call, from_ms, until_ms, place: NO_RUN, expects: false, run, placed };
        let Some(run) = run else { return };
        let found = &of_bay.runs[run];
        let plan = found.plan.as_ref();
        memo.expects = plan.is_some_and(|plan| !plan.expect.is_empty());
        if known.is_none_or(|(known, _)| known != run) {
            let place = u32::try_from(runs.len()).expect("far fewer runs than rows");
            memo.placed = Some((run, place));
            runs.push(JoinedRun {
                bay,
                run,
                job: Arc::clone(&found.job),
                step: Arc::clone(&found.step),
                operation: plan.and_then(|plan| plan.operation.as_deref()).map(Arc::from),
                technician: found.technician.clone(),
                run_ms: (found.started_ms, of_bay.told_end_ms(found).unwrap_or(i64::MAX)),
            });
        }
        memo.place = memo.placed.map_or(NO_RUN, |(_, place)| place);
    }
}

impl Memo {
    /// Whether it tells of a call and a time.
    #[inline]
    fn holds(&self, call: u64, ts_ms: i64) -> bool {
        self.call == call && self.from_ms <= ts_ms && ts_ms < self.until_ms
    }
}

/// What a run's step says of a row's metric, and the parameter set that it expects; none where it has no plan.
#[inline]
fn step_limits(
    steps: &mut Steps,
    bay: u32,
    run: usize,
    series: u32,
    block: &Block,
    row: usize,
    table: &SeriesTable,
) -> Option<(StepLimits, Option<String>)> {
    let run = &mut steps.bay_mut(bay).runs[run];
    let plan = run.plan.as_ref()?;
    if let Some(&said) = run.limits.get(&series) {
        return Some((said, None));
    }
    let (said, asked_tags, pset) = limits::of_step(plan, &table.get(series).metric, block.tags_of(row));
    if !asked_tags {
        run.limits.insert(series, said);
    }
    Some((said, pset))
}
