//! Messages to readings and events. Never fails: what cannot be used comes back as a reject.
//!
//! A message is either undecodable as a whole (no known topic, no JSON, too large) and leaves one reject,
//! or its good elements and readings are applied and each bad one leaves a reject of its own.
//!
//! JSON is read in place: topic, metric and unit are compared with what the same channel said before
//! ([`channel`]), so in the steady state no string is hashed or copied. What most devices send most of the
//! time takes the short way ([`fast`]); the exact way ([`scan`]) knows all the rules.

use crate::config::MetricSettings;
use crate::entry::MessageRef;
use crate::readings::{Decoded, Readings, Reason};
use crate::series::SeriesTable;
use crate::topic::{Kind, Topics};
use crate::units::{UnitError, Units};

use channel::{Channel, Channels};
use fast::{Fast, Measured};
use members::Member;
use names::Names;
use scan::{Scan, Scanner, Syntax};
use shape::{Seen, Shapes};
use tags::TagSets;
use words::Copied;
use work::Work;

mod ahead;
mod channel;
mod common;
mod events;
mod fast;
mod head;
mod json;
mod limits;
mod members;
mod names;
pub(crate) mod number;
mod plain;
mod reject;
pub(crate) mod scan;
mod shape;
mod short;
mod slots;
mod spellings;
mod state;
mod status;
mod tags;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod timestamp;
mod topic_table;
mod unlike;
mod words;
mod work;

pub use ahead::{Ahead, AheadDecoder, Group, GroupMessage, Part, TOGETHER};
pub use limits::DecodeLimits;
pub use reject::REJECT_BYTES_MAX;
pub use state::{DecoderState, RestoreError};

/// Reads messages, in the order of the journal. Numbers that it gives out (series, channels, units) are a
/// pure function of the messages before.
#[derive(Debug)]
pub struct Decoder {
    topics: Topics,
    limits: DecodeLimits,
    channels: Channels,
    names: Names,
    tags: TagSets,
    /// Empty between messages; kept for its memory.
    members: Vec<Member<'static>>,
    measured: Vec<Measured>,
    seen: Vec<Seen>,
    shapes: Shapes,
    copied: Copied,
    /// Messages that took the short way.
    #[cfg(test)]
    short_ways: u64,
}

impl Decoder {
    /// # Errors
    /// A metric's unit is unknown.
    pub fn new(
        topics: Topics,
        metrics: &[MetricSettings],
        units: Units,
        limits: DecodeLimits,
    ) -> Result<Self, UnitError> {
        Ok(Decoder {
            channels: Channels::new(limits.channels_max),
            names: Names::new(metrics, units, limits)?,
            tags: TagSets::default(),
            members: Vec::new(),
            measured: Vec::new(),
            seen: Vec::new(),
            shapes: Shapes::default(),
            copied: Copied::default(),
            #[cfg(test)]
            short_ways: 0,
            topics,
            limits,
        })
    }

    /// All series seen.
    #[must_use]
    pub fn series(&self) -> &SeriesTable {
        &self.names.series
    }

    /// All units seen.
    #[must_use]
    pub fn units(&self) -> &Units {
        &self.names.units
    }

    /// What topics mean.
    #[must_use]
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The topics of all channels seen, by number.
    pub fn channels(&self) -> impl ExactSizeIterator<Item = &str> {
        self.channels.topics()
    }

    /// Says that topic indexes of messages count from 0 again.
    pub fn begin_intake(&mut self) {
        self.channels.begin_intake();
    }

    /// How many numbers it has given out.
    fn numbers_given(&self) -> usize {
        let Names { series, units, .. } = &self.names;
        series.all().len() + series.bays().len() + units.codes().len() + self.channels.topics().len()
    }

