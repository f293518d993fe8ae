//! The engine's state as bytes for a checkpoint, and as a hash that two engines can compare ([`lines`]).
//!
//! The bytes are [`State`] in postcard, its fields in their order, the version first (a varint), the configuration's text
//! second, and behind it, in postcard as well, what is inferred of steps that nobody clocks ([`Parts`]), behind that the
//! ledger ([`Ledger`]), behind that the tools that are out of service ([`OutOfService`]), and behind that what was told of
//! each hour and what new windows wait for ([`Past`]), and behind that how often tools are usually heard and which bays are
//! open ([`PaceState`]): version 17 is the same with the names of windows' groups in full, versions 15 and 16 are so without
//! the last part, version 14 without the last two, and so on to version 11. They hold numbers (of series, bays, channels) as they are, with the tables that give them;
//! the hash speaks in names alone, so that it does not depend on the order in which names were first seen.

mod lines;
mod parts;

use std::borrow::Cow;

use self::parts::{Ledger, Past, State};
use super::exceptions::OutOfService;
use super::ledger::{Day, Unassigned};
use super::limits::Assets;
use super::rules::{PaceState, WindowState};
use super::steps::Steps;
use super::switch::nature::Nature;
use super::told::Told;
use super::{Engine, EngineError};
use crate::config::Config;
use crate::functions::Parts;

/// Raised with whatever [`State`] holds: `fixtures/formats` has the bytes of each version.
pub const VERSION: u32 = 18;
/// Those before, which are still read: each lacks what the next one has behind it.
const WITHOUT_INFERRED: u32 = 11;
const WITHOUT_LEDGER: u32 = 12;
const WITHOUT_OUT_OF_SERVICE: u32 = 13;
const WITHOUT_PAST: u32 = 14;
const WITHOUT_PACE: u32 = 16;

/// CBOR, for what holds free JSON: it names its parts as JSON does, and keeps floats to the bit.
fn described(what: &str, part: &impl serde::Serialize) -> Result<Vec<u8>, EngineError> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(part, &mut bytes);
    written.map_err(|error| EngineError::State { reason: format!("{what}: {error}") })?;
    Ok(bytes)
}

fn undescribed<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, EngineError> {
    let read = ciborium::from_reader(bytes);
    read.map_err(|error| EngineError::State { reason: format!("{what}: {error}") })
}

/// The text of the configuration under which [`Engine::snapshot`] was taken.
///
/// # Errors
/// If the bytes are of another version or damaged.
pub fn configuration_of(bytes: &[u8]) -> Result<String, EngineError> {
    let wrong = |reason: String| EngineError::State { reason };
    let (version, rest) =
        postcard::take_from_bytes::<u32>(bytes).map_err(|error| wrong(error.to_string()))?;
    check_version(version)?;
    let read = postcard::take_from_bytes::<String>(rest);
    read.map(|(text, _)| text).map_err(|error| wrong(error.to_string()))
}

/// Whether this program reads states of that version.
///
/// # Errors
/// If not: what to do.
pub fn check_version(version: u32) -> Result<(), EngineError> {
    if (WITHOUT_INFERRED..=VERSION).contains(&version) {
        return Ok(());
    }
    Err(EngineError::StateVersion { found: version, known: VERSION })
}

/// What stands behind the rest, in versions that have it, and the bytes behind that.
fn behind<'de, T: serde::Deserialize<'de>>(
    is_there: bool,
    bytes: &'de [u8],
) -> Result<(Option<T>, &'de [u8]), EngineError> {
    if !is_there {
        return Ok((None, bytes));
    }
    let read = postcard::take_from_bytes::<T>(bytes);
    let (part, rest) = read.map_err(|error| EngineError::State { reason: error.to_string() })?;
    Ok((Some(part), rest))
}

impl Engine {
    /// All state, to go on from in another process. Changes nothing.
    ///
    /// # Errors
    /// If a window's state cannot be written.
    pub fn snapshot(&mut self) -> Result<Vec<u8>, EngineError> {
        Ok(self.taken()?.0)
    }

