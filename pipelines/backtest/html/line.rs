//! The time line: a lane for each rule, a mark for each exception, of a shape of its own for each kind of change.

use std::collections::BTreeMap;

use super::super::report::time;
use super::super::{Change, Counts, Difference, Report};
use super::escaped;

const WIDTH: f64 = 1000.0;
/// Room for the names of lanes.
const NAMES: f64 = 190.0;
/// And for counts behind them.
const COUNTS: f64 = 170.0;
const LANE: f64 = 44.0;
const TOP: f64 = 26.0;
/// Marks of a kind closer than this are one.
const STEP: f64 = 22.0;

/// A mark as a picture of its own.
pub(super) fn sample(change: Change) -> String {
    let mark = mark(change, 8.0, 8.0);
    format!(
        "<svg class=\"sample\" width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">{mark}</svg>"
    )
}

/// The whole line.
pub(super) fn time_line(report: &Report) -> String {
    let Some(axis) = Axis::of(report) else { return "<p>Nothing was raised.</p>".into() };
    // What is other comes first.
    let mut rules: Vec<(&str, Counts)> = report.by_rule().into_iter().collect();
    rules.sort_by_key(|(_, counts)| !counts.is_other());
    let height = TOP + LANE * rules.len() as f64 + 6.0;
    let mut svg = format!(
        "<div class=\"scroll\"><svg class=\"line\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Exceptions over time, a lane for each rule\">\n"
    );
    svg.push_str(&axis.grid(height));
    for (lane, (rule, counts)) in rules.iter().enumerate() {
        let middle = TOP + LANE * (lane as f64 + 0.5);
        let bottom = TOP + LANE * (lane as f64 + 1.0);
        svg.push_str(&format!(
            "<line class=\"lane\" x1=\"{NAMES}\" x2=\"{}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <text class=\"counts\" x=\"{}\" y=\"{}\">{}</text>\n",
            WIDTH - COUNTS,
            NAMES - 12.0,
            middle + 4.0,
            escaped(rule),
            WIDTH - COUNTS + 12.0,
            middle + 4.0,
            said(*counts),
        ));
        let of_rule = report.differences.iter().filter(|difference| difference.outcome.rule == *rule);
        svg.push_str(&lane_marks(&axis, middle, of_rule));
    }
    let legend: String = Change::ALL
        .iter()
        .map(|change| format!("<span class=\"{0}\">{1} {0}</span>", change.as_str(), sample(*change)))
        .collect();
    svg + &format!("</svg></div><p class=\"legend\">{legend}<span>times are UTC</span></p>")
}

fn said(counts: Counts) -> String {
    let parts = [("+", counts.added), ("−", counts.removed), ("~", counts.changed), ("=", counts.same)];
    let parts = parts.into_iter().filter(|(_, count)| *count > 0);
    parts.map(|(sign, count)| format!("{sign}{count}")).collect::<Vec<_>>().join(" ")
}

/// Marks of one rule; those that would cover each other are one, with their number.
fn lane_marks<'a>(axis: &Axis, middle: f64, all: impl Iterator<Item = &'a Difference>) -> String {
    let mut bins: BTreeMap<(Change, i64), Vec<&Difference>> = BTreeMap::new();
    let mut svg = String::new();
    for difference in all {
        let x = axis.x(difference.outcome.raised_ms);
        bins.entry((difference.change, (x / STEP) as i64)).or_default().push(difference);
    }
    // What is the same lies below.
    for ((change, _), differences) in bins.iter().rev() {
        let first = &differences[0].outcome;
        // Kinds that come together stand above each other.
        let y = middle
            + match change {
                Change::Added => -13.0,
                Change::Changed => -4.0,
                Change::Same => 5.0,
                Change::Removed => 14.0,
            };
        // Some together stand in the middle of theirs.
        let mean_ms = differences.iter().map(|difference| difference.outcome.raised_ms - first.raised_ms);
        let mean_ms = first.raised_ms + mean_ms.sum::<i64>() / differences.len() as i64;
        let x = axis.x(mean_ms);
        let title = match differences.len() {
            1 => format!("{}: {} {}", change.as_str(), time(first.raised_ms), first.message),
            more => format!("{more} {}, from {}", change.as_str(), time(first.raised_ms)),
        };
        // A bar is one exception's time; some together have none.
        let bar = first.cleared_ms.filter(|_| differences.len() == 1);
        let bar = bar.map_or(0.0, |cleared_ms| axis.x(cleared_ms) - x);
        let bar = if bar > 3.0 {
            format!("<rect class=\"bar\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"2\"/>", y - 1.0)
        } else {
            String::new()
        };
        let number = match differences.len() {
            1 => String::new(),
            more => format!("<text class=\"number\" x=\"{:.1}\" y=\"{:.1}\">{more}</text>", x + 6.0, y + 3.0),
        };
        svg.push_str(&format!(
            "<g class=\"{}\">{bar}{}{number}<title>{}</title></g>\n",
            change.as_str(),
            mark(*change, x, y),
            escaped(&title)
        ));
    }
    svg
}

