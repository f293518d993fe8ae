//! What the journal still holds for new windows, and must go on to hold.

use std::collections::VecDeque;
use std::time::Duration;

use ingest::entry::Entry;
use ingest::journal::{Journal, JournalError};
use ingest::time::Offset;

/// Cuts that are remembered: nearly six hours of the usual five seconds. The oldest is forgotten.
const CUTS_MAX: usize = 4_096;

/// Messages that new windows are filled with at most: the engine takes a second or two for them, in which nothing else is
/// applied, and nothing lost.
const MESSAGES_MAX: u64 = 2_000_000;

/// Time beyond what windows need, for bays that hang behind.
const MARGIN: Duration = Duration::from_secs(30);

/// Where epochs begin in the journal, and from where on it must not be trimmed.
#[derive(Debug, Default)]
pub(in crate::run) struct Retained {
    cuts: VecDeque<Begun>,
    held: Vec<Held>,
}

/// An epoch.
#[derive(Clone, Copy, Debug)]
struct Begun {
    offset: Offset,
    at_ms: i64,
    /// Messages before it.
    messages: u64,
}

/// What a switch reads, should it be applied again.
#[derive(Clone, Copy, Debug)]
struct Held {
    from: Offset,
    /// Of the switch, once that is known.
    switch: Option<Offset>,
}

impl Retained {
    /// What stands before `until` in a journal.
    pub(in crate::run) fn of(journal: &Journal, until: Offset) -> Result<Self, JournalError> {
        let mut retained = Retained::default();
        journal.skim(until, |offset, next_message, entry| {
            if let Entry::Cut { at_ms, .. } = entry {
                retained.cut(offset.next(), *at_ms, next_message - 1);
            }
        })?;
        Ok(retained)
    }

    /// An epoch begins at `offset`, after so many messages.
    pub(in crate::run) fn cut(&mut self, offset: Offset, at_ms: i64, messages: u64) {
        self.cuts.push_back(Begun { offset, at_ms, messages });
        if self.cuts.len() > CUTS_MAX {
            self.cuts.pop_front();
        }
    }

    /// Whether the journal holds all readings of the last `needed` of time, as few as may be read again.
    pub(in crate::run) fn is_enough(&self, needed: Duration, ahead: Duration, oldest: Offset) -> bool {
        self.found(needed, ahead, oldest).is_some_and(|(cut, wanted_ms)| cut.at_ms <= wanted_ms)
    }

    /// Where to read from to know all readings of the last `needed` of time; else as far back as there is something to
    /// be had, none if there is not. An entry tells all readings that are more than `ahead` younger than it. The journal is held there.
    pub(in crate::run) fn choose(
        &mut self,
        needed: Duration,
        ahead: Duration,
        oldest: Offset,
    ) -> Option<Offset> {
        let now = *self.cuts.back()?;
        let (chosen, _) = self.found(needed, ahead, oldest)?;
        if chosen.at_ms.saturating_add(millis(ahead)) >= now.at_ms {
            return None;
        }
        self.held.push(Held { from: chosen.offset, switch: None });
        Some(chosen.offset)
    }

    /// The epoch to read from, and when it should have begun.
    fn found(&self, needed: Duration, ahead: Duration, oldest: Offset) -> Option<(Begun, i64)> {
        let now = *self.cuts.back()?;
        let is_in_reach =
            |cut: &&Begun| cut.offset >= oldest && now.messages.saturating_sub(cut.messages) <= MESSAGES_MAX;
        let wanted_ms = now.at_ms.saturating_sub(millis(needed + ahead + MARGIN));
        let mut in_reach = self.cuts.iter().filter(is_in_reach);
        let first = *in_reach.next()?;
        let chosen = in_reach.take_while(|cut| cut.at_ms <= wanted_ms).last().copied().unwrap_or(first);
        Some((chosen, wanted_ms))
    }

    /// The switch at `switch` reads the journal from `from` on.
    pub(in crate::run) fn used(&mut self, from: Offset, switch: Offset) {
        match self.held.iter_mut().find(|held| held.from == from && held.switch.is_none()) {
            Some(held) => held.switch = Some(switch),
            None => self.held.push(Held { from, switch: Some(switch) }),
        }
    }

    /// How far the journal may be trimmed if it is resumed at `resume` at the earliest: a switch behind that reads more.
    pub(in crate::run) fn needless_before(&mut self, resume: Offset) -> Offset {
        self.held.retain(|held| held.switch.is_none_or(|switch| switch >= resume));
        self.held.iter().map(|held| held.from).min().map_or(resume, |from| from.min(resume))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// An epoch each 5 s, of ten entries and a thousand messages.
    fn hour() -> Retained {
        let mut retained = Retained::default();
        for epoch in 1..=720 {
            retained.cut(Offset(epoch * 10), i64::try_from(epoch).expect("small") * 5_000, epoch * 1_000);
        }
        retained
    }

    #[test]
    fn the_past_begins_where_the_windows_need_it_or_where_the_journal_begins() {
        let wanted = |oldest| hour().choose(seconds(90), seconds(60), Offset(oldest));
        // 3600 s less 90, 60 and the margin of 30.
        assert_eq!(wanted(1), Some(Offset(6_840)));
        assert_eq!(wanted(7_000), Some(Offset(7_000)), "half of it is trimmed");
        assert_eq!(wanted(7_100), None, "nothing is known of readings before now");
        assert_eq!(Retained::default().choose(seconds(1), seconds(1), Offset(1)), None);
    }

    #[test]
    fn no_more_messages_are_read_than_a_second_or_two_allow() {
        let mut retained = Retained::default();
        for epoch in 1..=100 {
            retained.cut(Offset(epoch), i64::try_from(epoch).expect("small") * 5_000, epoch * 100_000);
        }
        assert_eq!(retained.choose(seconds(400), seconds(10), Offset(1)), Some(Offset(80)));
    }

    #[test]
    fn the_journal_is_held_until_no_checkpoint_is_before_the_switch() {
        let mut retained = hour();
        let from = retained.choose(seconds(90), seconds(60), Offset(1)).expect("there is enough");
        assert_eq!(retained.needless_before(Offset(7_300)), from, "the switch is on its way");
        retained.used(from, Offset(7_205));
        assert_eq!(retained.needless_before(Offset(7_205)), from);
        assert_eq!(retained.needless_before(Offset(7_206)), Offset(7_206));
    }
}
