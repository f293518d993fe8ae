//! What the workshop's lamps and its technicians' devices are told: retained states of what is known now.
//!
//! Told by the leader alone. With a mirror a state waits until the mirror has the entry that it is made after: what a lamp
//! has shown is never rolled back. One state of everything waits at most; the next is made when it is out.

mod devices;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ingest::publish::{MaySend, Publisher, States};
use ingest::source::SourceError;
use ingest::time::{Clock, Offset};
use serde::Serialize;
use sinks::view::Jobs;

use self::devices::Devices;
use crate::config::{Config, OutputSettings};
use crate::engine::Engine;
use crate::engine::lamps::{BayName, Lamp};
use crate::mirror::MirrorStatus;

/// States are looked at this often.
const INTERVAL_US: u64 = 200_000;

/// Lamps and devices, and the way to them.
#[derive(Debug)]
pub(super) struct Lamps {
    settings: OutputSettings,
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    next_us: u64,
    bays: BTreeMap<BayName, (Lamp, Bytes)>,
    devices: Devices,
    /// Made after that entry, and not out yet.
    waiting: Option<(Offset, States)>,
}

impl Lamps {
    /// Begins to tell them, where that is configured.
    pub(super) fn begin(
        config: &Config,
        mirror: Option<Arc<MirrorStatus>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Lamps>, SourceError> {
        let Some(settings) = &config.publish else { return Ok(None) };
        // What is told once more after a connection needs no new entry: a leader that was overtaken must not say it.
        let may_send: MaySend = Arc::new(move || mirror.as_ref().is_none_or(|mirror| mirror.may_send()));
        let publisher = Publisher::start(&settings.broker, may_send, Arc::clone(clock))?;
        Ok(Some(Lamps {
            settings: settings.clone(),
            publisher,
            clock: Arc::clone(clock),
            next_us: 0,
            bays: BTreeMap::new(),
            devices: Devices::default(),
            waiting: None,
        }))
    }

    /// Tells what has changed. `applied` is the newest entry that the engine has applied, `mirrored` the first that the
    /// mirror does not have, where there is one.
    pub(super) fn tell(
        &mut self,
        engine: &Engine,
        jobs: &Arc<Jobs>,
        applied: Offset,
        mirrored: Option<Offset>,
    ) {
        let now_us = self.clock.monotonic_us();
        if self.waiting.is_none() && now_us >= self.next_us {
            self.next_us = now_us + INTERVAL_US;
            if self.look(engine, jobs, now_us) {
                self.waiting = Some((applied, self.states()));
            }
        }
        let is_known =
            |(offset, _): &mut (Offset, States)| mirrored.is_none_or(|mirrored| mirrored > *offset);
        if let Some((_, states)) = self.waiting.take_if(is_known) {
            self.publisher.set(states);
        }
    }

    /// Ends, once the last states are out.
    pub(super) fn end(self) {
        self.publisher.close();
    }

    /// Whether something is other than it was.
    fn look(&mut self, engine: &Engine, jobs: &Arc<Jobs>, now_us: u64) -> bool {
        let mut is_changed = false;
        if self.settings.lamp_topic.is_some() {
            let mut before = std::mem::take(&mut self.bays);
            for (name, lamp) in engine.lamps() {
                let known = before.remove(&name).filter(|(known, _)| *known == lamp);
                is_changed |= known.is_none();
                self.bays.insert(
                    name,
                    known.unwrap_or_else(|| {
                        let state = encoded(&lamp);
                        (lamp, state)
                    }),
                );
            }
            is_changed |= !before.is_empty();
        }
        if self.settings.technician_topic.is_some() {
            is_changed |= self.devices.look(engine, jobs, now_us);
        }
        is_changed
    }

    fn states(&self) -> States {
        let mut states = States::new();
        let mut unpublishable = 0_u32;
        let mut put = |pattern: Option<&str>, other: &str, (site, name): &BayName, state: &Bytes| {
            let Some(pattern) = pattern else { return };
            match topic(pattern, other, site, name) {
                Some(topic) => drop(states.insert(topic, state.clone())),
                None => unpublishable += 1,
            }
        };
        for (name, (_, state)) in &self.bays {
            put(self.settings.lamp_topic.as_deref(), "{bay}", name, state);
        }
        for (name, state) in self.devices.told() {
            put(self.settings.technician_topic.as_deref(), "{technician}", name, state);
        }
        metrics::gauge!("andon_publish_unpublishable_states").set(unpublishable);
        states
    }
}

fn encoded(state: &impl Serialize) -> Bytes {
    serde_json::to_vec(state).expect("texts and numbers").into()
}

/// The pattern with these names; none if one of them is no level of a topic.
fn topic(pattern: &str, other: &str, site: &str, name: &str) -> Option<String> {
    let is_level = |name: &str| !name.is_empty() && !name.contains(['/', '+', '#', '\0']);
    // A name may look like a place itself.
    let levels = pattern.split('/').map(|level| match level {
        "{site}" => site,
        level if level == other => name,
        level => level,
    });
    let topic = levels.collect::<Vec<_>>().join("/");
    (is_level(site) && is_level(name) && topic.len() <= usize::from(u16::MAX)).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_level_of_a_topic_is_told_nowhere() {
        let lamp = |site: &str, bay: &str| topic("workshop/{site}/{bay}/andon", "{bay}", site, bay);
        assert_eq!(lamp("lyon", "bay-01").as_deref(), Some("workshop/lyon/bay-01/andon"));
        assert_eq!(lamp("{bay}", "b1").as_deref(), Some("workshop/{bay}/b1/andon"));
        for bay in ["", "a/b", "+", "#", "a\0"] {
            assert_eq!(lamp("lyon", bay), None, "{bay:?}");
        }
    }
}