/// A triangle up, a cross, a diamond, a dot.
fn mark(change: Change, x: f64, y: f64) -> String {
    let path = match change {
        Change::Added => format!("M{:.1} {:.1}l5 9h-10z", x, y - 5.0),
        Change::Removed => {
            format!("M{:.1} {:.1}l8 8m0-8l-8 8", x - 4.0, y - 4.0)
        }
        Change::Changed => format!("M{:.1} {:.1}l5 5l-5 5l-5-5z", x, y - 5.0),
        Change::Same => return format!("<circle class=\"mark same\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"),
    };
    format!("<path class=\"mark {}\" d=\"{path}\"/>", change.as_str())
}

/// Times to places.
struct Axis {
    from_ms: i64,
    to_ms: i64,
}

impl Axis {
    fn of(report: &Report) -> Option<Axis> {
        let raised = report.differences.iter().map(|difference| difference.outcome.raised_ms);
        let (least, most) = (raised.clone().min()?, raised.max()?);
        let (first, last) = report.readings_ms.unwrap_or((least, most));
        let from_ms = report.from_ms.unwrap_or(least.min(first));
        let to_ms = report.to_ms.unwrap_or(most.max(last)).max(from_ms.saturating_add(1));
        Some(Axis { from_ms, to_ms })
    }

    fn x(&self, time_ms: i64) -> f64 {
        let share = (time_ms - self.from_ms) as f64 / (self.to_ms - self.from_ms) as f64;
        NAMES + 8.0 + share.clamp(0.0, 1.0) * (WIDTH - COUNTS - NAMES - 16.0)
    }

    fn grid(&self, height: f64) -> String {
        let step_ms = self.step_ms();
        let mut at_ms = self.from_ms.div_euclid(step_ms).saturating_add(1) * step_ms;
        let mut svg = String::new();
        while at_ms < self.to_ms {
            let x = self.x(at_ms);
            svg.push_str(&format!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{height}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"16\" text-anchor=\"middle\">{}</text>\n",
                label(at_ms, step_ms)
            ));
            at_ms += step_ms;
        }
        svg
    }

    /// At most ten lines.
    fn step_ms(&self) -> i64 {
        const MINUTE: i64 = 60_000;
        let steps = [1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10_080, 43_200];
        let span_ms = self.to_ms - self.from_ms;
        let fits = |minutes: &i64| span_ms / (minutes * MINUTE) < 10;
        let years_ms = (span_ms / 10).max(1);
        steps.iter().find(|minutes| fits(minutes)).map_or(years_ms, |minutes| minutes * MINUTE)
    }
}

fn label(at_ms: i64, step_ms: i64) -> String {
    let Ok(at) = jiff::Timestamp::from_millisecond(at_ms) else { return String::new() };
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    let is_midnight = at.hour() == 0 && at.minute() == 0;
    let format = if step_ms >= 86_400_000 || is_midnight { "%m-%d" } else { "%H:%M" };
    at.strftime(format).to_string()
}