    /// Looks up the messages' topics and touches what is kept of them, so that it is near when they are decoded one by
    /// one. Changes no result.
    pub fn fetch(&mut self, messages: &[MessageRef<'_>]) {
        self.channels.fetch(messages);
    }

    /// The topic of a channel seen.
    #[must_use]
    pub fn topic(&self, channel: u32) -> &str {
        self.channels.topic(channel)
    }

    /// The number of a tag set in those of `readings`, where it is put if it is new.
    pub fn number_of_tags(&mut self, tag_set: &str, readings: &mut Readings) -> u32 {
        self.tags.number_of(tag_set, readings)
    }

    /// Reads one message. Readings and elements are added to those in `out`; everything else there is replaced.
    pub fn decode(&mut self, message: MessageRef<'_>, out: &mut Decoded) {
        out.events.clear();
        out.rejects.clear();
        out.ignored_output = false;
        out.channel = Decoded::NO_CHANNEL;
        out.kind = None;
        let Decoder {
            topics, limits, channels, names, tags, members, measured, seen, shapes, copied, ..
        } = self;
        let (number, channel) = match channels.find(&message, topics) {
            Ok(found) => found,
            Err((reason, detail)) => return out.rejects.push(reject::message(&message, reason, detail)),
        };
        out.channel = number;
        let Channel { slots, shape, kind, has_site, is_complete, route } = channel;
        let (kind, has_site, is_complete) = (*kind, *has_site, *is_complete);
        out.kind = Some(kind);
        if kind == Kind::Output {
            out.ignored_output = true;
            return;
        }
        let is_object =
            message.payload.first() == Some(&b'{') && message.payload.len() <= limits.message_bytes_max;
        if kind == Kind::Telemetry && has_site && is_object {
            let mut fast = Fast {
                message: &message,
                is_complete,
                slots,
                spellings: &names.spellings,
                tags,
                out,
                measured,
                copied,
                shapes,
                shape,
                seen,
            };
            if fast.element(message.payload).is_some() {
                #[cfg(test)]
                (self.short_ways += 1);
                return;
            }
        }
        let text = match checked(&message, *limits) {
            Ok(text) => text,
            Err((reason, detail)) => return out.rejects.push(reject::message(&message, reason, detail)),
        };
        let before = (out.readings.len(), out.readings.texts.len(), out.elements.len());
        let mut scanner = Scanner::new(text);
        let mut work = Work::new(message, route, slots, names, tags, out, std::mem::take(members));
        let scanned = payload(&mut scanner, &mut work, kind);
        *members = work.recycled_members();
        let undecodable = match scanned {
            Ok(None) => return,
            Ok(Some(shape)) => (Reason::WrongShape, shape.to_owned()),
            Err(Syntax { at, expected }) => (Reason::NotJson, reject::not_json(text, at, expected)),
        };
        // Nothing of a message that is undecodable as a whole is applied.
        out.readings.truncate(before.0);
        out.readings.texts.truncate(before.1);
        out.elements.truncate(before.2);
        out.events.clear();
        out.rejects.clear();
        out.rejects.push(reject::message(&message, undecodable.0, undecodable.1));
    }
}

fn checked<'a>(message: &MessageRef<'a>, limits: DecodeLimits) -> Result<&'a str, (Reason, String)> {
    let len = message.payload.len();
    if len > limits.message_bytes_max {
        let bound = limits.message_bytes_max;
        return Err((
            Reason::TooLarge,
            format!("the payload is larger than `message_bytes_max`, {bound} bytes"),
        ));
    }
    std::str::from_utf8(message.payload)
        .map_err(|error| (Reason::NotJson, format!("byte {} is not UTF-8", error.valid_up_to())))
}

/// Takes all elements of a payload. Says what is wrong with the shape of one that is JSON, yet no object
/// and no array of objects.
fn payload<'a>(scanner: &mut Scanner<'a>, work: &mut Work<'a>, kind: Kind) -> Scan<Option<&'static str>> {
    let mut shape = None;
    match scanner.peek() {
        b'{' => element(scanner, work, kind)?,
        b'[' => {
            let (mut objects, mut others) = (0, 0);
            scanner.elements(|scanner| {
                if scanner.peek() == b'{' {
                    objects += 1;
                    return element(scanner, work, kind);
                }
                others += 1;
                let at = scanner.at;
                let found = scanner.value()?.kind();
                let detail = format!("the element at byte {at} is {found} and no object");
                work.reject_element(&scanner.text[at..scanner.at], Reason::BadField, detail);
                Ok(())
            })?;
            if objects == 0 && others > 0 {
                shape = Some("the payload is an array without any object");
            }
        }
        _ => {
            scanner.value()?;
            shape = Some("the payload is neither an object nor an array of objects");
        }
    }
    scanner.end()?;
    Ok(shape)
}

/// Takes the object that begins here.
#[inline]
fn element<'a>(scanner: &mut Scanner<'a>, work: &mut Work<'a>, kind: Kind) -> Scan<()> {
    match kind {
        Kind::Telemetry => json::element(scanner, work),
        Kind::Status => status::element(scanner, work),
        kind => events::element(scanner, work, kind),
    }
}
