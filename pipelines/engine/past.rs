//! Rules over history: what they would have raised, judged by the engine's own rules, windows and exceptions.
//!
//! Rows of history are joined already, and their lateness is known. What is left of the engine's way is time: how far
//! each bay has come ([`Shop`], shared by all that are tried on the same rows), and what a configuration makes of
//! it ([`Trial`]).

mod recount;
mod rows;
mod shop;
mod trial;
mod windows;

pub(crate) use self::recount::{Recount, say_of_row};
pub(crate) use self::rows::{LATENESS_NAMES, Part, PastRows};
pub(crate) use self::shop::{Passed, Shop};
pub(crate) use self::trial::Trial;
pub(crate) use self::windows::PastWindows;
pub(crate) use super::aside::Asides;
pub(crate) use super::block::{Joined, JoinedRun, NO_RUN};
pub(crate) use super::exceptions::{Exception, Operator, State};
pub(crate) use super::rules::Said;
pub(crate) use super::told::hour_of;

/// How time passes over history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// In event time, with all corrections in: each window is judged once, when no row can change it any more.
    #[default]
    AsCorrected,
    /// As it was live: at each second of arrival with what had arrived by then; corrections are revisions.
    AsArrived,
}

impl Mode {
    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::AsCorrected => "as-corrected",
            Mode::AsArrived => "as-arrived",
        }
    }
}
