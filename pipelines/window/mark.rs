//! What was said about a group.

/// What was said about a group so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Of the last emission; 0 before the first.
    pub revision: u32,
    /// Rows came since.
    pub changed: bool,
    /// It was final.
    pub is_final: bool,
    /// It passed HAVING.
    pub is_told: bool,
    /// It was final and passed HAVING, now or before.
    pub was_told: bool,
}

impl Mark {
    /// It is emitted, as the next revision. Gives what was said before.
    pub(crate) fn say(&mut self, is_final: bool) -> Mark {
        let before = *self;
        *self = Mark { revision: before.revision + 1, changed: false, is_final, ..before };
        before
    }
}
