//! What goes wrong in a workshop, by name, and how often.

use std::fmt;
use std::str::FromStr;

use super::seed::Seed;

/// A kind of fault. The names are those of `--faults`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A tightening outside its torque window; mostly followed by a good one on the same joint.
    NokTorque,
    /// A gauge reports the same value for a quarter of an hour and more.
    StuckSensor,
    /// A tool's clock runs minutes to hours ahead.
    FastClock,
    /// A bay's gateway is off for ten minutes, then delivers what it held in order and at once.
    OfflineGateway,
    /// A few messages come a second time, byte for byte, as after a lost acknowledgement.
    Duplicate,
    /// A gauge's message is cut JSON, holds NaN, has a wrong unit, or goes to an unknown topic.
    Malformed,
    /// A step takes twice its standard time.
    Overrun,
    /// A tool sends nothing for some minutes, without a last will.
    SilentTool,
    /// A shot from the dispenser far above the plan.
    OverDispense,
    /// A joint of a step is left out.
    MissedJoint,
    /// Nobody clocks a step: it is assigned and done, and its start, pauses and end are not told.
    Unclocked,
}

impl Fault {
    pub const ALL: [Fault; 11] = [
        Fault::NokTorque,
        Fault::StuckSensor,
        Fault::FastClock,
        Fault::OfflineGateway,
        Fault::Duplicate,
        Fault::Malformed,
        Fault::Overrun,
        Fault::SilentTool,
        Fault::OverDispense,
        Fault::MissedJoint,
        Fault::Unclocked,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fault::NokTorque => "nok_torque",
            Fault::StuckSensor => "stuck_sensor",
            Fault::FastClock => "fast_clock",
            Fault::OfflineGateway => "offline_gateway",
            Fault::Duplicate => "duplicate",
            Fault::Malformed => "malformed",
            Fault::Overrun => "overrun",
            Fault::SilentTool => "silent_tool",
            Fault::OverDispense => "over_dispense",
            Fault::MissedJoint => "missed_joint",
            Fault::Unclocked => "unclocked",
        }
    }

    /// How often it happens.
    pub(super) fn occurrence(self) -> Occurrence {
        match self {
            Fault::NokTorque => Occurrence::Share(0.02),
            Fault::Overrun => Occurrence::Share(0.08),
            Fault::OverDispense => Occurrence::Share(0.06),
            Fault::MissedJoint => Occurrence::Share(0.04),
            Fault::Unclocked => Occurrence::Share(0.05),
            Fault::Malformed => Occurrence::Every(15.0 * 60.0),
            Fault::Duplicate => Occurrence::Every(20.0 * 60.0),
            Fault::StuckSensor | Fault::SilentTool => Occurrence::Every(4.0 * 3600.0),
            Fault::FastClock => Occurrence::Every(6.0 * 3600.0),
            Fault::OfflineGateway => Occurrence::Every(8.0 * 3600.0),
        }
    }
}

/// How often a fault happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Occurrence {
    /// This share of the chances: of tightenings, steps, fillings.
    Share(f64),
    /// About every so many seconds of shop time on each bay.
    Every(f64),
}

/// A set of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u16);

impl Faults {
    #[must_use]
    pub fn none() -> Self {
        Faults(0)
    }

    #[must_use]
    pub fn all() -> Self {
        Fault::ALL.into_iter().fold(Faults::none(), Faults::with)
    }

    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Faults(self.0 | 1 << fault as u16)
    }

    #[must_use]
    pub fn contains(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u16 != 0
    }
}

impl FromStr for Faults {
    type Err = String;

    /// Names with commas between them, `all` or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "all" => return Ok(Faults::all()),
            "none" | "" => return Ok(Faults::none()),
            _ => {}
        }
        text.split(',').map(str::trim).try_fold(Faults::none(), |faults, name| {
            let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
            let known = || Fault::ALL.map(Fault::name).join(", ");
            fault.map(|fault| faults.with(fault)).ok_or_else(|| {
                format!("there is no fault {name:?}; there are {}, and all or none alone", known())
            })
        })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Faults::none() {
            return f.write_str("none");
        }
        let names: Vec<_> =
            Fault::ALL.into_iter().filter(|fault| self.contains(*fault)).map(Fault::name).collect();
        f.write_str(&names.join(","))
    }
}

/// Decides at each chance whether a fault strikes, and counts how often each did. The first chance of each always
/// strikes, so that a short recording with a fault switched on has it.
#[derive(Debug)]
pub(super) struct Fate {
    enabled: Faults,
    counts: [u64; Fault::ALL.len()],
}

impl Fate {
    pub(super) fn new(enabled: Faults) -> Self {
        Fate { enabled, counts: [0; Fault::ALL.len()] }
    }

    pub(super) fn enabled(&self, fault: Fault) -> bool {
        self.enabled.contains(fault)
    }

    /// Whether a fault that has a share of the chances takes this one.
    pub(super) fn strikes(&mut self, fault: Fault, seed: &mut Seed) -> bool {
        let Occurrence::Share(share) = fault.occurrence() else { return false };
        let strikes = self.enabled(fault) && (self.count(fault) == 0 || seed.chance(share));
        if strikes {
            self.note(fault);
        }
        strikes
    }

    /// Counts one that happened.
    pub(super) fn note(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    pub(super) fn count(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }
}
