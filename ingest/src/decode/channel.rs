//! Channels: distinct topics, each with what its messages said before.

use super::head::NAME_BYTES_MAX;
use super::reject::TOPIC_BYTES_MAX;
use super::slots::Slots;
use super::topic_table::TopicTable;
use crate::entry::MessageRef;
use crate::readings::Reason;
use crate::topic::{Kind, Topics};

/// A topic, resolved once: what each message touches, on one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Channel {
    pub(super) slots: Slots,
    /// Number of the shape of its last message.
    pub(super) shape: u32,
    pub(super) kind: Kind,
    /// Its topic names the site.
    pub(super) has_site: bool,
    /// Its topic names site, bay and tool.
    pub(super) is_complete: bool,
    pub(super) route: Box<ChannelRoute>,
}

const _: () = assert!(size_of::<Option<Channel>>() == 64);

/// What a channel's topic says.
#[derive(Debug)]
pub(super) struct ChannelRoute {
    pub(super) site: Option<Box<str>>,
    pub(super) bay: Option<Box<str>>,
    pub(super) tool: Option<Box<str>>,
}

/// All channels, numbered by first sight.
#[derive(Debug)]
pub(super) struct Channels {
    all: Vec<Option<Channel>>,
    /// Topics of all channels: also of those that today's patterns do not match.
    topics: TopicTable,
    /// Channel of each topic index of the current intake.
    of_index: Vec<Indexed>,
    channels_max: usize,
}

/// What a topic index of the current intake means: the place of the topic's text in memory is compared as well, so
/// that an index that stands for two topics does not move readings.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    text: usize,
    bytes: u32,
    number: u32,
}

impl Indexed {
    const NOT_YET: Indexed = Indexed { text: 0, bytes: 0, number: u32::MAX };

    #[inline(always)]
    fn is(self, topic: &str) -> bool {
        self.text == topic.as_ptr().addr() && self.bytes as usize == topic.len()
    }
}

/// Topic indexes beyond this are looked up each time; an intake has few topics.
const INDEXES_MAX: usize = 1 << 20;

impl Channels {
    pub(super) fn new(channels_max: usize) -> Self {
        Channels {
            all: Vec::new(),
            topics: TopicTable::default(),
            of_index: Vec::new(),
            channels_max: channels_max.min(u32::MAX as usize),
        }
    }

    pub(super) fn topics(&self) -> impl ExactSizeIterator<Item = &str> {
        self.topics.all()
    }

    pub(super) fn topic(&self, number: u32) -> &str {
        self.topics.get(number as usize)
    }

    pub(super) fn number_of(&self, topic: &str) -> Option<u32> {
        self.topics.find(topic)
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
            if self.topics.find(topic).is_some() {
                return Err(topic.to_string());
            }
            self.add(topic, topics);
        }
        Ok(())
    }

    /// Looks up and touches the channels of the messages, as far as there are any yet.
    pub(super) fn fetch(&mut self, messages: &[MessageRef<'_>]) {
        for message in messages {
            if self.cached(message).is_none()
                && let Some(number) = self.topics.find(message.topic)
            {
                self.index(message, number);
            }
        }
        let mut touched = 0;
        for message in messages {
            let channel = self.cached(message).and_then(|number| self.all[number as usize].as_ref());
            touched ^= channel.map_or(0, |channel| channel.slots.first_series());
        }
        std::hint::black_box(touched);
    }

    /// What the message's topic index means, if it was looked up in this intake.
    #[inline(always)]
    fn cached(&self, message: &MessageRef<'_>) -> Option<u32> {
        let indexed = self.of_index.get(message.topic_index as usize)?;
        indexed.is(message.topic).then_some(indexed.number)
    }

    fn index(&mut self, message: &MessageRef<'_>, number: u32) {
        let index = message.topic_index as usize;
        if index < INDEXES_MAX {
            if self.of_index.len() <= index {
                self.of_index.resize(index + 1, Indexed::NOT_YET);
            }
            let bytes = u32::try_from(message.topic.len()).expect("known topics are short");
            self.of_index[index] = Indexed { text: message.topic.as_ptr().addr(), bytes, number };
        }
    }

    /// The channel of a message; a new one for a new topic.
    #[inline]
    pub(super) fn find(
        &mut self,
        message: &MessageRef<'_>,
        topics: &Topics,
    ) -> Result<(u32, &mut Channel), (Reason, String)> {
        let number = match self.cached(message) {
            Some(number) => number,
            None => self.look_up(message, topics)?,
        };
        debug_assert_eq!(self.topics.get(number as usize), message.topic, "the intake has begun");
        let channel = self.all[number as usize].as_mut();
        channel.map(|channel| (number, channel)).ok_or_else(|| unknown(message.topic))
    }

    #[cold]
    fn look_up(&mut self, message: &MessageRef<'_>, topics: &Topics) -> Result<u32, (Reason, String)> {
        let number = match self.topics.find(message.topic) {
            Some(number) => number,
            None if !has_room(message.topic, topics) => return Err(unknown(message.topic)),
            None if self.all.len() >= self.channels_max => {
                let detail = format!("there are already {} topics", self.channels_max);
                return Err((Reason::TooManySeries, detail));
            }
            None => self.add(message.topic, topics),
        };
        self.index(message, number);
        Ok(number)
    }

    /// The next channel, whether or not the patterns match its topic.
    pub(super) fn add(&mut self, topic: &str, topics: &Topics) -> u32 {
        let owned = |name: Option<&str>| name.map(Box::from);
        self.all.push(topics.resolve(topic).map(|route| Channel {
            slots: Slots::default(),
            shape: 0,
            kind: route.kind,
            has_site: route.site.is_some(),
            is_complete: route.site.is_some() && route.bay.is_some() && route.tool.is_some(),
            route: Box::new(ChannelRoute {
                site: owned(route.site),
                bay: owned(route.bay),
                tool: owned(route.tool),
            }),
        }));
        self.topics.add(topic)
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
