//! What stands in the braces of a rule's message: a column, and perhaps how people read it.

use arrow::datatypes::DataType;

/// How the value of a column is put into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Seconds: `1 h 15 min`.
    Duration,
    /// A time, by the clock of its site: `2026-03-02 12:05`.
    Time,
}

/// Their names in a message.
pub(super) const NAMES: [(&str, Wording); 2] = [("duration", Wording::Duration), ("time", Wording::Time)];

impl Wording {
    /// Column and wording of `column:wording`; the whole is a column where that names none.
    pub(crate) fn of(placeholder: &str) -> (&str, Option<Wording>) {
        let worded = placeholder.split_once(':').and_then(|(column, name)| {
            let (_, wording) = NAMES.iter().find(|(known, _)| *known == name)?;
            Some((column, *wording))
        });
        worded.map_or((placeholder, None), |(column, wording)| (column, Some(wording)))
    }

    /// What a column must be, if it is of another `kind`.
    pub(super) fn wants(self, kind: &DataType) -> Option<&'static str> {
        let (fits, wanted) = match self {
            Wording::Duration => (kind.is_numeric(), "a number of seconds"),
            Wording::Time => (matches!(kind, DataType::Timestamp(..)), "a time"),
        };
        (!fits).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_a_column_and_perhaps_its_wording() {
        assert_eq!(Wording::of("late_s:duration"), ("late_s", Some(Wording::Duration)));
        assert_eq!(Wording::of("promised:time"), ("promised", Some(Wording::Time)));
        assert_eq!(Wording::of("promised"), ("promised", None));
        assert_eq!(Wording::of("promised:tiem"), ("promised:tiem", None));
    }
}
