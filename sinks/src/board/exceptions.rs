//! `/api/v1/exceptions`: which of the picture's exceptions are asked for.

use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;
use crate::view::ExceptionView;

/// Severities as rules name them, worst first.
pub(crate) const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];
/// As many as a view holds.
const LIMIT_MAX: usize = 200;

/// `?state=open|all&severity=critical,high&site=…&bay=…&limit=…`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExceptionQuery {
    state: Option<String>,
    severity: Option<String>,
    site: Option<String>,
    bay: Option<String>,
    limit: Option<usize>,
}

impl ExceptionQuery {
    /// The exceptions that match, in the picture's order, and how many match beyond the limit.
    ///
    /// # Errors
    ///
    /// A value that no exception can have, with the ones that exist.
    pub(super) fn select<'a>(
        &self,
        exceptions: &'a [ExceptionView],
    ) -> Result<(Vec<&'a ExceptionView>, usize), Problem> {
        let only_open = match self.state.as_deref() {
            None | Some("open") => true,
            Some("all") => false,
            Some(other) => return Err(unknown("state", other, &["open", "all"])),
        };
        let severities: Vec<&str> =
            self.severity.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        if let Some(other) = severities.iter().find(|severity| !SEVERITIES.contains(severity)) {
            return Err(unknown("severity", other, &SEVERITIES));
        }
        let limit = self.limit.unwrap_or(LIMIT_MAX);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request(format!(
                "`limit` is {limit}; give a number from 1 to {LIMIT_MAX}"
            )));
        }
        let wanted =
            |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
        let mut matching: Vec<&ExceptionView> = exceptions
            .iter()
            .filter(|exception| !only_open || exception.is_open())
            .filter(|exception| severities.is_empty() || severities.contains(&exception.severity.as_str()))
            .filter(|exception| wanted(&self.site, &exception.site) && wanted(&self.bay, &exception.bay))
            .collect();
        let beyond = matching.len().saturating_sub(limit);
        matching.truncate(limit);
        Ok((matching, beyond))
    }
}

/// A value that a parameter cannot have, with those that it can.
pub(super) fn unknown(name: &str, value: &str, known: &[&str]) -> Problem {
    Problem::bad_request(format!("`{name}` cannot be `{value}`; use {}", known.join(", ")))
}
