//! An exception in the exports, by its id or the beginning of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::ExplainError;
use crate::engine::past::Exception;
use crate::history::Span;
use crate::history::exceptions::each_state;

/// Digits of an id that are enough, if only one begins so.
const PREFIX_MIN: usize = 6;
/// Ids that are named where none is meant for sure.
const NAMED_MAX: usize = 5;

/// All states of an exception, in the order in which they were told.
#[derive(Debug)]
pub struct Found {
    pub(super) states: Vec<Exception>,
}

impl Found {
    /// Finds it.
    pub(super) fn find(history: &Path, id: &str) -> Result<Found, ExplainError> {
        let input = |what: String, remedy: String| ExplainError::Input { what, remedy };
        if id.len() < PREFIX_MIN {
            let what = format!("`{id}` is too short to mean one exception");
            return Err(input(what, format!("give at least {PREFIX_MIN} characters of its id")));
        }
        let mut of_id: BTreeMap<String, Vec<Exception>> = BTreeMap::new();
        let mut near: Vec<(usize, String)> = Vec::new();
        let mut is_any = false;
        let wanted = |known: &str| {
            is_any = true;
            let common = known.bytes().zip(id.bytes()).take_while(|(one, other)| one == other).count();
            if common < id.len() {
                keep_nearest(&mut near, common, known);
            }
            common == id.len()
        };
        each_state(history, Span::ALL, wanted, |state| {
            of_id.entry(state.id.clone()).or_default().push(state);
        })?;
        if !is_any {
            let what = format!("there are no exceptions in {}", history.display());
            let remedy =
                "name the export folder of a service, or what `andon replay --out` wrote, with --history";
            return Err(input(what, remedy.into()));
        }
        if of_id.len() > 1 && !of_id.contains_key(id) {
            let ids: Vec<&str> = of_id.keys().take(NAMED_MAX).map(String::as_str).collect();
            let what = format!("{} exceptions begin with `{id}`", of_id.len());
            return Err(input(what, format!("give more of it: {}", ids.join(", "))));
        }
        match of_id.remove(id).or_else(|| of_id.pop_first().map(|(_, states)| states)) {
            Some(states) => Ok(Found { states }),
            None => {
                let ids: Vec<&str> = near.iter().map(|(_, id)| id.as_str()).collect();
                let remedy = format!(
                    "ids like it are {}; `andon query \"SELECT id, rule, bay, raised FROM exceptions\"` lists all",
                    ids.join(", ")
                );
                Err(input(format!("there is no exception `{id}`"), remedy))
            }
        }
    }

    /// The newest state.
    pub(super) fn last(&self) -> &Exception {
        self.states.last().expect("one that was found has a state")
    }

    /// What it rests on.
    pub(super) fn evidence(&self) -> Value {
        serde_json::from_str(&self.last().evidence).unwrap_or_default()
    }
}

/// Keeps the ids that have most of their beginning in common with the one that was asked for.
fn keep_nearest(near: &mut Vec<(usize, String)>, common: usize, id: &str) {
    let is_full = near.len() >= NAMED_MAX;
    if is_full && near.last().is_some_and(|(least, _)| common <= *least)
        || near.iter().any(|(_, known)| known == id)
    {
        return;
    }
    near.push((common, id.to_owned()));
    near.sort_by(|one, other| (other.0, &one.1).cmp(&(one.0, &other.1)));
    near.truncate(NAMED_MAX);
}
