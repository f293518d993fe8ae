//! The picture of a moment: a tile for each bay, and the exceptions that go on.
//!
//! Its cost grows with the bays and the exceptions that are open, one pass over each.

use std::collections::BTreeMap;

use sinks::view::{Bay, BayState, ExceptionView, ToolView, Trend};

use super::Engine;
use super::exceptions::{Exception, Operator, Overview};
use crate::config::Severity;

/// Tools out of service that a board lists.
const TOOLS_MAX: usize = 200;

/// Bays and exceptions at a time.
#[derive(Clone, Debug)]
pub struct Tiles {
    /// All that have been heard, by site and name.
    pub bays: Vec<Bay>,
    /// Open exceptions, the most severe first and of these the newest, then suppressed and lately closed ones; at most 200.
    pub exceptions: Vec<ExceptionView>,
    /// How many are open.
    pub open: u64,
    /// How many go on while another exception holds them back.
    pub suppressed: u64,
    /// How many of the open ones are put aside for a while.
    pub shelved: u64,
}

impl Engine {
    /// What a board shows at `now_ms`; `responses` tells what to do by rule. A bay is silent after `idle_ms`, or after its own
    /// bound where that is longer.
    #[must_use]
    pub fn tiles(&self, now_ms: i64, idle_ms: i64, responses: &BTreeMap<String, String>) -> Tiles {
        let table = self.decoder.series();
        let overview = self.exceptions.overview();
        let mut trends = self.live.liveliest(table.bays().len(), table.bay_of());
        let mut bays = Vec::new();
        for (number, time) in self.bays.all().iter().enumerate() {
            let (site, bay) = &table.bays()[number];
            if bay.is_empty() || time.arrived_ms == i64::MIN {
                continue;
            }
            let lines = std::mem::take(&mut trends[number]);
            let number = u32::try_from(number).expect("bays are numbered in u32");
            let mut tile = self.tile(number, (site, bay), &overview, (now_ms, idle_ms));
            tile.trends = lines.into_iter().map(|series| self.trend(series)).collect();
            bays.push(tile);
        }
        bays.sort_by(|left, right| (&left.site, &left.bay).cmp(&(&right.site, &right.bay)));
        let response = |rule: &str| responses.get(rule).cloned().unwrap_or_default();
        let listed = overview.listed.iter().map(|exception| view(exception, response(&exception.rule)));
        let exceptions = listed.collect();
        let Overview { open, suppressed, shelved, .. } = overview;
        Tiles { bays, exceptions, open, suppressed, shelved }
    }

    /// By site and name, the first of them.
    #[must_use]
    pub fn tools_out_of_service(&self) -> Vec<ToolView> {
        let tools = self.exceptions.out_of_service.all().take(TOOLS_MAX);
        let view = |(site, tool, by): (&str, &str, &Operator)| ToolView {
            site: site.to_owned(),
            tool: tool.to_owned(),
            actor: by.actor.clone().unwrap_or_default(),
            reason: by.reason.clone().unwrap_or_default(),
            since_ms: by.since_ms.unwrap_or_default(),
        };
        tools.map(view).collect()
    }

    /// How many exceptions are open.
    #[must_use]
    pub fn exceptions_open(&self) -> u64 {
        self.exceptions.open().count() as u64
    }

