//! Faults that come with time: they begin, and end.

use std::sync::Arc;

use super::device::Tool;
use super::fault::{Fault, Occurrence};
use super::gauge;
use super::workshop::{Event, Workshop};

/// Something that begins or ends to be wrong on a bay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Begin(Fault),
    /// The tool works again as it should.
    Mend(Tool, Fault),
    /// The gateway comes back from this outage.
    Reconnect(u32),
    /// Not a fault: somebody switches a tool off and on.
    Restart,
}

/// In which way a message is malformed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Malformation {
    CutJson,
    NotANumber,
    WrongDimension,
    UnknownUnit,
    UnknownTopic,
}

impl Malformation {
    const ALL: [Malformation; 5] = [
        Malformation::CutJson,
        Malformation::NotANumber,
        Malformation::WrongDimension,
        Malformation::UnknownUnit,
        Malformation::UnknownTopic,
    ];
}

/// How long a gateway is off, in seconds of shop time.
const OUTAGE_S: f64 = 600.0;

/// Tools are switched off and on about this often, in seconds of shop time.
const RESTART_S: f64 = 4.0 * 3600.0;

/// Within so many seconds of shop time each enabled fault has happened somewhere.
const FIRST_WITHIN_S: f64 = 240.0;

impl Workshop {
    /// Sets the first of each trouble on each bay.
    pub(super) fn foresee(&mut self) {
        for bay in 0..self.bays.len() {
            self.set_within(bay, 0.0, RESTART_S, Trouble::Restart);
        }
        for fault in Fault::ALL {
            let Occurrence::Every(mean_s) = fault.occurrence() else { continue };
            if !self.fate.enabled(fault) {
                continue;
            }
            let first = self.seed.below(self.bays.len());
            for bay in 0..self.bays.len() {
                let (least_s, most_s) =
                    if bay == first { (20.0, FIRST_WITHIN_S) } else { (FIRST_WITHIN_S, 2.0 * mean_s) };
                self.set_within(bay, least_s, most_s, Trouble::Begin(fault));
            }
        }
    }

    fn set_within(&mut self, bay: usize, least_s: f64, most_s: f64, trouble: Trouble) {
        let shop_s = self.seed.between(least_s, most_s);
        let at_us = self.now_us + self.shop_us(shop_s);
        self.set(at_us, Event::Trouble { bay, trouble });
    }

    pub(super) fn suffer(&mut self, bay: usize, trouble: Trouble) {
        match trouble {
            Trouble::Begin(fault) => {
                self.begin(bay, fault);
                if let Occurrence::Every(mean_s) = fault.occurrence() {
                    self.set_within(bay, 0.5 * mean_s, 1.5 * mean_s, Trouble::Begin(fault));
                }
            }
            Trouble::Mend(tool, fault) => self.mend(bay, tool, fault),
            Trouble::Reconnect(outage) => {
                if self.bays[bay].gateway.is_offline() && self.bays[bay].outages == outage {
                    self.reconnect(bay);
                }
            }
            Trouble::Restart => {
                self.restart(bay);
                self.set_within(bay, 0.5 * RESTART_S, 1.5 * RESTART_S, Trouble::Restart);
            }
        }
    }

