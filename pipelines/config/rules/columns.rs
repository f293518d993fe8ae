//! The columns that a rule names, held against those of its SQL.

use super::super::mistake::{Mistake, nearest};
use super::wording::{NAMES, Wording};
use super::{Planned, Rule, pattern};

impl Rule {
    /// Placeholders and keys that the SQL has no column for.
    pub(super) fn check_columns(&self, planned: &Planned) -> Vec<Mistake> {
        let placeholders = pattern::braced(&self.settings.message).unwrap_or_default();
        let placeholders = placeholders.into_iter().filter_map(|name| self.check_placeholder(name, planned));
        let keys = self.settings.key.iter().flatten().filter(|name| !planned.columns.contains(name));
        let keys = keys
            .map(|name| self.no_such_column(&format!("`key` names `{name}`"), name, planned, self.key_at));
        placeholders.chain(keys).collect()
    }

    /// Its column is not there, or cannot be worded so.
    fn check_placeholder(&self, placeholder: &str, planned: &Planned) -> Option<Mistake> {
        let what = format!("`message` has the placeholder `{{{placeholder}}}`");
        let (column, wording) = Wording::of(placeholder);
        if let Some(place) = planned.columns.iter().position(|known| known == column) {
            let wanted = wording?.wants(&planned.kinds[place])?;
            let message = format!("{what}, and column `{column}` is not {wanted}");
            return Some(self.mistake(self.message_at, message, format!("write `{{{column}}}`")));
        }
        if let Some((column, name)) = column.split_once(':')
            && planned.columns.iter().any(|known| known == column)
        {
            let names = NAMES.map(|(name, _)| name);
            let meant = nearest(name, names).map(|meant| format!("did you mean `{{{column}:{meant}}}`? "));
            let remedy = format!("{}possible are {}", meant.unwrap_or_default(), names.join(", "));
            let message = format!("{what}, and `{name}` is no way to word a column");
            return Some(self.mistake(self.message_at, message, remedy));
        }
        Some(self.no_such_column(&what, column, planned, self.message_at))
    }

    fn no_such_column(&self, what: &str, name: &str, planned: &Planned, at: (usize, usize)) -> Mistake {
        let columns = &planned.columns;
        let remedy = match nearest(name, columns.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add it to the SELECT, or use one of {}", columns.join(", ")),
        };
        self.mistake(at, format!("{what}, and the SQL has no such column"), remedy)
    }
}
