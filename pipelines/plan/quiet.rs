//! Values of which a condition says nothing. Most limits are far from most readings, so the least and the greatest value
//! of many rows tell that none of them matches; where limits are of metrics or bays, a look into a table by series tells
//! which rows may match.

use arrow::array::RecordBatch;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};

use super::expression::{Expression, mask, never_fails, renumber};
use super::scope::{is_of_series, series_places};
use super::stream::Stream;

/// No value from here to there matches, both ends included, whatever else its row holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quiet {
    from: f64,
    to: f64,
}

impl Quiet {
    /// Of a condition over the columns of a stream, if it can be told.
    pub(super) fn of(stream: Stream, condition: &Expression) -> Option<Quiet> {
        let schema = stream.windowed_schema();
        let value = schema.index_of("value").ok().filter(|_| stream == Stream::Telemetry)?;
        // What fails goes to quarantine, so it must be looked at.
        never_fails(condition, &schema).then(|| of(condition, value)).flatten()
    }

    const EVERYTHING: Quiet = Quiet { from: f64::NEG_INFINITY, to: f64::INFINITY };
    const NOTHING: Quiet = Quiet { from: f64::INFINITY, to: f64::NEG_INFINITY };

    /// The wider one: where one of two conditions is not true, both together are not.
    fn wider(self, other: Quiet) -> Quiet {
        if self.to - self.from >= other.to - other.from { self } else { other }
    }

