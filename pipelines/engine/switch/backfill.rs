//! New windows filled with what had come before them.
//!
//! Windows that need no step see readings as they arrive. So the messages that the journal holds from an entry on, which
//! the configuration's entry names, go through decoding, the recognition of repeats and lateness once more, in an
//! engine that has the new windows alone. That is a function of the journal: whoever applies the entry, in whatever
//! process, fills the same.
//!
//! What it knows is whole for readings from `opens_ms` on, the time of that entry plus the clock bound. An earlier
//! message cannot have held one, for nothing further ahead of its arrival than the bound is applied; so neither repeats nor
//! watermarks from before can matter to it. A window that begins earlier is never shown, one that time has
//! passed already is corrected but not told again. Without such an entry, or while the clock is suspect, windows begin with the
//! first after all that has arrived.
//!
//! Bound: who writes the entry (see `run::reload`) names none that is further back than the windows need, or than
//! two million messages.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use ingest::entry::Entry;
use ingest::time::Offset;

use super::super::rules::{Watermarks, WindowState};
use super::super::{Engine, EngineError, millis};
use super::nature::{Fate, fates};
use crate::config::{Config, reads_alike};
use crate::wire;

/// Entries of the journal, read again.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, PastError>> + 'a>;

/// Why the journal could not be read again.
pub type PastError = Box<dyn Error + Send + Sync>;

/// What has been applied, to be read once more.
pub trait Past: Debug + Send {
    /// The entries from `from` on, in order, at least up to the newest that was applied.
    ///
    /// # Errors
    /// The journal does not hold `from` any more, or cannot be read.
    fn entries(&self, from: Offset) -> Result<Entries<'_>, PastError>;
}

impl Engine {
    /// The state of the windows of `fresh` that are new to this engine, filled with the messages from `from` up to the
    /// newest that was applied.
    pub(super) fn back_filled(
        &mut self,
        fresh: &Engine,
        from: Offset,
    ) -> Result<Vec<WindowState>, EngineError> {
        let names: Vec<&str> = fates(self.natures(), fresh.natures(), self.tells_telemetry)
            .iter()
            .filter(|fated| matches!(fated.fate, Fate::New | Fate::BackFilled))
            .filter(|fated| fated.nature.fills().is_some())
            .map(|fated| fated.nature.name.as_str())
            .collect();
        if names.is_empty() || self.clock.is_suspect() {
            return Ok(Vec::new());
        }
        let mut config = Config::clone(&self.config);
        config.rules =
            fresh.config.rules.iter().filter(|rule| names.contains(&&*rule.name)).cloned().collect();
        config.calendars = Arc::clone(&fresh.config.calendars);
        // What it tells besides is thrown away.
        config.export.telemetry = false;
        let wrong = |source| EngineError::Past { from: from.0, source };
        let Some(past) = self.past.as_deref() else {
            return Err(wrong("no journal was given to read it from".into()));
        };
        let (mut filling, mut first_ms) = (None::<Engine>, None);
        let mut out = Vec::new();
        for entry in past.entries(from).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            first_ms = first_ms.or(begin_of(&entry));
            match entry {
                Entry::Intake(intake) if intake.first_message > self.last_message => break,
                Entry::Intake(intake) => {
                    let filling = match &mut filling {
                        Some(filling) => filling,
                        none => none.insert(self.beside(&config)?),
                    };
                    filling.intake(&intake, &mut out)?;
                    filling.seal()?;
                    filling.let_go();
                    out.clear();
                }
                // What came before was read otherwise.
                Entry::Configuration { text, .. }
                    if !text.is_empty() && !reads_alike(&text, &self.config.text) =>
                {
                    (filling, first_ms) = (None, None);
                }
                _ => {}
            }
        }
        let (Some(mut filling), Some(first_ms)) = (filling, first_ms) else { return Ok(Vec::new()) };
        if filling.clock.is_suspect() {
            return Ok(Vec::new());
        }
        let opens_ms = first_ms.saturating_add(millis(config.engine.longest_clock_bound())).saturating_add(1);
        if opens_ms >= self.empty_from_ms() {
            return Ok(Vec::new());
        }
        let table = self.decoder.series();
        filling.rules.close_unseen(&Watermarks::of(&self.bays, table))?;
        filling.rules.open_at(opens_ms);
        filling.rules.snapshot(table)
    }

    /// An engine beside this one, which knows the same names by the same numbers.
    fn beside(&self, config: &Config) -> Result<Engine, EngineError> {
        let other = |reason: String| EngineError::Configuration { reason };
        let mut engine = wire::engine(config).map_err(|error| other(error.to_string()))?;
        engine.decoder.restore(&self.decoder.snapshot()).map_err(|error| other(error.to_string()))?;
        engine.config = Arc::clone(&self.config);
        engine.assets = self.assets.clone();
        let (heard, table) = (self.bounds.heard().clone(), engine.decoder.series());
        engine.bounds.restore(heard, table, &engine.assets, &mut engine.bays);
        engine.follow_series(true);
        Ok(engine)
    }

    /// Forgets the rows that wait for their step: no window that is filled here reads it.
    fn let_go(&mut self) {
        self.hold = super::super::Hold::default();
        self.bookings.clear();
        self.rejects.clear();
    }

    /// Readings from this time on have not arrived yet.
    pub(in crate::engine) fn empty_from_ms(&self) -> i64 {
        let newest_ms = self.bays.all().iter().map(|time| time.newest_ts_ms.max(time.arrived_ms)).max();
        newest_ms.map_or(i64::MIN, |newest_ms| newest_ms.saturating_add(1))
    }
}

/// What came before the entry came no later.
fn begin_of(entry: &Entry) -> Option<i64> {
    match entry {
        Entry::Intake(intake) => intake.first_arrived_ms(),
        Entry::Tick { first_ms, .. } => Some(*first_ms),
        other => other.at_ms(),
    }
}
