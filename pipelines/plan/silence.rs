//! What a rule expects to hear: which rows, and whose silence is told.

use datafusion::common::Result;

use super::expression::Expression;
use super::refusal::Refusal;
use super::rows::RowsPlan;
use crate::config::CountsWhile;
use crate::schema::{SERIES_COLUMNS, STEP_COLUMNS};

/// The rows of a rule with `silent_after`, and the columns that tell whose silence it is.
#[derive(Clone, Debug)]
pub struct SilencePlan {
    rows: RowsPlan,
    key: Vec<String>,
    /// Over the columns of a series, one for each name of the key.
    key_of_series: Vec<Expression>,
}

/// What silence is told of where the rule does not say: as much of it as SELECT has.
const KEY: [&str; 3] = ["site", "bay", "tool"];

impl SilencePlan {
    /// `key` are columns of SELECT; that of the site is always among them.
    ///
    /// # Errors
    /// A column of the key is not decided by the series; a condition needs the step, which an arriving row does not
    /// have yet; what counts while a step is active, or none, is not that of a bay.
    pub(crate) fn new(
        rows: &RowsPlan,
        key: Option<&[String]>,
        counts_while: CountsWhile,
    ) -> Result<Self, Refusal> {
        let is_selected = |name: &&str| rows.output_schema().index_of(name).is_ok();
        let mut names: Vec<String> = match key {
            Some(key) => key.to_vec(),
            None => KEY.iter().copied().filter(is_selected).map(str::to_owned).collect(),
        };
        if !names.iter().any(|name| name == "site") {
            names.insert(0, "site".to_owned());
        }
        if counts_while != CountsWhile::Always && !names.iter().any(|name| name == "bay") {
            return Err(Refusal::new(
                "",
                "`while` asks for the steps of a bay, or whether it is open, and the key has no bay",
                "add bay to SELECT and to `key`, or leave `while` out",
            ));
        }
        let schema = rows.stream().schema();
        let of_step = |&column: &usize| STEP_COLUMNS.contains(&schema.field(column).name().as_str());
        if rows.condition_columns().iter().any(of_step) {
            return Err(Refusal::new(
                "",
                "what is expected is decided as rows arrive, and their step is certain only later",
                "leave columns of the step out of WHERE; `while = \"step\"` counts silence within a step",
            ));
        }
        let mut key_of_series = Vec::new();
        for name in &names {
            let Some(expression) = rows.output_of_series(name)? else {
                let known = SERIES_COLUMNS.join(", ");
                return Err(Refusal::new(
                    "",
                    format!("silence is that of a series, which does not decide the key's `{name}`"),
                    format!("make `key` of {known}"),
                ));
            };
            key_of_series.push(expression);
        }
        Ok(SilencePlan { rows: rows.clone(), key: names, key_of_series })
    }

    /// The rows that are expected.
    #[must_use]
    pub fn rows(&self) -> &RowsPlan {
        &self.rows
    }

    /// Whether silence is told of each `name` apart.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.key.iter().any(|one| one == name)
    }

    /// The key of each series in a batch of [`super::series_batch`].
    ///
    /// # Errors
    /// The batch has other columns.
    pub fn key_columns(&self, series: &arrow::array::RecordBatch) -> Result<Vec<arrow::array::ArrayRef>> {
        let rows = series.num_rows();
        self.key_of_series.iter().map(|key| key.evaluate(series)?.into_array(rows)).collect()
    }
}
