//! What a person types.

use crate::config::Mistake;

pub mod audit;

pub mod backtest;

pub mod backup;

pub mod check;

pub mod demo;

pub mod explain;

pub mod import;

pub mod output;

pub mod quarantine;

pub mod query;

pub mod service;

pub mod replay;

pub mod restore;

pub mod run;

pub mod simulate;

pub mod standby;

pub mod status;

pub mod test;

pub mod trace;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Mistakes in the configuration, all at once. Exit code 78.
    #[error("{}", mistakes(.0))]
    Configuration(Vec<Mistake>),
    /// An input or a folder that the person can mend.
    #[error("{what}\n  {remedy}")]
    Input { what: String, remedy: String },
    /// Something went wrong on the way.
    #[error("{what}: {source}")]
    Failed { what: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// Whoever read the output has had enough, as `head` does. Nothing is said of it.
    #[error("nobody reads the output")]
    Closed,
}

impl CommandError {
    /// `what` went wrong because of `source`.
    pub fn failed(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        CommandError::Failed { what: what.to_owned(), source: source.into() }
    }

    /// The process's exit code. Of a closed pipe the one that a shell gives to a tool ended by SIGPIPE.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Configuration(_) => 78,
            CommandError::Closed => 141,
            CommandError::Input { .. } | CommandError::Failed { .. } => 1,
        }
    }
}

fn mistakes(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
