//! Windows that overlap, and what it costs to fold a row into all of them.

use super::super::key::Key;
use super::super::stream::{WindowKind, Windows};
use super::WindowPlan;

/// Why windows that overlap have no slides that rows are folded into once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// They are no whole number of slides.
    Uneven,
    /// Rows decide this key.
    Key(String),
    /// This aggregate is of DataFusion, whose accumulators cannot be merged at no cost.
    Aggregate(String),
}

impl WindowPlan {
    /// What keeps rows from being folded once, into slides that go into `windows` as a whole.
    pub(crate) fn hindrance(&self, windows: Windows) -> Option<Hindrance> {
        if windows.size_ms % windows.slide_ms != 0 {
            return Some(Hindrance::Uneven);
        }
        let mut keys = self.group_schema.fields().iter().zip(&self.keys);
        if let Some((field, _)) = keys.find(|(_, key)| matches!(key, Key::Row(_))) {
            return Some(Hindrance::Key(field.name().clone()));
        }
        let other = self.states.others.first();
        other.map(|other| Hindrance::Aggregate(other.function.fun().name().to_owned()))
    }

    /// How many windows each row is folded into one by one, and why, where these overlap.
    pub(crate) fn windows_a_row(&self) -> Option<(usize, Hindrance)> {
        let WindowKind::Fixed(windows) = self.kind else { return None };
        let hindrance = self.hindrance(windows).filter(|_| !windows.is_tumbling())?;
        Some((windows.steps_back().count(), hindrance))
    }
}