    /// The same, and the state of windows that is in it.
    fn taken(&mut self) -> Result<(Vec<u8>, Vec<WindowState>), EngineError> {
        self.seal()?;
        self.channels.check(&self.repeats, self.decoder.channels().len(), &self.counts);
        let windows = self.rules.snapshot(self.decoder.series())?;
        let state = State {
            version: VERSION,
            configuration: self.config.text.as_str().into(),
            natures: self.natures().into(),
            last_message: self.last_message,
            decoder: self.decoder.snapshot(),
            counts: self.counts,
            repeats: Cow::Borrowed(&self.repeats),
            channels: Cow::Borrowed(&self.channels),
            overdue: Cow::Borrowed(&self.overdue),
            clock: Cow::Borrowed(&self.clock),
            bays: Cow::Borrowed(&self.bays),
            tools_heard: Cow::Borrowed(self.bounds.heard()),
            steps: described("steps", &self.steps.to_parts())?,
            assets: described("assets", &self.assets.to_parts())?,
            hold: Cow::Borrowed(&self.hold),
            bookings: described("bookings", &self.bookings)?,
            usage: Cow::Borrowed(&self.usage),
            balances: Cow::Borrowed(&self.balances),
            exceptions: Cow::Borrowed(&self.exceptions),
            commands: Cow::Borrowed(&self.commands),
            functions: Cow::Borrowed(&self.functions),
            belated: Cow::Borrowed(&self.belated.repeats),
            rejects: self.rejects.as_slice().into(),
            windows,
            silences: self.rules.silences.snapshot(),
            at_ms: self.at_ms,
        };
        let wrong = |error: postcard::Error| EngineError::State { reason: error.to_string() };
        // About as much as before: of a hundred megabytes that grow, twice as many are copied.
        let bytes = Vec::with_capacity(self.snapshot_bytes + self.snapshot_bytes / 16);
        let bytes = postcard::to_extend(&state, bytes).map_err(wrong)?;
        let bytes = postcard::to_extend(&self.functions.unclocked(), bytes).map_err(wrong)?;
        let lots = self.usage.lots().collect();
        let ledger = Ledger { lots, unassigned: Cow::Borrowed(&self.unassigned) };
        let bytes = postcard::to_extend(&ledger, bytes).map_err(wrong)?;
        let bytes = postcard::to_extend(&self.exceptions.out_of_service, bytes).map_err(wrong)?;
        let past = Past { told: Cow::Borrowed(&self.told), filling: Cow::Borrowed(&self.filling) };
        let bytes = postcard::to_extend(&past, bytes).map_err(wrong)?;
        let bytes = postcard::to_extend(&self.rules.silences.pace(), bytes).map_err(wrong)?;
        let windows = state.windows;
        self.snapshot_bytes = bytes.len();
        Ok((bytes, windows))
    }

    /// Goes on from [`Engine::snapshot`], in an engine that is fresh. Settings are those of this engine, not
    /// those of the checkpoint. Window state of a query that has changed starts empty, with the first window after all that
    /// has arrived.
    ///
    /// # Errors
    /// If the bytes are of another version or damaged.
    pub fn restore(&mut self, config: &Config, bytes: &[u8]) -> Result<(), EngineError> {
        self.restore_filled(config, bytes, Vec::new())
    }

