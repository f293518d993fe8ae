//! What a board shows of the engine: what has arrived, not what has become final.
//!
//! None of it feeds back into results, and none of it is in checkpoints.

use std::collections::VecDeque;
use std::ops::Range;

use ingest::readings::Readings;
use sinks::view::{Bay, BayState, ExceptionView, Trend, UsageView};

use super::Engine;
use super::exceptions::Exception;
use super::usage::Due;
use crate::config::Severity;

/// Points of a trend line.
const POINTS: usize = 60;
/// Lines of a tile.
const TRENDS: usize = 4;
/// Bookings that are kept for the board.
const BOOKED_MAX: usize = 200;
/// Suppressed exceptions in the list, so that lately closed ones have room.
const SUPPRESSED_MAX: usize = 50;

/// Newest values, lines and bookings. Off (and free) in replay.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    is_on: bool,
    /// By series: newest value, NaN for none, and the unit's number.
    newest: Vec<(f64, u16)>,
    lines: Vec<VecDeque<f64>>,
    booked: VecDeque<UsageView>,
}

impl Live {
    /// Begins to keep what boards need.
    pub(super) fn turn_on(&mut self) {
        self.is_on = true;
    }

    /// Rows have arrived.
    #[inline]
    pub(super) fn arrived(&mut self, readings: &Readings, rows: Range<usize>) {
        if !self.is_on {
            return;
        }
        for row in rows {
            let series = readings.series[row] as usize;
            if series >= self.newest.len() {
                self.newest.resize(series + 1, (f64::NAN, 0));
            }
            self.newest[series] = (readings.value[row], readings.unit[row]);
        }
    }

    /// A second has passed: every line gets its newest value.
    pub(super) fn sample(&mut self) {
        self.lines.resize_with(self.newest.len(), VecDeque::new);
        for (line, (value, _)) in self.lines.iter_mut().zip(&mut self.newest) {
            if !value.is_nan() {
                line.push_back(std::mem::replace(value, f64::NAN));
                if line.len() > POINTS {
                    line.pop_front();
                }
            }
        }
    }

    /// Books were closed.
    pub(super) fn booked(&mut self, bay: &str, due: &[Due]) {
        if !self.is_on {
            return;
        }
        for Due { key, book, .. } in due {
            for (resource, amount) in &book.amounts {
                let same = |view: &UsageView| {
                    *view.site == *key.site
                        && *view.job == *key.job
                        && *view.step == *key.step
                        && *view.resource == **resource
                };
                self.booked.retain(|view| !same(view));
                self.booked.push_front(UsageView {
                    site: key.site.to_string(),
                    bay: bay.to_owned(),
                    job: key.job.to_string(),
                    step: key.step.to_string(),
                    resource: resource.to_string(),
                    quantity: amount.quantity,
                    unit: amount.unit.to_string(),
                    ended_ms: book.ended_ms.unwrap_or(book.started_ms),
                });
            }
        }
        self.booked.truncate(BOOKED_MAX);
    }
}

impl Engine {
    /// Begins to keep what boards need.
    pub fn watch(&mut self) {
        self.live.turn_on();
    }

    /// One second of trend lines has passed.
    pub fn sample_trends(&mut self) {
        self.live.sample();
    }

    /// Tiles of all bays that have been heard, by site and name. `now_ms` is the time of the picture.
    #[must_use]
    pub fn bays(&self, now_ms: i64, idle_ms: i64) -> Vec<Bay> {
        let table = self.decoder.series();
        let mut tiles = Vec::new();
        for (number, time) in self.bays.all().iter().enumerate() {
            let (site, bay) = &table.bays()[number];
            if bay.is_empty() || time.arrived_ms == i64::MIN {
                continue;
            }
            let number = u32::try_from(number).expect("bays are numbered in u32");
            tiles.push(self.tile(number, site, bay, now_ms, idle_ms));
        }
        tiles.sort_by(|left, right| (&left.site, &left.bay).cmp(&(&right.site, &right.bay)));
        tiles
    }

