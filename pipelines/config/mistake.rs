//! What is wrong in a configuration, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// One mistake. Prints as `file:line:column: message` and, indented on the next line, the remedy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Mistake {
    /// As the user named it: below the folder given to `--config`.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Lower-case fragment: what is wrong, on what. Never holds a secret.
    pub message: String,
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { file, line, column, message, remedy } = self;
        write!(f, "{}:{line}:{column}: {message}\n  {remedy}", file.display())
    }
}

impl std::error::Error for Mistake {}

/// What is wrong and the remedy, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Fault { message: message.into(), remedy: remedy.into() }
    }
}

/// A configuration file in memory.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl SourceFile {
    /// Line and column, both from 1, of a byte.
    pub(super) fn place(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The mistake at the first byte of `span`.
    pub(super) fn mistake(&self, span: &Range<usize>, fault: Fault) -> Mistake {
        let (line, column) = self.place(span.start);
        Mistake { file: self.path.clone(), line, column, message: fault.message, remedy: fault.remedy }
    }
}

/// The known name nearest to a mistyped one, if it is near enough to be meant.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let most = (typed.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|name| (strsim::damerau_levenshtein(&typed, name), name));
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let file = SourceFile { path: "a.toml".into(), text: "a = 1\nä = é\n".to_owned() };
        let byte = file.text.find('é').expect("it is there");
        assert_eq!(file.place(byte), (2, 5));
        assert_eq!(file.place(0), (1, 1));
        assert_eq!(file.place(file.text.len()), (3, 1));
    }

    #[test]
    fn a_mistyped_name_finds_the_nearest_one_and_a_foreign_one_finds_none() {
        let known = ["lateness", "idle", "idle_final"];
        assert_eq!(nearest("latness", known), Some("lateness"));
        assert_eq!(nearest("Idle", known), Some("idle"));
        assert_eq!(nearest("idel_final", known), Some("idle_final"));
        assert_eq!(nearest("colour", known), None);
    }
}
