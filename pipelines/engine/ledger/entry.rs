//! What was used of one lot.

use super::{MESSAGES_END, Origin, Rise};

/// How far it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum State {
    #[default]
    Held,
    Posted,
    Amended,
}

/// What a register showed before the first use and behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum Meter {
    /// Nothing of it comes from a register.
    #[default]
    None,
    /// Of this series.
    Shows { series: u32, from: f64, to: f64 },
    /// There are several, or it began before a ledger was kept.
    Unknown,
}

/// What was used of a lot.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Entry {
    pub quantity: f64,
    /// How many uses.
    pub readings: u64,
    pub meter: Meter,
    pub first_ms: i64,
    pub last_ms: i64,
    /// Ordinals in the order in which they were booked: the first ones and the last ones. One that follows itself stands once.
    pub messages: Vec<u64>,
    /// As told last, 0 for never.
    pub revision: u32,
    pub state: State,
    pub is_final: bool,
    is_changed: bool,
    is_amended: bool,
}

impl State {
    /// As column `state` names it.
    #[must_use]
    pub(in crate::engine) fn as_str(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Posted => "posted",
            State::Amended => "amended",
        }
    }
}

impl Default for Entry {
    fn default() -> Self {
        Entry {
            quantity: 0.0,
            readings: 0,
            meter: Meter::None,
            first_ms: i64::MAX,
            last_ms: i64::MIN,
            messages: Vec::new(),
            revision: 0,
            state: State::Held,
            is_final: false,
            is_changed: false,
            is_amended: false,
        }
    }
}

impl Entry {
    pub(super) fn add_of_before(&mut self, quantity: f64, readings: u64, (first_ms, last_ms): (i64, i64)) {
        self.quantity += quantity;
        self.readings += readings;
        self.first_ms = self.first_ms.min(first_ms);
        self.last_ms = self.last_ms.max(last_ms);
        self.meter = Meter::Unknown;
        self.is_changed = true;
    }

    pub(super) fn add(&mut self, quantity: f64, origin: &Origin, is_final: bool) {
        self.quantity += quantity;
        self.readings += 1;
        self.first_ms = self.first_ms.min(origin.ts_ms);
        self.last_ms = self.last_ms.max(origin.ts_ms);
        self.is_changed = true;
        self.is_amended |= is_final;
        if let Some(Rise { series, from, to }) = origin.rise {
            self.meter = match self.meter {
                Meter::None => Meter::Shows { series, from, to },
                Meter::Shows { series: known, from, .. } if known == series => {
                    Meter::Shows { series, from, to }
                }
                _ => Meter::Unknown,
            };
        }
        if self.messages.last() != Some(&origin.message) {
            if self.messages.len() >= 2 * MESSAGES_END {
                self.messages.remove(MESSAGES_END);
            }
            self.messages.push(origin.message);
        }
    }

    /// The next revision, if it has something to say, or `anyway`. `is_held`: nobody takes it as it is.
    pub(in crate::engine) fn tell(&mut self, anyway: bool, is_final: bool, is_held: bool) -> Option<Entry> {
        let state = match (is_final && !is_held, self.is_amended) {
            (false, _) => State::Held,
            (true, false) => State::Posted,
            (true, true) => State::Amended,
        };
        if !(anyway || self.is_changed || state != self.state || is_final != self.is_final) {
            return None;
        }
        self.revision += 1;
        self.state = state;
        self.is_final = is_final;
        self.is_changed = false;
        Some(self.clone())
    }

    #[must_use]
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    pub(super) fn state(&self, series_name: impl Fn(u32) -> String) -> String {
        let shown = match self.meter {
            Meter::Shows { series, from, to } => {
                format!("{} {} {}", series_name(series), from.to_bits(), to.to_bits())
            }
            other => format!("{other:?}"),
        };
        let told = (self.revision, self.state, self.is_final, self.is_changed, self.is_amended);
        let span = (self.first_ms, self.last_ms);
        format!("{} {} {shown} {span:?} {:?} {told:?}", self.quantity.to_bits(), self.readings, self.messages)
    }
}
