//! Exceptions added, removed, changed, and the same.

use std::collections::BTreeMap;

use super::Outcome;

/// How an exception of one configuration stands to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Added,
    Removed,
    Changed,
    Same,
}

impl Change {
    /// All of them.
    pub const ALL: [Change; 4] = [Change::Added, Change::Removed, Change::Changed, Change::Same];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
            Change::Same => "same",
        }
    }
}

/// An exception, and what it was before.
#[derive(Clone, Debug)]
pub struct Difference {
    pub change: Change,
    /// As the new configuration has it; a removed one as the old one had it.
    pub outcome: Outcome,
    /// What the old one had, of a changed one.
    pub before: Option<Outcome>,
    /// What is other than before.
    pub fields: Vec<&'static str>,
}

/// How many there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    pub same: u64,
}

impl Counts {
    fn count(&mut self, change: Change) {
        *match change {
            Change::Added => &mut self.added,
            Change::Removed => &mut self.removed,
            Change::Changed => &mut self.changed,
            Change::Same => &mut self.same,
        } += 1;
    }

    /// Whether any is not the same.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }

    /// Exceptions of the old configuration.
    #[must_use]
    pub fn of_old(&self) -> u64 {
        self.removed + self.changed + self.same
    }

    /// Exceptions of the new one.
    #[must_use]
    pub fn of_new(&self) -> u64 {
        self.added + self.changed + self.same
    }
}

/// Rule, site, bay and job; empty where there is none.
pub(super) type CellKey = [String; 4];

/// Holds both against each other: in the order of raising. `shared` are of rules that both have.
pub(super) fn compare(
    old: BTreeMap<String, Outcome>,
    mut new: BTreeMap<String, Outcome>,
    shared: &BTreeMap<String, Outcome>,
) -> (Vec<Difference>, BTreeMap<CellKey, Counts>) {
    let mut all: Vec<Difference> = Vec::new();
    for (id, before) in old {
        all.push(match new.remove(&id) {
            None => Difference { change: Change::Removed, outcome: before, before: None, fields: Vec::new() },
            Some(outcome) => {
                let fields = changed_fields(&before, &outcome);
                let change = if fields.is_empty() { Change::Same } else { Change::Changed };
                let before = (change == Change::Changed).then_some(before);
                Difference { change, outcome, before, fields }
            }
        });
    }
    let added = |outcome| Difference { change: Change::Added, outcome, before: None, fields: Vec::new() };
    all.extend(new.into_values().map(added));
    let same = |outcome: &Outcome| Difference {
        change: Change::Same,
        outcome: outcome.clone(),
        before: None,
        fields: Vec::new(),
    };
    all.extend(shared.values().map(same));
    all.sort_by(|one, other| {
        let key = |difference: &Difference| {
            (difference.outcome.raised_ms, difference.outcome.rule.clone(), difference.outcome.id.clone())
        };
        key(one).cmp(&key(other))
    });
    let mut cells: BTreeMap<CellKey, Counts> = BTreeMap::new();
    for difference in &all {
        let Outcome { rule, site, bay, job, .. } = &difference.outcome;
        let text = |name: &Option<String>| name.clone().unwrap_or_default();
        cells.entry([rule.clone(), site.clone(), text(bay), text(job)]).or_default().count(difference.change);
    }
    (all, cells)
}

fn changed_fields(before: &Outcome, now: &Outcome) -> Vec<&'static str> {
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    let pairs = [
        ("severity", before.severity != now.severity),
        ("raised", before.raised_ms != now.raised_ms),
        ("cleared", (before.cleared_ms, before.state) != (now.cleared_ms, now.state)),
        ("value", bits(before.value) != bits(now.value)),
        ("message", before.message != now.message),
    ];
    pairs.into_iter().filter(|(_, is_other)| *is_other).map(|(name, _)| name).collect()
}
