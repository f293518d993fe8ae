//! Values of which a condition says nothing. Most limits are far from most readings, so the least and the greatest value
//! of many rows tell that none of them matches.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};

use super::expression::{Expression, never_fails};
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

    /// Whether all values are in it; these are the least and the greatest.
    pub(crate) fn holds(self, (least, greatest): (f64, f64)) -> bool {
        self.from <= least && greatest <= self.to
    }
}

fn of(condition: &Expression, value: usize) -> Option<Quiet> {
    let binary = condition.downcast_ref::<BinaryExpr>()?;
    let (left, right) = (binary.left(), binary.right());
    match binary.op() {
        Operator::And => of(left, value).or_else(|| of(right, value)),
        Operator::Or => {
            let (left, right) = (of(left, value)?, of(right, value)?);
            let both = Quiet { from: left.from.max(right.from), to: left.to.min(right.to) };
            (both.from <= both.to).then_some(both)
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
    use crate::plan::{Plan, Planner};

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
