//! The last row of a key, and how its silence is told and ends.

use ingest::readings::{NONE, Readings, Reject};
use ingest::series::SeriesTable;

use super::super::block::{Block, Joined, JoinedRun, NO_RUN, Rows, Stretch};
use super::super::exceptions::RuleLife;
use super::super::ids::reading_id;
use super::super::rule_row::RuleRow;
use super::super::steps::{BaySteps, Run, RunId};
use super::failed_row;
use super::silences::Surroundings;
use crate::plan::SilencePlan;

/// The last row of a key, and whether its silence is open.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Heard {
    pub arrived_ms: i64,
    pub message: u64,
    index: u32,
    series: u32,
    ts_ms: i64,
    value: f64,
    unit: u16,
    pub is_open: bool,
    /// Within which it was raised, of a rule that counts while a step is active.
    pub run: Option<RunId>,
}

impl Heard {
    pub(super) fn of(readings: &Readings, row: usize) -> Self {
        Heard {
            arrived_ms: readings.arrived_ms[row],
            message: readings.message[row],
            index: readings.index[row],
            series: readings.series[row],
            ts_ms: readings.ts_ms[row],
            value: readings.value[row],
            unit: readings.unit[row],
            is_open: false,
            run: None,
        }
    }

    /// By names, for the hash of the state.
    pub(super) fn line(&self, rule: &str, key: &str, table: &SeriesTable) -> String {
        let Heard { arrived_ms, message, index, ts_ms, is_open, run, .. } = self;
        let (series, value) = (table.get(self.series), self.value.to_bits());
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
    heard: &Heard,
    raised_ms: i64,
    run: Option<&Run>,
    around: Surroundings<'_>,
    rejects: &mut Vec<Reject>,
) -> RuleRow {
    let mut block = Block::default();
    block.readings.message.push(heard.message);
    block.readings.index.push(heard.index);
    block.readings.ts_ms.push(heard.ts_ms);
    block.readings.arrived_ms.push(heard.arrived_ms);
    block.readings.series.push(heard.series);
    block.readings.boot.push(NONE);
    block.readings.seq.push(NONE);
    block.readings.value.push(heard.value);
    block.readings.text.push(0);
    block.readings.unit.push(heard.unit);
    block.readings.tags.push(0);
    block.bay.push(around.table.bay_of()[heard.series as usize]);
    block.lateness.push(0);
    let joined = Joined {
        run: vec![if run.is_some() { 0 } else { NO_RUN }],
        spec_min: vec![f64::NAN],
        spec_max: vec![f64::NAN],
        runs: run.map(joined_run).into_iter().collect(),
    };
    let rows = Rows {
        blocks: &[&block],
        stretches: &[Stretch { block: 0, from: 0, to: 1 }],
        names: around.names,
        joined: Some(&joined),
    };
    let id = reading_id(heard.message, heard.index);
    let output = rows.batch(plan.rows().columns()).map_err(datafusion::error::DataFusionError::from);
    let mut row = match output.and_then(|batch| plan.rows().outputs(&batch)) {
        Ok(output) => RuleRow::new(&output, 0, id, raised_ms),
        // The silence is told, whatever SELECT makes of the last row.
        Err(error) => {
            rejects.push(failed_row(&life.name, heard.message, &error.strip_backtrace()));
            let names = around.table.get(heard.series);
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
    row.last_arrived_ms = Some(heard.arrived_ms);
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
