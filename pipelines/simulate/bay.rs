//! A bay: its tools, its terminal, its gateway, and the job it has.

use super::agenda::Agenda;
use super::device::{Channel, Device, Tool};
use super::gateway::Gateway;
use super::gauge::{Condition, Gauges};
use super::office::Job;
use super::seed::Seed;
use super::trouble::Malformation;

/// Everything of one bay.
#[derive(Debug)]
pub(super) struct Bay {
    /// Which office it belongs to.
    pub(super) site: usize,
    /// `bay-07`.
    pub(super) name: String,
    /// In the order of [`Tool::ALL`].
    devices: Vec<Device>,
    pub(super) steps: Channel,
    pub(super) usage: Channel,
    pub(super) status: Channel,
    pub(super) gateway: Gateway,
    /// Counts the outages, so that the end of one is not taken for the end of the next.
    pub(super) outages: u32,
    pub(super) gauges: Gauges,
    pub(super) condition: Condition,
    pub(super) agenda: Agenda,
    pub(super) job: Option<Job>,
    /// Jobs taken in so far.
    pub(super) jobs: u32,
    /// Which step of the job is on.
    pub(super) step: usize,
    pub(super) technician: Option<usize>,
    /// Nobody clocks that step.
    pub(super) is_unclocked: bool,
    /// What the next message of the supply will suffer.
    pub(super) spoil: Option<Malformation>,
    /// How long messages take to the broker.
    pub(super) transit_us: i64,
    /// `-07` of `tq-07`.
    suffix: String,
}

impl Bay {
    pub(super) fn new(site: usize, site_name: &str, number: u32, now_us: i64, seed: &mut Seed) -> Self {
        let (name, suffix) = (format!("bay-{number:02}"), format!("-{number:02}"));
        let place = format!("workshop/{site_name}/{name}");
        let device = |tool: &Tool| {
            Device::new(&format!("{place}/{}{suffix}", tool.prefix()), 1 + seed.below(40) as u32)
        };
        let devices = Tool::ALL.iter().map(device).collect();
        Bay {
            site,
            devices,
            steps: Channel::new(format!("{place}/steps"), 1),
            usage: Channel::new(format!("{place}/usage"), 1),
            status: Channel::new(format!("{place}/status"), 1),
            gateway: Gateway::default(),
            outages: 0,
            gauges: Gauges::new(now_us, seed),
            condition: Condition::default(),
            agenda: Agenda::default(),
            job: None,
            jobs: 0,
            step: 0,
            technician: None,
            is_unclocked: false,
            spoil: None,
            transit_us: (seed.between(3.0, 40.0) * 1000.0) as i64,
            name,
            suffix,
        }
    }

    pub(super) fn device(&self, tool: Tool) -> &Device {
        &self.devices[tool as usize]
    }

    pub(super) fn device_mut(&mut self, tool: Tool) -> &mut Device {
        &mut self.devices[tool as usize]
    }

    /// Name of a tool: `tq-07`.
    pub(super) fn tool_name(&self, tool: Tool) -> String {
        format!("{}{}", tool.prefix(), self.suffix)
    }

    /// What the clocks at the bay show when a message of now arrives.
    pub(super) fn ts_ms(&self, now_us: i64) -> i64 {
        (now_us - self.transit_us).max(0) / 1000
    }

    /// What the clock of a tool shows.
    pub(super) fn tool_ts_ms(&self, tool: Tool, now_us: i64) -> i64 {
        self.ts_ms(now_us) + self.device(tool).ahead_ms
    }

    /// Reads one of [`Tool::GAUGES`]; none if it is silent.
    pub(super) fn read(&mut self, tool: Tool, now_us: i64, speed: f64, seed: &mut Seed) -> Option<Vec<u8>> {
        let ts_ms = self.tool_ts_ms(tool, now_us);
        let device = &mut self.devices[tool as usize];
        if device.silent {
            return None;
        }
        let message = device.telemetry.message(ts_ms);
        let time = (now_us, speed);
        Some(self.gauges.read(tool, time, device.stuck, &self.condition, message, seed).finish())
    }
}
