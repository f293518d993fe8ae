//! What one meter, dispenser or tank showed in a day, and where it went.

use ingest::config::UsageKind;

/// What a part of the difference must be of what the meter shows to be more than arithmetic leaves.
const ROUNDING: f64 = 1e-9;

/// What measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) enum MeterKind {
    /// A dispenser: each reading is an amount.
    Amount,
    /// A register that only rises.
    Counter,
    /// The level of a tank.
    Level,
}

impl From<UsageKind> for MeterKind {
    fn from(kind: UsageKind) -> Self {
        match kind {
            UsageKind::Amount => MeterKind::Amount,
            UsageKind::Counter => MeterKind::Counter,
            UsageKind::Level => MeterKind::Level,
        }
    }
}

impl MeterKind {
    /// As column `kind` names it.
    #[must_use]
    pub(in crate::engine) fn as_str(self) -> &'static str {
        match self {
            MeterKind::Amount => "amount",
            MeterKind::Counter => "counter",
            MeterKind::Level => "level",
        }
    }
}

/// What a register or level shows, and showed before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::engine) struct Shown {
    pub before: Option<f64>,
    pub now: f64,
}

/// Where what was measured went.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Drawn {
    /// Into books of steps.
    pub booked: f64,
    /// No step accounts for it.
    pub unassigned: f64,
}

/// The balance of a meter's day.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct Balance {
    pub kind: MeterKind,
    pub bay: u32,
    /// First moment of the next day.
    pub ended_ms: i64,
    /// What a register or level showed at the day's begin and shows at its end.
    pub shown: Option<(f64, f64)>,
    /// How often a register fell, and by how much in all.
    pub resets: u32,
    pub reset_quantity: f64,
    /// Sum of a dispenser's amounts.
    amounts: f64,
    pub drawn: Drawn,
    pub readings: u64,
    /// Revision last told, 0 for none.
    pub revision: u32,
    /// It has changed since.
    pub is_changed: bool,
    /// Its bay has passed the day.
    pub is_passed: bool,
    /// So have all whose measures are in it.
    pub is_over: bool,
    /// Whether what was told last was final.
    pub is_final: bool,
}

impl Balance {
    #[must_use]
    pub(in crate::engine) fn new(kind: MeterKind, bay: u32, ended_ms: i64) -> Self {
        Balance {
            kind,
            bay,
            ended_ms,
            shown: None,
            resets: 0,
            reset_quantity: 0.0,
            amounts: 0.0,
            drawn: Drawn::default(),
            readings: 0,
            revision: 0,
            is_changed: false,
            is_passed: false,
            is_over: false,
            is_final: false,
        }
    }

    /// Writes a reading down: what the meter shows, if it shows anything, and how much of it is an amount of consumption.
    pub(in crate::engine) fn write(&mut self, shown: Option<Shown>, quantity: Option<f64>, is_booked: bool) {
        self.readings += 1;
        if let Some(Shown { before, now }) = shown {
            let (start, before) = (self.shown.map(|(start, _)| start), before.unwrap_or(now));
            self.shown = Some((start.unwrap_or(before), now));
            if self.kind == MeterKind::Counter && now < before {
                self.resets += 1;
                self.reset_quantity += before - now;
            }
        }
        let Some(quantity) = quantity else { return };
        if self.kind == MeterKind::Amount {
            self.amounts += quantity;
        }
        *(if is_booked { &mut self.drawn.booked } else { &mut self.drawn.unassigned }) += quantity;
    }

    /// What the meter itself says was drawn: of a tank, what its level fell by.
    #[must_use]
    pub(in crate::engine) fn metered(&self) -> f64 {
        match (self.kind, self.shown) {
            (MeterKind::Amount, _) => self.amounts,
            (_, None) => 0.0,
            (MeterKind::Counter, Some((start, end))) => end - start + self.reset_quantity,
            (MeterKind::Level, Some((start, end))) => start - end,
        }
    }

    /// What was metered and went nowhere; 0 where it is no more than arithmetic leaves.
    #[must_use]
    pub(in crate::engine) fn difference(&self) -> f64 {
        let difference = self.metered() - self.drawn.booked - self.drawn.unassigned;
        let (start, end) = self.shown.unwrap_or_default();
        let largest = start.abs().max(end.abs()).max(self.metered().abs()).max(self.reset_quantity);
        if difference.abs() <= largest * ROUNDING { 0.0 } else { difference }
    }

    /// Whether it has something to say; `is_time` is when what goes on is told.
    pub(super) fn is_due(&self, is_time: bool) -> bool {
        (self.is_changed && (is_time || self.is_over)) || (self.is_over && !self.is_final)
    }

    /// The next revision.
    pub(super) fn tell(&mut self) -> Balance {
        self.revision += 1;
        self.is_changed = false;
        self.is_final = self.is_over;
        self.clone()
    }

    /// Whether all was told, for good as far as is known.
    pub(super) fn is_settled(&self) -> bool {
        self.is_final && !self.is_changed
    }

    /// Without the number of its bay.
    pub(super) fn state(&self) -> String {
        let bits = |(one, other): (f64, f64)| (one.to_bits(), other.to_bits());
        let drawn = bits((self.drawn.booked, self.drawn.unassigned));
        let sums = (drawn, self.amounts.to_bits(), self.reset_quantity.to_bits());
        let told = (self.revision, self.is_changed, self.is_passed, self.is_over, self.is_final);
        format!(
            "{:?} {:?} {} {} {sums:?} {told:?}",
            self.kind,
            self.shown.map(bits),
            self.resets,
            self.readings
        )
    }
}
