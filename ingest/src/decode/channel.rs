//! Channels: distinct topics, each with what its messages said before.

use rustc_hash::FxHashMap;

use super::head::NAME_BYTES_MAX;
use super::slots::Slots;
use crate::entry::MessageRef;
use crate::readings::Reason;
use crate::topic::{Kind, Topics};

/// A topic, resolved once.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) route: ChannelRoute,
    pub(super) slots: Slots,
    /// Number of the shape of its last message.
    pub(super) shape: usize,
}

/// What a channel's topic says.
#[derive(Debug)]
pub(super) struct ChannelRoute {
    pub(super) kind: Kind,
    pub(super) site: Option<Box<str>>,
    pub(super) bay: Option<Box<str>>,
    pub(super) tool: Option<Box<str>>,
}

/// All channels, numbered by first sight.
#[derive(Debug)]
pub(super) struct Channels {
    all: Vec<Option<Channel>>,
    /// Topics of all channels, by number: also of those that today's patterns do not match.
    topics: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, u32>,
    /// Channel of each topic index of the current intake.
    of_index: Vec<u32>,
    channels_max: usize,
}

/// Longer topics are unknown ones: a channel's topic is kept for good, and each reject carries it.
const TOPIC_BYTES_MAX: usize = 1024;

/// Topic indexes beyond this are looked up each time; an intake has few topics.
const INDEXES_MAX: usize = 1 << 20;
const NOT_YET: u32 = u32::MAX;

impl Channels {
    pub(super) fn new(channels_max: usize) -> Self {
        Channels {
            all: Vec::new(),
            topics: Vec::new(),
            numbers: FxHashMap::default(),
            of_index: Vec::new(),
            channels_max: channels_max.min(NOT_YET as usize),
        }
    }

    pub(super) fn topics(&self) -> impl ExactSizeIterator<Item = &str> {
        self.topics.iter().map(|topic| &**topic)
    }

    pub(super) fn begin_intake(&mut self) {
        self.of_index.clear();
    }

    /// In place of what was seen so far.
    ///
    /// # Errors
    /// The topic that comes twice.
    pub(super) fn restore(&mut self, names: &[Box<str>], topics: &Topics) -> Result<(), String> {
        *self = Channels::new(self.channels_max);
        for topic in names {
            if self.numbers.contains_key(topic) {
                return Err(topic.to_string());
            }
            self.add(topic, topics);
        }
        Ok(())
    }

    /// The channel of a message; a new one for a new topic.
    #[inline]
    pub(super) fn find(
        &mut self,
        message: &MessageRef<'_>,
        topics: &Topics,
    ) -> Result<(u32, &mut Channel), (Reason, String)> {
        let cached = self.of_index.get(message.topic_index as usize).copied().unwrap_or(NOT_YET);
        // The names are compared as well: an index that means another topic must not move readings there.
        let is_cached = self.topics.get(cached as usize).is_some_and(|topic| **topic == *message.topic);
        let number = if is_cached { cached } else { self.look_up(message, topics)? };
        let channel = self.all[number as usize].as_mut();
        channel.map(|channel| (number, channel)).ok_or_else(|| unknown(message.topic))
    }

    #[cold]
    fn look_up(&mut self, message: &MessageRef<'_>, topics: &Topics) -> Result<u32, (Reason, String)> {
        let number = match self.numbers.get(message.topic) {
            Some(&number) => number,
            None if !has_room(message.topic, topics) => return Err(unknown(message.topic)),
            None if self.all.len() >= self.channels_max => {
                let detail = format!("there are already {} topics", self.channels_max);
                return Err((Reason::TooManySeries, detail));
            }
            None => self.add(message.topic, topics),
        };
        let index = message.topic_index as usize;
        if index < INDEXES_MAX {
            if self.of_index.len() <= index {
                self.of_index.resize(index + 1, NOT_YET);
            }
            self.of_index[index] = number;
        }
        Ok(number)
    }

    /// The next channel, whether or not the patterns match its topic.
    pub(super) fn add(&mut self, topic: &str, topics: &Topics) -> u32 {
        let number = u32::try_from(self.all.len()).expect("channels are bounded below 2^32");
        let owned = |name: Option<&str>| name.map(Box::from);
        self.all.push(topics.resolve(topic).map(|route| Channel {
            route: ChannelRoute {
                kind: route.kind,
                site: owned(route.site),
                bay: owned(route.bay),
                tool: owned(route.tool),
            },
            slots: Slots::default(),
            shape: 0,
        }));
        self.topics.push(topic.into());
        self.numbers.insert(topic.into(), number);
        number
    }
}

/// Whether some pattern matches the topic, and neither it nor a name in it is too long to be kept.
fn has_room(topic: &str, topics: &Topics) -> bool {
    let is_short = |name: Option<&str>| name.is_none_or(|name| name.len() <= NAME_BYTES_MAX);
    topic.len() <= TOPIC_BYTES_MAX
        && topics
            .resolve(topic)
            .is_some_and(|route| is_short(route.site) && is_short(route.bay) && is_short(route.tool))
}

#[cold]
fn unknown(topic: &str) -> (Reason, String) {
    let shown: String = topic.chars().take(256).collect();
    if topic.len() > TOPIC_BYTES_MAX {
        let detail = format!("topic \"{shown}…\" has {} bytes, more than {TOPIC_BYTES_MAX}", topic.len());
        return (Reason::UnknownTopic, detail);
    }
    if topic.split('/').any(|level| level.len() > NAME_BYTES_MAX) {
        let detail = format!("topic \"{shown}…\" has a name of more than {NAME_BYTES_MAX} bytes");
        return (Reason::UnknownTopic, detail);
    }
    (Reason::UnknownTopic, format!("topic \"{shown}\" matches no pattern of [topics]"))
}
