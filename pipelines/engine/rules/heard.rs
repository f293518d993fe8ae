//! The last row of a key, and how its silence is told and ends.

use ingest::readings::{NONE, Readings, Reject};
use ingest::series::SeriesTable;

use super::super::aside::Asides;
use super::super::block::{Block, Joined, JoinedRun, NO_RUN, Rows, Stretch};
use super::super::exceptions::RuleLife;
use super::super::ids::reading_id;
use super::super::rule_row::RuleRow;
use super::super::steps::{BaySteps, Run, RunId};
use super::failed_row;
use super::silences::Surroundings;
use crate::plan::SilencePlan;

/// A row that has arrived, as far as its key's silence asks for it.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct LastRow {
    pub arrived_ms: i64,
    pub message: u64,
    pub index: u32,
    pub series: u32,
    ts_ms: i64,
    value: f64,
    unit: u16,
}

/// The last row of a key, and whether its silence is open.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Heard {
    pub last: LastRow,
    pub is_open: bool,
    /// Within which it was raised, of a rule that counts while a step is active.
    pub run: Option<RunId>,
}

impl LastRow {
    pub(super) fn of(readings: &Readings, row: usize) -> Self {
        LastRow {
            arrived_ms: readings.arrived_ms[row],
            message: readings.message[row],
            index: readings.index[row],
            series: readings.series[row],
            ts_ms: readings.ts_ms[row],
            value: readings.value[row],
            unit: readings.unit[row],
        }
    }

    /// Where it stands among all rows.
    pub(super) fn place(&self) -> (u64, u32) {
        (self.message, self.index)
    }
}

impl Heard {
    pub(super) fn of(readings: &Readings, row: usize) -> Self {
        Heard { last: LastRow::of(readings, row), is_open: false, run: None }
    }

    /// By names, for the hash of the state.
    pub(super) fn line(&self, rule: &str, key: &str, table: &SeriesTable) -> String {
        let LastRow { arrived_ms, message, index, ts_ms, .. } = self.last;
        let (series, value) = (table.get(self.last.series), self.last.value.to_bits());
        let Heard { is_open, run, .. } = self;
        format!(
            "silence {rule} {key} {arrived_ms} {message}-{index} {ts_ms} {series:?} {value} {is_open} {run:?}"
        )
    }
}

/// When and why the silence within a step is none any more.
pub(super) fn end_of(run: Option<RunId>, steps: Option<&BaySteps>) -> (Option<i64>, &'static str) {
    let run = run.and_then(|id| steps?.runs.iter().find(|run| run.id == id));
    let ended_ms = run.and_then(|run| run.ended_ms);
    let paused_ms = run.and_then(|run| run.pauses.last()).map(|(from_ms, _)| *from_ms);
    match (ended_ms, paused_ms) {
        (None, Some(paused_ms)) => (Some(paused_ms), "step_paused"),
        (ended_ms, _) => (ended_ms, "step_ended"),
    }
}

/// The last row of a key as its exception tells it: of what the key does not part, the exception is not.
pub(super) fn row_of(
    life: &RuleLife,
    plan: &SilencePlan,
    last: &LastRow,
    raised_ms: i64,
    run: Option<&Run>,
    around: Surroundings<'_>,
    rejects: &mut Vec<Reject>,
) -> RuleRow {
    let mut block = Block::default();
    block.readings.message.push(last.message);
    block.readings.index.push(last.index);
    block.readings.ts_ms.push(last.ts_ms);
    block.readings.arrived_ms.push(last.arrived_ms);
    block.readings.series.push(last.series);
    block.readings.boot.push(NONE);
    block.readings.seq.push(NONE);
    block.readings.value.push(last.value);
    block.readings.text.push(0);
    block.readings.unit.push(last.unit);
    block.readings.tags.push(0);
    block.bay.push(around.table.bay_of()[last.series as usize]);
    block.lateness.push(0);
    let joined = Joined {
        run: vec![if run.is_some() { 0 } else { NO_RUN }],
        spec_min: vec![f64::NAN],
        spec_max: vec![f64::NAN],
        asides: Asides::default(),
        runs: run.map(joined_run).into_iter().collect(),
    };
    let rows = Rows {
        blocks: &[&block],
        stretches: &[Stretch { block: 0, from: 0, to: 1 }],
        at: None,
        names: around.names,
        joined: Some(&joined),
    };
    let id = reading_id(last.message, last.index);
    let output = rows.batch(plan.rows().columns()).map_err(datafusion::error::DataFusionError::from);
    let mut row = match output.and_then(|batch| plan.rows().outputs(&batch)) {
        Ok(output) => RuleRow::new(&output, 0, id, raised_ms),
        // The silence is told, whatever SELECT makes of the last row.
        Err(error) => {
            rejects.push(failed_row(&life.name, last.message, &error.strip_backtrace()));
            let names = around.table.get(last.series);
            let name = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
            let (bay, tool) = (name(&names.bay), name(&names.tool));
            RuleRow {
                row_id: id,
                ts_ms: raised_ms,
                site: names.site.to_string(),
                bay,
                tool,
                ..RuleRow::default()
            }
        }
    };
    row.bay = row.bay.filter(|_| plan.is_of("bay"));
    row.tool = row.tool.filter(|_| plan.is_of("tool"));
    row.job = run.map(|run| run.job.to_string());
    row.step = run.map(|run| run.step.to_string());
    row.last_arrived_ms = Some(last.arrived_ms);
    row
}

fn joined_run(run: &Run) -> JoinedRun {
    JoinedRun {
        bay: 0,
        run: 0,
        job: run.job.clone(),
        step: run.step.clone(),
        operation: run.plan.as_ref().and_then(|plan| plan.operation.as_deref().map(Into::into)),
        technician: run.technician.clone(),
        run_ms: (run.started_ms, run.ended_ms.unwrap_or(i64::MAX)),
    }
}