    fn begin(&mut self, bay: usize, fault: Fault) {
        match fault {
            Fault::OfflineGateway => self.lose_gateway(bay),
            Fault::Duplicate => {
                let count = 1 + self.seed.below(4);
                if self.bays[bay].gateway.repeat(count) {
                    self.fate.note(fault);
                }
            }
            Fault::Malformed => {
                // Each way has its turn.
                let way = self.fate.count(fault) as usize % Malformation::ALL.len();
                if self.bays[bay].spoil.replace(Malformation::ALL[way]).is_none() {
                    self.fate.note(fault);
                }
            }
            Fault::StuckSensor => {
                let tool = *self.seed.pick(&[Tool::Air, Tool::Supply, Tool::Motor]);
                if !std::mem::replace(&mut self.bays[bay].device_mut(tool).stuck, true) {
                    self.fate.note(fault);
                    self.set_within(bay, 900.0, 2700.0, Trouble::Mend(tool, fault));
                }
            }
            Fault::FastClock => {
                let tool = *self.seed.pick(&[Tool::Torque, Tool::Lift, Tool::Energy, Tool::Motor]);
                if self.bays[bay].device(tool).ahead_ms == 0 {
                    let minutes = *self.seed.pick(&[2.0, 5.0, 60.0, 1440.0]);
                    let ahead_ms = (self.seed.near(minutes, 0.2) * 60_000.0) as i64;
                    self.bays[bay].device_mut(tool).ahead_ms = ahead_ms;
                    self.fate.note(fault);
                    self.set_within(bay, 600.0, 1500.0, Trouble::Mend(tool, fault));
                }
            }
            Fault::SilentTool => {
                let tool =
                    *self.seed.pick(&[Tool::Torque, Tool::Air, Tool::Energy, Tool::Supply, Tool::Motor]);
                if !std::mem::replace(&mut self.bays[bay].device_mut(tool).silent, true) {
                    self.fate.note(fault);
                    self.set_within(bay, 300.0, 1200.0, Trouble::Mend(tool, fault));
                }
            }
            // Those strike by chance where they belong: at a tightening, a step, a filling.
            Fault::NokTorque
            | Fault::Overrun
            | Fault::OverDispense
            | Fault::MissedJoint
            | Fault::Unclocked => {}
        }
    }

    fn mend(&mut self, bay: usize, tool: Tool, fault: Fault) {
        let device = self.bays[bay].device_mut(tool);
        match fault {
            Fault::StuckSensor => device.stuck = false,
            Fault::FastClock => device.ahead_ms = 0,
            _ => {
                device.silent = false;
                self.switch_on(bay, tool);
            }
        }
    }

    fn restart(&mut self, bay: usize) {
        let tool = *self.seed.pick(&Tool::ALL[..Tool::ALL.len() - 1]);
        if !self.bays[bay].device(tool).silent {
            self.switch_on(bay, tool);
        }
    }

    fn switch_on(&mut self, bay: usize, tool: Tool) {
        self.bays[bay].device_mut(tool).restart();
        if tool == Tool::Air {
            self.bays[bay].gauges.reset_air_register();
        }
        self.send_online(bay, tool);
    }

    /// The broker sends the gateway's last will; what comes from the bay waits.
    fn lose_gateway(&mut self, bay: usize) {
        if self.bays[bay].gateway.is_offline() {
            return;
        }
        self.fate.note(Fault::OfflineGateway);
        let topic = Arc::clone(&self.bays[bay].device(Tool::Gateway).status.topic);
        self.send_directly(topic, b"{\"online\":false}".to_vec(), true);
        let at_ms = self.now_us / 1000;
        self.made += self.bays[bay].gateway.go_offline(at_ms, &mut self.out);
        self.bays[bay].outages += 1;
        let outage = self.bays[bay].outages;
        self.set_within(bay, OUTAGE_S, OUTAGE_S, Trouble::Reconnect(outage));
    }

    pub(super) fn reconnect(&mut self, bay: usize) {
        let at_ms = self.now_us / 1000;
        self.bays[bay].gateway.go_online(at_ms, &mut self.out);
        self.send_online(bay, Tool::Gateway);
    }

    /// Sends a malformed reading of the bay's supply, if it is to be one. Returns whether it was.
    pub(super) fn send_spoilt(&mut self, bay: usize) -> bool {
        if self.bays[bay].device(Tool::Supply).silent {
            return false;
        }
        let Some(way) = self.bays[bay].spoil.take() else { return false };
        let ts_ms = self.bays[bay].tool_ts_ms(Tool::Supply, self.now_us);
        let supply = &mut self.bays[bay].device_mut(Tool::Supply).telemetry;
        let topic = Arc::clone(&supply.topic);
        let (value, unit) = match way {
            Malformation::NotANumber => ("NaN", "V"),
            Malformation::WrongDimension => ("12.6", "bar"),
            Malformation::UnknownUnit => ("12.6", "furlong"),
            Malformation::CutJson | Malformation::UnknownTopic => ("12.6", "V"),
        };
        let mut payload = gauge::spoilt_voltage(supply, ts_ms, value, unit);
        let topic = match way {
            Malformation::CutJson => {
                payload.truncate(payload.len() * 2 / 3);
                topic
            }
            Malformation::UnknownTopic => topic.replace("/telemetry", "/telemetrie").into(),
            _ => topic,
        };
        self.send(bay, topic, payload, self.settings.qos, false);
        true
    }
}
