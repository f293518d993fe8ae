//! The shop: keeps the order of what happens, and the rate.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::agenda::Act;
use super::bay::Bay;
use super::device::Tool;
use super::fault::{Fate, Fault};
use super::office::Office;
use super::seed::Seed;
use super::trouble::Trouble;
use super::{Published, SimulateError, SimulateSettings};

/// What comes at a set time. Gauges are not in here: they fill the time between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next act of a bay's agenda.
    Act { bay: usize },
    /// Something begins or ends to be wrong.
    Trouble { bay: usize, trouble: Trouble },
}

/// A generator of messages, endless, in the order of their arrival. Equal settings give equal bytes.
#[derive(Debug)]
pub struct Workshop {
    pub(super) settings: SimulateSettings,
    pub(super) seed: Seed,
    pub(super) fate: Fate,
    pub(super) now_us: i64,
    start_us: i64,
    /// Messages so far, whether they have arrived or wait in a gateway.
    pub(super) made: u64,
    /// Which gauge is next: runs over all bays of the first kind, then of the second …
    gauge: usize,
    gauge_us: i64,
    pub(super) offices: Vec<Office>,
    pub(super) bays: Vec<Bay>,
    /// By time, then by the order in which they were set.
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    events_set: u64,
    /// Made, and not yet taken. Bound by what one event makes: at most a gateway's backlog.
    pub(super) out: VecDeque<Published>,
}

impl Workshop {
    /// A shop that opens at `settings.start_ms`.
    ///
    /// # Errors
    /// [`SimulateError::Setting`] for settings that no shop can have.
    pub fn new(settings: SimulateSettings) -> Result<Self, SimulateError> {
        settings.check()?;
        let now_us = settings.start_ms * 1000;
        let mut seed = Seed::new(settings.seed);
        let mut offices = Vec::new();
        let mut bays = Vec::new();
        for (site, name) in settings.sites.iter().enumerate() {
            offices.push(Office::new(name, settings.bays, &mut seed));
            for number in 1..=settings.bays {
                bays.push(Bay::new(site, name, number, now_us, &mut seed));
            }
        }
        let mut shop = Workshop {
            fate: Fate::new(settings.faults),
            settings,
            seed,
            now_us,
            start_us: now_us,
            made: 0,
            gauge: 0,
            gauge_us: now_us,
            offices,
            bays,
            events: BinaryHeap::new(),
            events_set: 0,
            out: VecDeque::new(),
        };
        shop.open();
        Ok(shop)
    }

    /// The next message. There is always one.
    pub fn next_message(&mut self) -> Published {
        loop {
            if let Some(message) = self.out.pop_front() {
                return message;
            }
            match self.events.peek() {
                Some(&Reverse((at_us, _, event))) if at_us <= self.gauge_us => {
                    self.events.pop();
                    self.now_us = self.now_us.max(at_us);
                    match event {
                        Event::Act { bay } => self.act(bay),
                        Event::Trouble { bay, trouble } => self.suffer(bay, trouble),
                    }
                }
                _ => {
                    self.now_us = self.now_us.max(self.gauge_us);
                    self.read_gauge();
                }
            }
        }
    }

    /// When the shop opened, ms since 1970 UTC.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.settings.start_ms
    }

    /// How often each enabled fault has happened so far.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        let enabled = Fault::ALL.into_iter().filter(|fault| self.fate.enabled(*fault));
        enabled.map(|fault| (fault, self.fate.count(fault))).collect()
    }

    /// The shop opens: everything says that it is there, the first jobs are taken in.
    fn open(&mut self) {
        for bay in 0..self.bays.len() {
            for tool in Tool::ALL {
                self.send_asset(bay, tool);
                self.send_online(bay, tool);
            }
            self.send_bay_status(bay, false);
            let shop_s = self.seed.between(0.0, 60.0) * (bay.min(1) as f64);
            let arrive_us = self.now_us + 300_000 + self.shop_us(shop_s);
            let card_us = self.now_us + 50_000 + self.seed.below(200_000) as i64;
            self.bays[bay].agenda.add(card_us, Act::TakeIn);
            self.bays[bay].agenda.add(arrive_us, Act::Arrive);
            self.set_next_act(bay);
        }
        self.foresee();
    }

    /// Microseconds that `seconds` of work in a real shop take here.
    pub(super) fn shop_us(&self, seconds: f64) -> i64 {
        (seconds * 1e6 / self.settings.speed) as i64
    }

    pub(super) fn set(&mut self, at_us: i64, event: Event) {
        self.events_set += 1;
        self.events.push(Reverse((at_us, self.events_set, event)));
    }

    /// Each bay has one event for its agenda: that of the first act.
    pub(super) fn set_next_act(&mut self, bay: usize) {
        if let Some(at_us) = self.bays[bay].agenda.next_us() {
            self.set(at_us, Event::Act { bay });
        }
    }

    /// Reads the gauge whose turn it is, and sets when the next is read.
    fn read_gauge(&mut self) {
        let gauges = self.bays.len() * Tool::GAUGES.len();
        // If all are silent the time passes all the same.
        for _ in 0..gauges {
            let (bay, tool) = (self.gauge % self.bays.len(), Tool::GAUGES[self.gauge / self.bays.len()]);
            self.gauge = (self.gauge + 1) % gauges;
            if tool == Tool::Supply && self.send_spoilt(bay) {
                break;
            }
            let now = (self.now_us, self.settings.speed);
            if let Some(payload) = self.bays[bay].read(tool, now.0, now.1, &mut self.seed) {
                self.send_telemetry(bay, tool, payload);
                break;
            }
        }
        // The place of message n is n / rate after the start. Work comes when it comes, so gauges wait while
        // it is ahead, though never longer than two places.
        let place_us = 1e6 / self.settings.rate;
        let due_us = self.start_us + ((self.made + 1) as f64 * place_us) as i64;
        let latest_us = self.now_us + (2.0 * place_us) as i64;
        let jitter_us = self.seed.near(0.0, 0.3 * place_us) as i64;
        self.gauge_us = (due_us.min(latest_us) + jitter_us).max(self.now_us);
    }
}

impl Iterator for Workshop {
    type Item = Published;

    fn next(&mut self) -> Option<Published> {
        Some(self.next_message())
    }
}