    fn tile(&self, number: u32, site: &str, bay: &str, now_ms: i64, idle_ms: i64) -> Bay {
        let time = &self.bays.all()[number as usize];
        let run = self.steps.bay(number).and_then(super::steps::BaySteps::current);
        let elapsed_s = run.map(|run| run.worked_ms(now_ms.max(run.started_ms)) as f64 / 1000.0);
        let plan = run.and_then(|run| run.plan.as_ref());
        let of_bay = |exception: &&Exception| exception.site == site && exception.bay.as_deref() == Some(bay);
        let open: Vec<&Exception> = self.exceptions.open().filter(of_bay).collect();
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
        let calling = open.iter().copied().filter(|exception| !exception.is_shelved());
        let worst = calling.chain(recent).min_by_key(|exception| exception.severity);
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
            exceptions_open: u32::try_from(open.len()).unwrap_or(u32::MAX),
            trends: self.trends(number),
            expected: run.map(|run| self.expected_of(site, run)).unwrap_or_default(),
            ..Bay::default()
        };
        let is_silent = now_ms - time.arrived_ms >= idle_ms.max(self.bays.idle_ms(number));
        (tile.state, tile.reason) = judge(&tile, worst, is_silent);
        tile
    }

    fn trends(&self, bay: u32) -> Vec<Trend> {
        let table = self.decoder.series();
        let mut lines: Vec<(usize, &VecDeque<f64>)> = self
            .live
            .lines
            .iter()
            .enumerate()
            .filter(|(series, line)| table.bay_of()[*series] == bay && line.len() > 1 && is_lively(line))
            .collect();
        lines.sort_by_key(|(series, line)| (std::cmp::Reverse(line.len()), *series));
        let trend = |(series, line): (usize, &VecDeque<f64>)| {
            let names = table.get(u32::try_from(series).expect("series are numbered in u32"));
            Trend {
                tool: names.tool.to_string(),
                metric: names.metric.to_string(),
                unit: self.decoder.units().code(self.live.newest[series].1).to_owned(),
                points: line.iter().copied().collect(),
            }
        };
        lines.into_iter().take(TRENDS).map(trend).collect()
    }

    /// Open exceptions, the most severe first and of these the newest, then suppressed and lately closed ones; `response` tells what to
    /// do by rule. So in a flood what is left out is what matters least.
    #[must_use]
    pub fn exception_views(&self, response: impl Fn(&str) -> String) -> Vec<ExceptionView> {
        let mut open: Vec<&Exception> = self.exceptions.open().collect();
        open.sort_by_key(|exception| {
            (exception.severity, std::cmp::Reverse(exception.raised_ms), exception.id.clone())
        });
        let mut suppressed: Vec<&Exception> = self.exceptions.suppressed().collect();
        suppressed.sort_by_key(|exception| (std::cmp::Reverse(exception.raised_ms), exception.id.clone()));
        let others = suppressed.into_iter().take(SUPPRESSED_MAX).chain(self.exceptions.recent());
        let all = open.into_iter().chain(others).take(200);
        all.map(|exception| view(exception, response(&exception.rule))).collect()
    }

    /// How many exceptions are open.
    #[must_use]
    pub fn exceptions_open(&self) -> u64 {
        self.exceptions.open().count() as u64
    }

    /// How many go on while another exception holds them back.
    #[must_use]
    pub fn exceptions_suppressed(&self) -> u64 {
        self.exceptions.suppressed().count() as u64
    }

    /// How many of the open ones are put aside for a while.
    #[must_use]
    pub fn exceptions_shelved(&self) -> u64 {
        self.exceptions.open().filter(|exception| exception.is_shelved()).count() as u64
    }

    /// Newest bookings first.
    #[must_use]
    pub fn usage_views(&self) -> Vec<UsageView> {
        self.live.booked.iter().cloned().collect()
    }

    /// Newest arrival minus the least watermark of the bays that are not released.
    #[must_use]
    pub fn watermark_lag_ms(&self) -> Option<i64> {
        let newest_ms =
            self.bays.all().iter().map(|time| time.arrived_ms).max().filter(|&ms| ms != i64::MIN)?;
        self.bays.least_of_all_ms().map(|least_ms| newest_ms - least_ms)
    }
}

fn is_lively(line: &VecDeque<f64>) -> bool {
    line.iter().any(|point| point != &line[0])
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
