//! Devices: who sends, on which topic, with which numbers and by which clock.

use std::sync::Arc;

use super::payload::Payload;

/// What sends on one topic and numbers its messages.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) topic: Arc<str>,
    boot: u32,
    seq: u64,
}

impl Channel {
    pub(super) fn new(topic: String, boot: u32) -> Self {
        Channel { topic: topic.into(), boot, seq: 0 }
    }

    /// The begin of the next message.
    pub(super) fn message(&mut self, ts_ms: i64) -> Payload {
        self.seq += 1;
        Payload::device(ts_ms, self.seq, self.boot)
    }

    /// Numbers start again.
    pub(super) fn restart(&mut self) {
        self.boot += 1;
        self.seq = 0;
    }
}

/// The tools of a bay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tool {
    Torque,
    Dispenser,
    Lift,
    Air,
    Energy,
    Supply,
    Motor,
    Gateway,
}

impl Tool {
    pub(super) const ALL: [Tool; 8] = [
        Tool::Torque,
        Tool::Dispenser,
        Tool::Lift,
        Tool::Air,
        Tool::Energy,
        Tool::Supply,
        Tool::Motor,
        Tool::Gateway,
    ];

    /// Those that report without being used.
    pub(super) const GAUGES: [Tool; 5] = [Tool::Lift, Tool::Air, Tool::Energy, Tool::Supply, Tool::Motor];

    /// The first part of its name: `tq` of `tq-07`.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Tool::Torque => "tq",
            Tool::Dispenser => "fluid",
            Tool::Lift => "lift",
            Tool::Air => "air",
            Tool::Energy => "energy",
            Tool::Supply => "supply",
            Tool::Motor => "motor",
            Tool::Gateway => "gw",
        }
    }

    /// As assets call it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Tool::Torque => "torque_tool",
            Tool::Dispenser => "fluid_dispenser",
            Tool::Lift => "lift",
            Tool::Air => "air_meter",
            Tool::Energy => "energy_meter",
            Tool::Supply => "supply_12v",
            Tool::Motor => "hydraulic_motor",
            Tool::Gateway => "gateway",
        }
    }
}

/// A tool: what it measures goes out on one topic, whether it is there on another.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) telemetry: Channel,
    pub(super) status: Channel,
    /// How far its clock is ahead.
    pub(super) ahead_ms: i64,
    /// Sends nothing.
    pub(super) silent: bool,
    /// Measures the same again and again.
    pub(super) stuck: bool,
}

impl Device {
    /// `place` is `workshop/{site}/{bay}/{tool}`.
    pub(super) fn new(place: &str, boot: u32) -> Self {
        Device {
            telemetry: Channel::new(format!("{place}/telemetry"), boot),
            status: Channel::new(format!("{place}/status"), boot),
            ahead_ms: 0,
            silent: false,
            stuck: false,
        }
    }

    /// Switched off and on.
    pub(super) fn restart(&mut self) {
        self.telemetry.restart();
        self.status.restart();
    }
}
