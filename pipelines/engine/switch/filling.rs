//! New windows filled with what history tells.
//!
//! Exported readings reach further back than the journal, and have the step that they belong to. They take longer to read
//! than a switch may last, so new windows wait: from the switch on they fold in what is newer than its newest message, and say
//! nothing. Meanwhile history is read beside the engine, up to that message, and what comes of it goes through the journal as
//! an entry of its own ([`Entry::Filling`](ingest::entry::Entry::Filling)): whoever applies that, in whatever process, has
//! the same windows, though exports may be gone by then.
//!
//! They wait for an hour at most, of which the windows are in memory: exports that are not shown for so long (a mirror that
//! cannot be reached) let them begin with what has come since the switch.
//!
//! A window that had ended at the switch is not told; it may be corrected. One that begins before what history holds from its
//! first reading on is never shown.

use serde::{Deserialize, Serialize};
use sinks::emission::Emission;

use super::super::rules::{Watermarks, WindowState};
use super::super::told::Told;
use super::super::{Engine, EngineError};
use super::nature::{Fate, fates};

/// Bays that hang further behind than this are not read back for.
const BEHIND_MAX_MS: i64 = 86_400_000;
/// New windows wait no longer.
const WAITING_MAX_MS: i64 = 3_600_000;
/// Of [`Filled`] as bytes.
const VERSION: u8 = 1;

/// What new windows wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filling {
    /// History is to tell of messages up to this one; the engine folds in those behind it.
    pub until_message: u64,
    /// No reading before it is in a window that is still open.
    pub from_ms: i64,
    /// Readings from this time on had not arrived yet.
    empty_from_ms: i64,
    /// Rules and views that wait, by name.
    pub rules: Vec<String>,
    /// How many rows history is to tell.
    pub told: Told,
}

/// What history has told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// Windows that begin earlier are not whole.
    pub opens_ms: i64,
    pub windows: Vec<WindowState>,
    /// Of these history can tell nothing: they begin with what comes from now on.
    pub without: Vec<String>,
}

impl Filled {
    /// For an entry of the journal.
    ///
    /// # Errors
    /// If it cannot be written, which nobody has seen yet.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EngineError> {
        let written = postcard::to_extend(self, vec![VERSION]);
        written.map_err(|error| EngineError::State { reason: error.to_string() })
    }

    /// None if another version wrote it.
    fn decode(bytes: &[u8]) -> Option<Filled> {
        let (&version, rest) = bytes.split_first()?;
        (version == VERSION).then(|| postcard::from_bytes(rest).ok()).flatten()
    }
}

impl Engine {
    /// What new windows wait for, if any does.
    #[must_use]
    pub(crate) fn filling(&self) -> Option<&Filling> {
        self.filling.as_ref()
    }

    /// Whether all rows that history is to tell of have been told.
    #[must_use]
    pub(crate) fn has_told_until(&self, message: u64) -> bool {
        !self.hold.holds_until(message)
    }

    /// Names of the windows of `fresh` that history can fill, but for those that are `filled`, and how far back they reach.
    fn told_by_history(&self, fresh: &Engine, filled: &[String]) -> Vec<(String, i64)> {
        let begins = |fate| matches!(fate, Fate::New | Fate::BackFilled);
        let waits = |name: &str| self.rules.waiting().any(|waiting| waiting == name);
        fates(self.natures(), fresh.natures(), true)
            .iter()
            .filter(|fated| fated.fate != Fate::Removed)
            .filter(|fated| begins(fated.fate) || waits(&fated.nature.name))
            .filter(|fated| !filled.contains(&fated.nature.name))
            .filter_map(|fated| Some((fated.nature.name.clone(), fated.nature.past_ms()?)))
            .collect()
    }

    /// From this switch on the new windows of `fresh`, which has taken over all state, wait for history, but for those that
    /// the journal has `filled`.
    pub(super) fn wait_for_history(&self, fresh: &mut Engine, filled: &[String]) -> Result<(), EngineError> {
        let reaching = self.told_by_history(fresh, filled);
        let Some(longest_ms) = reaching.iter().map(|(_, past_ms)| *past_ms).max() else { return Ok(()) };
        if fresh.last_message == 0 {
            return Ok(());
        }
        let rules: Vec<String> = reaching.into_iter().map(|(name, _)| name).collect();
        let mut told = fresh.told.clone();
        told.count(fresh.hold.times_ms());
        let until_message = fresh.last_message;
        let watermarks = Watermarks::of(&fresh.bays, fresh.decoder.series());
        let least_ms =
            watermarks.overall_ms().max(fresh.at_ms.saturating_sub(BEHIND_MAX_MS)).min(fresh.at_ms);
        fresh.rules.wait(&rules, until_message, &watermarks, fresh.correction_horizon_ms)?;
        fresh.filling = Some(Filling {
            until_message,
            from_ms: least_ms.saturating_sub(longest_ms),
            empty_from_ms: fresh.empty_from_ms(),
            rules,
            told,
        });
        Ok(())
    }

    /// Goes on waiting, with the rules that are still there.
    pub(in crate::engine) fn wait_on(&mut self, filling: Option<Filling>) -> Result<(), EngineError> {
        self.filling = filling;
        if let Some(filling) = &self.filling {
            self.rules.wait_on(&filling.rules, filling.until_message)?;
        }
        self.forget_told();
        Ok(())
    }

    /// Rules that wait no more are not named any more.
    fn forget_told(&mut self) {
        if let Some(filling) = &mut self.filling {
            filling.rules = self.rules.waiting().map(str::to_owned).collect();
        }
        self.filling.take_if(|filling| filling.rules.is_empty());
    }

    /// Lets windows go without what they have waited for too long.
    pub(in crate::engine) fn bound_waiting(&mut self) -> Result<(), EngineError> {
        let at_ms = self.at_ms;
        let is_over = |filling: &mut Filling| at_ms.saturating_sub(filling.empty_from_ms) > WAITING_MAX_MS;
        let Some(Filling { rules, empty_from_ms, .. }) = self.filling.take_if(is_over) else { return Ok(()) };
        let table = self.decoder.series();
        self.rules.fill((&[], i64::MAX), (&rules, empty_from_ms), self.correction_horizon_ms, table)
    }

    /// History has told of messages up to `until_message`.
    pub(in crate::engine) fn fill(
        &mut self,
        until_message: u64,
        bytes: &[u8],
        out: &mut Vec<Emission>,
    ) -> Result<(), EngineError> {
        // Another switch has made them wait for more.
        let Some(filling) = self.filling.take_if(|filling| filling.until_message == until_message) else {
            return Ok(());
        };
        self.seal()?;
        let filled = Filled::decode(bytes)
            .unwrap_or_else(|| Filled { without: filling.rules.clone(), ..Filled::default() });
        let table = self.decoder.series();
        let told = (filled.windows.as_slice(), filled.opens_ms);
        let without = (filled.without.as_slice(), filling.empty_from_ms);
        self.rules.fill(told, without, self.correction_horizon_ms, table)?;
        // History may have told of steps as open that have been finished since.
        for (bay, started_ms, ended_ms) in self.steps.told_ends() {
            self.rules.end_run(bay, started_ms, ended_ms);
        }
        // Of a rule that has another query by now nothing was told.
        self.filling = Some(filling);
        self.forget_told();
        self.tell_rejects(out)
    }
}