    fn tile(
        &self,
        number: u32,
        (site, bay): (&str, &str),
        overview: &Overview<'_>,
        (now_ms, idle_ms): (i64, i64),
    ) -> Bay {
        let time = &self.bays.all()[number as usize];
        let run = self.steps.bay(number).and_then(super::steps::BaySteps::current);
        let elapsed_s = run.map(|run| run.worked_ms(now_ms.max(run.started_ms)) as f64 / 1000.0);
        let plan = run.and_then(|run| run.plan.as_ref());
        let of_bay = |exception: &&Exception| exception.site == site && exception.bay.as_deref() == Some(bay);
        let open = overview.of(site, bay);
        // An event is over at once; its bay shows it for as long as the step it happened in goes on.
        let here = |exception: &&Exception| {
            of_bay(exception)
                && run.is_some_and(|run| {
                    exception.job.as_deref() == Some(&*run.job)
                        && exception.step.as_deref() == Some(&*run.step)
                })
        };
        let recent = self
            .exceptions
            .recent()
            .filter(here)
            .filter(|exception| exception.cleared_ms == Some(exception.raised_ms));
        let worst = open.worst.into_iter().chain(recent).min_by_key(|exception| exception.severity);
        let mut tile = Bay {
            site: site.to_owned(),
            bay: bay.to_owned(),
            job: run.map(|run| run.job.to_string()),
            step: run.map(|run| run.step.to_string()),
            operation: plan.and_then(|plan| plan.operation.clone()),
            technician: run.and_then(|run| run.technician.as_deref().map(str::to_owned)),
            started_ms: run.map(|run| run.started_ms),
            elapsed_s,
            standard_s: plan.and_then(|plan| plan.standard_s),
            paused: run.is_some_and(super::steps::Run::is_paused),
            last_arrived_ms: Some(time.arrived_ms),
            watermark_ms: Some(self.bays.watermark_ms(number)).filter(|&ms| ms != i64::MIN),
            exceptions_open: open.open,
            expected: run.map(|run| self.expected_of(site, number, run)).unwrap_or_default(),
            resources: run.map(|run| self.used_of(site, run)).unwrap_or_default(),
            ..Bay::default()
        };
        let is_silent = now_ms - time.arrived_ms >= idle_ms.max(self.bays.idle_ms(number));
        (tile.state, tile.reason) = judge(&tile, worst, is_silent);
        tile
    }

    fn trend(&self, series: usize) -> Trend {
        let names = self.decoder.series().get(u32::try_from(series).expect("series are numbered in u32"));
        let (points, unit) = self.live.line(series);
        Trend {
            tool: names.tool.to_string(),
            metric: names.metric.to_string(),
            unit: self.decoder.units().code(unit).to_owned(),
            points,
        }
    }
}

fn judge(tile: &Bay, worst: Option<&Exception>, is_silent: bool) -> (BayState, String) {
    if is_silent {
        return (BayState::NoData, "nothing heard".to_owned());
    }
    if let Some(worst) = worst.filter(|worst| matches!(worst.severity, Severity::Critical | Severity::High)) {
        return (BayState::Stopped, worst.message.clone());
    }
    let over = match (tile.elapsed_s, tile.standard_s) {
        (Some(elapsed_s), Some(standard_s)) if standard_s > 0.0 => elapsed_s / standard_s,
        _ => 0.0,
    };
    if over > 1.5 {
        return (BayState::Stopped, "far over standard time".to_owned());
    }
    if tile.paused {
        return (BayState::Waiting, "paused".to_owned());
    }
    if let Some(worst) = worst {
        return (BayState::AtRisk, worst.message.clone());
    }
    if over > 1.0 {
        return (BayState::AtRisk, "over standard time".to_owned());
    }
    match tile.step {
        Some(_) => (BayState::Normal, "on time".to_owned()),
        None => (BayState::Free, "no step".to_owned()),
    }
}

fn view(exception: &Exception, response: String) -> ExceptionView {
    ExceptionView {
        id: exception.id.clone(),
        rule: exception.rule.to_string(),
        severity: exception.severity.as_str().to_owned(),
        site: exception.site.clone(),
        bay: exception.bay.clone().unwrap_or_default(),
        tool: exception.tool.clone().unwrap_or_default(),
        job: exception.job.clone(),
        step: exception.step.clone(),
        raised_ms: exception.raised_ms,
        cleared_ms: exception.cleared_ms,
        state: exception.state.as_str().to_owned(),
        operator_state: exception.operator.state.as_str().to_owned(),
        actor: exception.operator.actor.clone(),
        operator_reason: exception.operator.reason.clone(),
        operator_since_ms: exception.operator.since_ms,
        shelved_until_ms: exception.operator.until_ms,
        value: exception.value,
        limit_min: exception.limit_min,
        limit_max: exception.limit_max,
        message: exception.message.clone(),
        response,
        evidence: serde_json::from_str(&exception.evidence).unwrap_or_default(),
    }
}
