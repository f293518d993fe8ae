//! What is kept of channels beside prints: numbers that have not come, and how many messages went the usual way.

use std::collections::BTreeMap;

use ingest::readings::NONE;

use super::gaps::Missing;
use super::{Channel, Print, Repeats, Seen};

/// Messages of which all was new, applied and on time, and their readings: counted here, where each message looks anyway.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Usual {
    pub(in crate::engine) messages: u16,
    pub(in crate::engine) readings: u16,
}

impl Repeats {
    /// An element has come of which nothing can be used: it is no repeat, and its number is not missing.
    pub(in crate::engine) fn see_number(&mut self, print: &Print) -> Seen {
        let index = self.meet(print.channel);
        let channel = &mut self.channels[index];
        if print.seq != NONE {
            if channel.follows(print.boot, print.seq) {
                channel.highest = print.seq;
            } else {
                channel.is_out_of_line(print, &mut self.missing);
            }
            // It is not among the prints, so these do not follow each other any more.
            channel.is_numbered = false;
        }
        Seen::New
    }

    /// An element that is about the past: its number is not missing any more. It tells of no others.
    pub(in crate::engine) fn fill(&mut self, print: &Print) {
        if let Some(channel) = self.channels.get_mut(print.channel as usize)
            && print.seq != NONE
            && channel.past.gaps.fill_of(print.boot, print.seq, channel.boot, &mut self.missing)
        {
            self.missing.note(print.channel, &channel.past.gaps);
        }
    }

    /// A message with so many readings has gone the usual way. Gives back all that were counted here, and begins anew,
    /// before the numbers become too large.
    #[inline]
    pub(in crate::engine) fn count_usual(&mut self, channel: u32, readings: u16) -> Option<Usual> {
        let usual = &mut self.channels[channel as usize].usual;
        usual.messages += 1;
        usual.readings += readings;
        ((usual.messages | usual.readings) >> 15 != 0).then(|| std::mem::take(usual))
    }

    /// Counted so far, as far as it was not given back.
    pub(in crate::engine) fn usual(&self, channel: usize) -> Usual {
        self.channels.get(channel).map(|channel| channel.usual).unwrap_or_default()
    }

    /// What has not come, of all channels together.
    pub(in crate::engine) fn missing(&self) -> &Missing {
        &self.missing
    }

    /// As [`Missing::take_changed`].
    pub(in crate::engine) fn take_changed(&mut self) -> BTreeMap<u32, bool> {
        self.missing.take_changed()
    }

    /// Boots and ranges of numbers of a channel that have not come, both ends among them.
    pub(in crate::engine) fn gaps(&self, channel: u32) -> impl Iterator<Item = (i64, i64, i64)> {
        let channel = self.channels.get(channel as usize);
        channel.into_iter().flat_map(|channel| channel.past.gaps.all(channel.boot))
    }

    /// By channel number the boots with their highest numbers, and what is missing: for the state hash.
    pub(in crate::engine) fn numbers(&self) -> impl Iterator<Item = (usize, String)> {
        let said = |channel: &Channel| {
            let gaps = &channel.past.gaps;
            let boots: Vec<(i64, i64)> = gaps.boots().chain([(channel.boot, channel.highest)]).collect();
            format!("{boots:?} {:?}", gaps.all(channel.boot).collect::<Vec<_>>())
        };
        let numbered = self.channels.iter().enumerate().filter(|(_, channel)| channel.highest != NONE);
        numbered.map(move |(number, channel)| (number, said(channel)))
    }
}