    /// What is in both.
    fn common(self, other: Quiet) -> Quiet {
        Quiet { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// Whether a value is not in it. No value at all never is.
    #[inline]
    pub(crate) fn is_loud(self, value: f64) -> bool {
        value < self.from || value > self.to
    }

    /// Whether all values are in it; these are the least and the greatest.
    pub(crate) fn holds(self, (least, greatest): (f64, f64)) -> bool {
        self.from <= least && greatest <= self.to
    }
}

/// A condition that asks for series and for their values: what is quiet hangs on the series.
#[derive(Clone, Debug)]
pub(crate) enum QuietOfSeries {
    /// Series on which this is not true are quiet altogether.
    Within(Expression),
    Values(Quiet),
    Both(Box<[QuietOfSeries; 2]>),
    Either(Box<[QuietOfSeries; 2]>),
    /// Says something of any value.
    Unknown,
}

impl QuietOfSeries {
    /// Of a condition over the columns of a stream, if limits are in it.
    pub(super) fn of(stream: Stream, condition: &Expression) -> Result<Option<Self>> {
        let schema = stream.windowed_schema();
        let value = schema.index_of("value").ok().filter(|_| stream == Stream::Telemetry);
        let Some(value) = value.filter(|_| never_fails(condition, &schema)) else { return Ok(None) };
        let found = Self::within(stream, condition, value)?;
        let (asks_for_series, has_values) = (found.has(Self::is_within), found.has(Self::is_values));
        Ok(Some(found).filter(|_| asks_for_series && has_values))
    }

    fn within(stream: Stream, condition: &Expression, value: usize) -> Result<Self> {
        if is_of_series(stream, condition) {
            let over_series = renumber(condition, &series_places(stream), &stream.windowed_schema())?;
            return Ok(QuietOfSeries::Within(over_series));
        }
        let binary = condition.downcast_ref::<BinaryExpr>();
        let sides = |binary: &BinaryExpr| -> Result<Box<[Self; 2]>> {
            let [left, right] = [binary.left(), binary.right()].map(|side| Self::within(stream, side, value));
            Ok(Box::new([left?, right?]))
        };
        Ok(match binary {
            Some(binary) if *binary.op() == Operator::And => QuietOfSeries::Both(sides(binary)?),
            Some(binary) if *binary.op() == Operator::Or => QuietOfSeries::Either(sides(binary)?),
            _ => of(condition, value).map_or(QuietOfSeries::Unknown, QuietOfSeries::Values),
        })
    }

    fn is_within(&self) -> bool {
        matches!(self, QuietOfSeries::Within(_))
    }

    fn is_values(&self) -> bool {
        matches!(self, QuietOfSeries::Values(_))
    }

    /// Whether any part of it `is` such a one.
    fn has(&self, is: fn(&Self) -> bool) -> bool {
        match self {
            QuietOfSeries::Both(sides) | QuietOfSeries::Either(sides) => {
                sides.iter().any(|side| side.has(is))
            }
            part => is(part),
        }
    }

    /// Of each of the series in `names`, which [`super::series_batch`] made.
    pub(crate) fn each(&self, names: &RecordBatch) -> Result<Vec<Quiet>> {
        let both = |sides: &[Self; 2], one: fn(Quiet, Quiet) -> Quiet| -> Result<Vec<Quiet>> {
            let (left, right) = (sides[0].each(names)?, sides[1].each(names)?);
            Ok(left.into_iter().zip(right).map(|(left, right)| one(left, right)).collect())
        };
        Ok(match self {
            QuietOfSeries::Within(condition) => {
                let within = mask(condition, names)?;
                let quiet = |within: bool| if within { Quiet::NOTHING } else { Quiet::EVERYTHING };
                within.values().iter().map(quiet).collect()
            }
            QuietOfSeries::Values(quiet) => vec![*quiet; names.num_rows()],
            QuietOfSeries::Both(sides) => both(sides, Quiet::wider)?,
            QuietOfSeries::Either(sides) => both(sides, Quiet::common)?,
            QuietOfSeries::Unknown => vec![Quiet::NOTHING; names.num_rows()],
        })
    }
}

fn of(condition: &Expression, value: usize) -> Option<Quiet> {
    let binary = condition.downcast_ref::<BinaryExpr>()?;
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::And => of(left, value).or_else(|| of(right, value)),
        Operator::Or => {
            let (left, right) = (of(left, value)?, of(right, value)?);
            Some(left.common(right)).filter(|both| both.from <= both.to)
        }
        operator => {
            let is_value = |side: &Expression| {
                side.downcast_ref::<Column>().is_some_and(|column| column.index() == value)
            };
            let (limit, operator) = match (is_value(left), is_value(right)) {
                (true, false) => (limit_of(right)?, *operator),
                (false, true) => (limit_of(left)?, operator.swap()?),
                _ => return None,
            };
            beside(limit, operator)
        }
    }
}

fn limit_of(side: &Expression) -> Option<f64> {
    match side.downcast_ref::<Literal>()?.value() {
        ScalarValue::Float64(Some(limit)) if limit.is_finite() => Some(*limit),
        _ => None,
    }
}

/// The values for which `value OPERATOR limit` is not true. The two zeros differ where arrays are compared, and are one
/// here, so a limit of zero is none of them.
fn beside(limit: f64, operator: Operator) -> Option<Quiet> {
    let is_zero = limit == 0.0;
    let (below, above) = (limit.next_down(), limit.next_up());
    match operator {
        Operator::Gt => Some(Quiet { from: f64::MIN, to: if is_zero { below } else { limit } }),
        Operator::GtEq => Some(Quiet { from: f64::MIN, to: below }),
        Operator::Lt => Some(Quiet { from: if is_zero { above } else { limit }, to: f64::MAX }),
        Operator::LtEq => Some(Quiet { from: above, to: f64::MAX }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ingest::series::{Series, SeriesTable};

    use crate::plan::{Plan, Planner, series_batch};

    fn quiet(condition: &str) -> Option<(f64, f64)> {
        let sql = format!("SELECT ts, site, bay, tool, metric, value FROM telemetry WHERE {condition}");
        let plan = Planner::new().plan_sql(&sql).expect("a plan");
        let Plan::Rows(plan) = plan else { panic!("no windows in it") };
        plan.quiet().map(|quiet| (quiet.from, quiet.to))
    }

    #[test]
    fn values_up_to_a_limit_are_quiet_and_those_beyond_are_not() {
        assert_eq!(quiet("metric = 'torque' AND value > 90"), Some((f64::MIN, 90.0)));
        assert_eq!(quiet("90 <= value"), Some((f64::MIN, 90.0_f64.next_down())));
        assert_eq!(quiet("value < 10 OR value > 90"), Some((10.0, 90.0)));
        assert_eq!(quiet("value NOT BETWEEN 10 AND 90"), Some((10.0, 90.0)));
        assert_eq!(quiet("value > 90 AND seq IS NOT NULL"), Some((f64::MIN, 90.0)));
        assert_eq!(quiet("value > 0"), Some((f64::MIN, 0.0_f64.next_down())));
    }

    #[test]
    fn a_limit_of_a_metric_leaves_the_other_metrics_quiet() {
        let of = |condition: &str| {
            let sql = format!("SELECT ts, site, bay, tool, metric, value FROM telemetry WHERE {condition}");
            let Plan::Rows(plan) = Planner::new().plan_sql(&sql).expect("a plan") else {
                panic!("no windows")
            };
            let mut table = SeriesTable::default();
            for metric in ["torque", "angle", "current"] {
                let [site, bay, tool, metric] = ["lyon", "bay-01", "tq-01", metric].map(Into::into);
                table.intern(Series { site, bay, tool, metric });
            }
            let each = plan.quiet_of_series()?.each(&series_batch(&table, 0)).expect("names");
            Some(each.iter().map(|quiet| (quiet.from, quiet.to)).collect::<Vec<_>>())
        };
        let (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(
            of("metric = 'torque' AND value > 90 OR metric = 'angle' AND value < 10"),
            Some(vec![(f64::MIN, 90.0), (10.0, f64::MAX), (least, most)])
        );
        let twice =
            of("metric = 'torque' AND (value > 90 OR value < 95) OR metric = 'angle' AND lateness = 'late' \
                        OR value > 99 AND bay = 'bay-01'");
        assert_eq!(twice, Some(vec![(95.0, 90.0), (most, least), (f64::MIN, 99.0)]));
        assert_eq!(of("value > 90"), None, "the same for all");
        assert_eq!(of("metric = 'torque' AND seq > 1 OR metric = 'angle' AND seq < 1"), None, "no limit");
    }

    #[test]
    fn nothing_is_quiet_where_more_than_the_value_decides_or_something_can_fail() {
        for condition in [
            "value > 90 OR lateness = 'correction'",
            "value > spec_max",
            "value = 7",
            "value < 90 OR value > 10",
            "value > 90 AND 1 / seq > 0",
        ] {
            assert_eq!(quiet(condition), None, "{condition}");
        }
    }
}
