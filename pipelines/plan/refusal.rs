//! Why a query cannot run, where in its text, and what to write instead.

use datafusion::common::SchemaError;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::stream::Stream;

/// A query that does not compile, with the place in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}; {remedy}")]
pub struct PlanError {
    /// Line in the SQL text, from 1.
    pub line: usize,
    /// Column in the SQL text, from 1.
    pub column: usize,
    /// What is wrong, a sentence fragment.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// A [`PlanError`] before its place is known: `words` are looked for in the text, in a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub words: Vec<String>,
    /// The place that DataFusion names, for when no word is found.
    pub place: Option<(usize, usize)>,
    pub message: String,
    pub remedy: String,
}

impl Refusal {
    pub(crate) fn new(words: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Refusal {
            words: words.split_whitespace().map(String::from).collect(),
            place: None,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// As an error that passes through DataFusion and comes out of [`Refusal::from`] unharmed.
    pub(crate) fn into_external(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// Finds the place in `sql`; the text's beginning if none of the words is there.
    pub(crate) fn locate(self, sql: &str) -> PlanError {
        let (line, column) = place_of(sql, &self.words).or(self.place).unwrap_or((1, 1));
        PlanError { line, column, message: self.message, remedy: self.remedy }
    }
}

/// What DataFusion says, in our words.
impl From<DataFusionError> for Refusal {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::External(inner) => {
                if let Some(refusal) = inner.downcast_ref::<Refusal>() {
                    return refusal.clone();
                }
            }
            DataFusionError::SchemaError(schema_error, _) => {
                if let SchemaError::FieldNotFound { field, valid_fields } = schema_error.as_ref() {
                    let names: Vec<&str> = valid_fields.iter().map(|field| field.name.as_str()).collect();
                    return unknown("column", &field.name, &names);
                }
            }
            _ => {}
        }
        let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
        let number = |number: u64| usize::try_from(number).unwrap_or(1);
        let place = span.map(|span| (number(span.start.line), number(span.start.column)));
        let text = error.find_root().strip_backtrace();
        let text = text.strip_prefix("Error during planning: ").unwrap_or(&text);
        if let Some((_, column)) =
            text.split_once("must appear in the GROUP BY").and(text.split_once("column \""))
        {
            let column = column.split('"').next().unwrap_or_default();
            let column = column.rsplit(['.', ';']).next().unwrap_or_default().trim();
            return Refusal::new(
                column,
                format!("`{column}` is neither in GROUP BY nor in an aggregate"),
                format!("add {column} to GROUP BY, or write max({column})"),
            );
        }
        let (message, remedy) = text.split_once(['\n', '.']).unwrap_or((text, ""));
        let word = message.split(['\'', '"', '`']).nth(1).unwrap_or_default();
        let remedy = remedy.trim().trim_end_matches('.');
        let remedy = if remedy.is_empty() { "correct the expression" } else { remedy };
        Refusal { place, ..Refusal::new(word, lower_first(message.trim()), lower_first(remedy)) }
    }
}

/// A syntax error, with the place that the parser names; without one it is the end of the text.
pub(crate) fn syntax(error: &DataFusionError, sql: &str) -> PlanError {
    let text = error.find_root().strip_backtrace();
    let text = text.trim_start_matches("SQL error: ").trim_start_matches("ParserError(\"");
    let text = text.trim_end_matches("\")");
    let (message, place) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let mut numbers = place.split(", Column: ").map_while(|number| number.trim().parse().ok());
    let last = sql.trim_end();
    let end = (last.lines().count().max(1), last.lines().last().map_or(1, |line| line.chars().count() + 1));
    let (line, column) = numbers.next().zip(numbers.next()).unwrap_or(end);
    PlanError {
        line,
        column,
        message: format!("syntax error: {}", lower_first(message)),
        remedy: "check the words, commas, quotes and brackets before this place".to_owned(),
    }
}

/// A name that is not there, with what it may be.
pub(crate) fn unknown(kind: &str, name: &str, names: &[&str]) -> Refusal {
    let lower = name.to_lowercase();
    let near = names
        .iter()
        .map(|candidate| (levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min();
    let hint = near.map(|(_, candidate)| format!("did you mean `{candidate}`? ")).unwrap_or_default();
    Refusal::new(name, format!("there is no {kind} `{name}`"), format!("{hint}{kind}s: {}", names.join(", ")))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // A word in capitals is a name or a keyword.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain([second]).chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// Line and column of the first run of `words` in `sql`, whatever the case and the space between.
fn place_of(sql: &str, words: &[String]) -> Option<(usize, usize)> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let tokens: Vec<_> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let says = |token: &Token, word: &str| match token {
        Token::Word(text) => text.value.eq_ignore_ascii_case(word),
        other => other.to_string().eq_ignore_ascii_case(word),
    };
    let first = words.first()?;
    let found = (0..tokens.len()).find(|&start| {
        says(&tokens[start].token, first)
            && words.iter().zip(&tokens[start..]).all(|(word, token)| says(&token.token, word))
            && tokens.len() - start >= words.len()
    })?;
    let start = tokens[found].span.start;
    Some((usize::try_from(start.line).ok()?, usize::try_from(start.column).ok()?))
}
/// Of a window over rows that come again when they are corrected.
pub(super) fn of_revisions(stream: Stream) -> Refusal {
    let name = stream.as_str();
    let what = match stream {
        Stream::Usage => "booking",
        Stream::Gaps => "gap",
        _ => "check",
    };
    Refusal::new(
        name,
        format!("a window over {name} would count each revision of a {what}"),
        "write a rule over its single rows, or sum the newest revisions with `andon query`",
    )
}
