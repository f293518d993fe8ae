//! States by topic: which are wanted, which have to go out, which are on their way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::NOTHING;

/// By topic.
pub type States = BTreeMap<String, Bytes>;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    wanted: States,
    /// Topics whose state has to go out.
    due: BTreeSet<String>,
    /// Handed to the client and not written yet, in order.
    handed: VecDeque<String>,
    /// Written, by packet id.
    written: BTreeMap<u16, String>,
    /// The end is asked for.
    pub(super) is_closed: bool,
}

impl Outbox {
    /// Wants these from now on. Returns how many states are replaced that never went out.
    pub(super) fn set(&mut self, states: States) -> u64 {
        let before = std::mem::replace(&mut self.wanted, states);
        let changed = self.wanted.iter().filter(|(topic, state)| before.get(*topic) != Some(state));
        let gone = before.keys().filter(|topic| !self.wanted.contains_key(*topic));
        let topics: Vec<&String> = changed.map(|(topic, _)| topic).chain(gone).collect();
        let mut replaced = 0;
        for topic in topics {
            if !self.due.insert(topic.clone()) {
                replaced += 1;
            }
        }
        replaced
    }

    /// There is a connection: all states go out.
    pub(super) fn connected(&mut self) {
        self.due.extend(self.wanted.keys().cloned());
    }

    /// The connection is lost, and what was on its way may be.
    pub(super) fn lost(&mut self) {
        self.due.extend(self.handed.drain(..));
        self.due.extend(std::mem::take(&mut self.written).into_values());
    }

    /// The next state to go out, while fewer than so many are on their way.
    pub(super) fn next(&mut self, flight_max: usize) -> Option<(String, Bytes)> {
        if self.handed.len() + self.written.len() >= flight_max {
            return None;
        }
        let topic = self.due.pop_first()?;
        self.handed.push_back(topic.clone());
        let state = self.wanted.get(&topic).cloned().unwrap_or(NOTHING);
        Some((topic, state))
    }

    /// The client has written the next of those that were handed to it.
    pub(super) fn written(&mut self, packet: u16) {
        if let Some(topic) = self.handed.pop_front() {
            self.written.insert(packet, topic);
        }
    }

    /// The broker has it; false if it speaks of none of ours.
    pub(super) fn acknowledged(&mut self, packet: u16) -> bool {
        self.written.remove(&packet).is_some()
    }

    /// Everything is out.
    pub(super) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.handed.is_empty() && self.written.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(of: &[(&str, &str)]) -> States {
        of.iter()
            .map(|(topic, state)| ((*topic).to_owned(), Bytes::copy_from_slice(state.as_bytes())))
            .collect()
    }

    /// What goes out until nothing more does.
    fn out(outbox: &mut Outbox) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut packet = 0;
        while let Some((topic, state)) = outbox.next(1) {
            out.push((topic, String::from_utf8(state.to_vec()).expect("text")));
            packet += 1;
            outbox.written(packet);
            assert!(outbox.acknowledged(packet));
        }
        assert!(outbox.is_idle());
        out
    }

    fn told(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(topic, state)| ((*topic).to_owned(), (*state).to_owned())).collect()
    }

    #[test]
    fn while_the_broker_is_away_only_the_newest_state_is_kept_and_what_it_replaces_is_counted() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.set(states(&[("a", "green"), ("b", "green")])), 0);
        assert_eq!(outbox.set(states(&[("a", "red"), ("b", "green")])), 1);
        assert_eq!(outbox.set(states(&[("a", "yellow"), ("b", "green")])), 1);
        assert_eq!(out(&mut outbox), told(&[("a", "yellow"), ("b", "green")]));
        assert_eq!(outbox.set(states(&[("a", "yellow"), ("b", "green")])), 0);
        assert_eq!(out(&mut outbox), [], "nothing has changed");
    }

    #[test]
    fn each_connection_begins_with_all_states() {
        let mut outbox = Outbox::default();
        outbox.set(states(&[("a", "green"), ("b", "red")]));
        out(&mut outbox);
        outbox.set(states(&[("a", "red"), ("b", "red")]));
        outbox.next(1).expect("a state");
        outbox.lost();
        outbox.connected();
        assert_eq!(out(&mut outbox), told(&[("a", "red"), ("b", "red")]));
    }

    /// Or a bay that is gone would shine for ever.
    #[test]
    fn a_state_that_is_wanted_no_more_is_taken_back_though_the_connection_was_lost_meanwhile() {
        let mut outbox = Outbox::default();
        outbox.set(states(&[("a", "green"), ("b", "red")]));
        out(&mut outbox);
        outbox.set(states(&[("a", "green")]));
        let (topic, state) = outbox.next(1).expect("the one that is gone");
        assert_eq!((topic.as_str(), state.len()), ("b", 0));
        outbox.written(1);
        outbox.lost();
        outbox.connected();
        assert_eq!(out(&mut outbox), told(&[("a", "green"), ("b", "")]));
    }

    #[test]
    fn no_more_are_on_their_way_than_the_broker_takes() {
        let mut outbox = Outbox::default();
        outbox.set(states(&[("a", "1"), ("b", "1"), ("c", "1")]));
        assert!(outbox.next(2).is_some() && outbox.next(2).is_some() && outbox.next(2).is_none());
        outbox.written(1);
        assert!(outbox.next(2).is_none());
        assert!(outbox.acknowledged(1) && !outbox.acknowledged(1));
        assert_eq!(outbox.next(2).map(|(topic, _)| topic).as_deref(), Some("c"));
    }
}