    /// The same, with state of windows that the bytes know nothing of.
    pub(super) fn restore_filled(
        &mut self,
        config: &Config,
        bytes: &[u8],
        filled: Vec<WindowState>,
    ) -> Result<(), EngineError> {
        let wrong = |reason: String| EngineError::State { reason };
        let (version, _) =
            postcard::take_from_bytes::<u32>(bytes).map_err(|error| wrong(error.to_string()))?;
        check_version(version)?;
        let (state, rest): (State, &[u8]) =
            postcard::take_from_bytes(bytes).map_err(|error| wrong(error.to_string()))?;
        let (unclocked, rest) = behind::<Parts>(version > WITHOUT_INFERRED, rest)?;
        let (ledger, rest) = behind::<Ledger<'_>>(version > WITHOUT_LEDGER, rest)?;
        let (out_of_service, rest) = behind::<OutOfService>(version > WITHOUT_OUT_OF_SERVICE, rest)?;
        let (past, rest) = behind::<Past<'_>>(version > WITHOUT_PAST, rest)?;
        let (pace, _) = behind::<PaceState>(version > WITHOUT_PACE, rest)?;
        self.decoder.restore(&state.decoder).map_err(|error| wrong(error.to_string()))?;
        self.counts = state.counts;
        self.repeats = state.repeats.into_owned().under_settings_of(&self.repeats);
        self.channels = state.channels.into_owned();
        self.overdue = state.overdue.into_owned().under_settings_of(&self.overdue);
        self.clock = state.clock.into_owned().under_settings_of(&self.clock);
        self.bays = state.bays.into_owned().under_settings_of(&self.bays);
        self.steps = Steps::from_parts(undescribed("steps", &state.steps)?);
        if state.configuration != config.text {
            self.steps.look_at_promises_anew();
        }
        self.assets = Assets::from_parts(undescribed("assets", &state.assets)?, &self.assets);
        self.bounds.restore(
            state.tools_heard.into_owned(),
            self.decoder.series(),
            &self.assets,
            &mut self.bays,
        );
        self.hold = state.hold.into_owned();
        self.bookings = undescribed("bookings", &state.bookings)?;
        self.usage = state.usage.into_owned();
        self.usage.set_metrics(&config.metrics);
        self.balances = state.balances.into_owned();
        self.restore_ledger(ledger);
        self.rejects = state.rejects.into_owned();
        self.exceptions = state.exceptions.into_owned().under_settings_of(&self.exceptions);
        self.exceptions.out_of_service = out_of_service.unwrap_or_default();
        self.commands = state.commands.into_owned();
        self.functions = state.functions.into_owned().under_settings_of(&self.functions);
        match unclocked {
            Some(unclocked) => self.functions.set_unclocked(unclocked),
            None => self.ask_anew(),
        }
        self.belated.repeats = state.belated.into_owned().under_settings_of(&self.repeats);
        self.at_ms = state.at_ms;
        let is_there = |name: &str| config.rules.iter().any(|rule| !rule.is_view && rule.name == name);
        self.exceptions.end_rules(is_there, self.at_ms);
        let before = |name: &str| state.natures.iter().find(|nature| nature.name == name);
        let is_changed =
            |nature: &&Nature| before(&nature.name).is_some_and(|known| !nature.judges_like(known));
        for nature in self.rules.natures().iter().filter(is_changed) {
            self.exceptions.end_conditions(&nature.name.as_str().into(), self.at_ms, "rule_changed");
        }
        self.exceptions.release_unheld();
        self.last_message = state.last_message;
        self.follow_series(true);
        self.rules.silences.restore(state.silences, &mut self.exceptions, self.at_ms);
        self.rules.silences.restore_pace(pace.unwrap_or_default());
        let filled_names: Vec<String> = filled.iter().map(|state| state.name().to_owned()).collect();
        let windows: Vec<WindowState> = filled.into_iter().chain(state.windows).collect();
        let empty_from_ms = self.empty_from_ms();
        let table = self.decoder.series();
        let restored = self.rules.restore(&windows, self.correction_horizon_ms, empty_from_ms, table)?;
        let (told, mut filling) = match past {
            Some(Past { told, filling }) => (told.into_owned(), filling.into_owned()),
            None => (Told::uncounted_until(empty_from_ms), None),
        };
        self.told = told;
        if let Some(filling) = &mut filling {
            filling.rules.retain(|name| restored.contains(name) && !filled_names.contains(name));
        }
        self.wait_on(filling)
    }

    /// Behind books and balances: where no ledger was kept its rows begin with what these hold, of no lot.
    fn restore_ledger(&mut self, ledger: Option<Ledger<'_>>) {
        if let Some(Ledger { lots, unassigned }) = ledger {
            self.usage.set_lots(lots);
            self.unassigned = unassigned.into_owned();
            return;
        }
        self.usage.set_lots_of_before();
        self.unassigned = Unassigned::default();
        for (day, bay, ended_ms, quantity) in self.balances.unassigned() {
            let (resource, unit) = (day.resource.clone(), day.unit.clone());
            let day = Day { started_ms: day.started_ms, resource, unit };
            self.unassigned.take_of_before(bay, day, ended_ms, quantity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read from JSON, one float in some hundred was another by its last bit.
    #[test]
    fn the_limits_of_a_job_card_are_the_same_to_the_bit_after_a_checkpoint() {
        let limits: Vec<f64> = (1..20_000).map(|number| 75.0 + 1.0 / f64::from(number)).collect();
        let read: Vec<f64> =
            undescribed("limits", &described("limits", &limits).expect("written")).expect("read");
        let bits = |limits: &[f64]| limits.iter().map(|limit| limit.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&read), bits(&limits));
    }
}
