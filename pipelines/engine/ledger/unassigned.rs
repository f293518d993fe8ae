//! What no step accounts for, by bay, resource, lot and day.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::balances::Passed;
use super::super::usage::Use;
use super::{Lots, Posting};

/// Names a resource's day on a bay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Day {
    /// First moment of the day, ms since 1970.
    pub started_ms: i64,
    pub resource: Arc<str>,
    /// That of the meter: another measures something else.
    pub unit: Arc<str>,
}

/// All that may change, by bay. It has no more days than there are balances, of which it is a part.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Unassigned(BTreeMap<u32, BTreeMap<Day, Spent>>);

/// What was used of a resource on a day.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Spent {
    /// First moment of the next day.
    ended_ms: i64,
    lots: Lots,
    /// The day is over, and was told so.
    is_final: bool,
}

impl Spent {
    fn is_settled(&self) -> bool {
        self.is_final && !self.lots.is_changed()
    }
}

impl Unassigned {
    /// Writes a use of a resource down, in the meter's own unit.
    pub(in crate::engine) fn take(&mut self, bay: u32, day: Day, ended_ms: i64, used: &Use) {
        let spent = self.spent(bay, day, ended_ms);
        spent.lots.add(used.quantity, &used.origin, spent.is_final);
    }

    /// What was used before a ledger was kept.
    pub(in crate::engine) fn take_of_before(&mut self, bay: u32, day: Day, ended_ms: i64, quantity: f64) {
        let span_ms = (day.started_ms, day.started_ms);
        let spent = self.spent(bay, day, ended_ms);
        spent.lots.add_of_before(quantity, 0, span_ms);
    }

    fn spent(&mut self, bay: u32, day: Day, ended_ms: i64) -> &mut Spent {
        let new = || Spent { ended_ms, lots: Lots::default(), is_final: false };
        self.0.entry(bay).or_default().entry(day).or_insert_with(new)
    }

    /// Whether something of `bay` is not told yet, or not for good.
    #[must_use]
    pub(in crate::engine) fn is_waited_for(&self, bay: u32) -> bool {
        self.0.get(&bay).is_some_and(|days| days.values().any(|spent| !spent.is_settled()))
    }

    /// What of `bay` has something new to say, by day; `is_time` is when what goes on is told.
    pub(in crate::engine) fn due(&mut self, bay: u32, passed: Passed, is_time: bool) -> Vec<Posting> {
        let mut due = Vec::new();
        for (day, spent) in self.0.get_mut(&bay).into_iter().flatten() {
            let is_over = passed.is_closed || spent.ended_ms <= passed.frontier_ms || spent.is_final;
            if spent.is_settled() || !(is_time || is_over) {
                continue;
            }
            spent.is_final = is_over;
            let told = spent.lots.tell(|entry| entry.tell(false, is_over, false));
            due.extend(told.map(|(lot, entry)| Posting {
                job_and_step: None,
                started_ms: day.started_ms,
                ended_ms: spent.ended_ms,
                resource: day.resource.clone(),
                unit: day.unit.clone(),
                lot,
                entry,
            }));
        }
        due
    }

    /// As [`Balances::forget`](super::super::balances::Balances::forget).
    pub(in crate::engine) fn forget(&mut self, before_ms: impl Fn(u32) -> i64) {
        for (&bay, days) in &mut self.0 {
            days.retain(|_, spent| !spent.is_settled() || spent.ended_ms >= before_ms(bay));
        }
        self.0.retain(|_, days| !days.is_empty());
    }

    /// By name; what differs between two engines can be seen in it.
    pub(in crate::engine) fn state_lines<'a>(
        &'a self,
        series_name: impl Fn(u32) -> String + 'a,
        bay_name: impl Fn(usize) -> String + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        self.0.iter().flat_map(|(&bay, days)| days.iter().map(move |(day, spent)| (bay, day, spent))).map(
            move |(bay, day, spent)| {
                let Day { started_ms, resource, unit } = day;
                let (name, lots) = (bay_name(bay as usize), spent.lots.state(&series_name));
                format!("unassigned {name} {resource} {unit} {started_ms} {} {lots}", spent.is_final)
            },
        )
    }
}
