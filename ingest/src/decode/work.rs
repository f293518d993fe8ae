//! One message being read: what it may use, and how a reading gets into the columns.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use super::channel::ChannelRoute;
use super::head::{self, Head, Place, Stamp};
use super::members::{Member, UnitsOf, keep_last};
use super::names::Names;
use super::reject::{self, Fault};
use super::scan::Token;
use super::short::Name;
use super::slots::{Slot, Slots};
use super::spellings::UnitUse;
use super::tags::TagSets;
use super::text::Text;
use crate::entry::MessageRef;
use crate::readings::{Decoded, Element, NONE, Reason, Reject};
use crate::series::Series;
use crate::units::Conversion;

/// Rejected readings of one message carry their whole element up to so many bytes together; further ones
/// carry only their own member, so that a message cannot make many times its size.
const ELEMENT_COPIES_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) message: MessageRef<'a>,
    pub(super) route: &'a ChannelRoute,
    slots: &'a mut Slots,
    pub(super) names: &'a mut Names,
    tags: &'a mut TagSets,
    pub(super) out: &'a mut Decoded,
    pub(super) members: Vec<Member<'a>>,
    /// Place in the message of the next reading or event.
    index: u32,
    copied_bytes: usize,
}

/// What the readings of an element share.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) raw: &'a str,
    stamp: Stamp,
    place: Place<'a>,
    tags: u32,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        message: MessageRef<'a>,
        route: &'a ChannelRoute,
        slots: &'a mut Slots,
        names: &'a mut Names,
        tags: &'a mut TagSets,
        out: &'a mut Decoded,
        members: Vec<Member<'static>>,
    ) -> Self {
        Work { message, route, slots, names, tags, out, members, index: 0, copied_bytes: 0 }
    }

    /// The memory of `members`, for the next message.
    pub(super) fn recycled_members(self) -> Vec<Member<'static>> {
        let mut members = self.members;
        members.clear();
        members.into_iter().map(|_| unreachable!("it was cleared")).collect()
    }

    pub(super) fn next_index(&mut self) -> u32 {
        self.index += 1;
        self.index - 1
    }

    /// Notes an element that cannot be used at all.
    #[cold]
    pub(super) fn reject_element(&mut self, raw: &str, reason: Reason, detail: String) {
        self.next_index();
        self.out.rejects.push(reject::part(&self.message, raw.as_bytes(), reason, detail));
    }

    /// Adds an element's readings, which `each` hands in one by one.
    #[inline]
    pub(super) fn element(
        &mut self,
        raw: &'a str,
        head: &Head<'a>,
        default_ms: Option<i64>,
        each: impl FnOnce(&mut Self, &Context<'a>),
    ) {
        let first = self.out.readings.len();
        let stamp = match self.context(raw, head, default_ms) {
            Ok(context) => {
                each(self, &context);
                context.stamp
            }
            Err(Fault { reason, detail }) => {
                self.reject_element(raw, reason, detail);
                head.stamp(Some(self.message.arrived_ms)).unwrap_or(Stamp {
                    ts_ms: self.message.arrived_ms,
                    boot: NONE,
                    seq: NONE,
                })
            }
        };
        let readings = first..self.out.readings.len();
        let Stamp { ts_ms, boot, seq } = stamp;
        // `raw` is a part of the payload, so its distance from the beginning is its place there.
        let start = raw.as_ptr().addr() - self.message.payload.as_ptr().addr();
        self.out.elements.push(Element {
            readings,
            ts_ms,
            boot,
            seq,
            hash: xxh3_64(raw.as_bytes()),
            raw: start..start + raw.len(),
            has_time: head.has_time(),
        });
    }

    #[inline]
    fn context(
        &mut self,
        raw: &'a str,
        head: &Head<'a>,
        default_ms: Option<i64>,
    ) -> Result<Context<'a>, Fault> {
        let stamp = head.stamp(default_ms)?;
        let place = head.place(self.route)?;
        let tags = self.tags.number(head.tags, &mut self.out.readings)?;
        Ok(Context { raw, stamp, place, tags })
    }

    /// Adds one reading, or its reject.
    #[inline]
    pub(super) fn reading(&mut self, context: &Context<'a>, member: &Member<'a>, unit: Option<Token<'a>>) {
        let index = self.next_index();
        if let Err(fault) = self.try_reading(context, index, member, unit) {
            self.reject_reading(context, member, fault);
        }
    }

    /// Adds the readings in `members`; `units` has their units by name.
    pub(super) fn readings(&mut self, context: &Context<'a>, units: Option<Token<'a>>) {
        let mut members = std::mem::take(&mut self.members);
        keep_last(&mut members);
        match UnitsOf::new(units) {
            Ok(units) => {
                for (place, member) in members.iter().enumerate() {
                    self.reading(context, member, units.find(place, member.name));
                }
            }
            Err(detail) => self.reject_element(context.raw, Reason::BadField, detail),
        }
        members.clear();
        self.members = members;
    }

    #[cold]
    pub(super) fn reject_reading(&mut self, context: &Context<'a>, member: &Member<'a>, fault: Fault) {
        let is_copied = self.copied_bytes + context.raw.len() <= ELEMENT_COPIES_BYTES_MAX;
        let raw = if is_copied { context.raw } else { member.raw };
        self.copied_bytes += if is_copied { raw.len() } else { 0 };
        let reject = reject::part(&self.message, raw.as_bytes(), fault.reason, fault.detail);
        self.out.rejects.push(Reject { metric: Some(member.name.get().into()), ..reject });
    }

    #[inline]
    fn try_reading(
        &mut self,
        context: &Context<'a>,
        index: u32,
        member: &Member<'a>,
        unit: Option<Token<'a>>,
    ) -> Result<(), Fault> {
        let name = member.name;
        let (number, text, shown) = match member.value {
            Token::Number(number) => (number.to_f64(), None, number.raw),
            Token::Bool(is_so) => (f64::from(u8::from(is_so)), None, ""),
            Token::Text(text) => (f64::NAN, Some(text), ""),
            Token::NonFinite(word) => return Err(non_finite(name, word)),
            other => return Err(bad_value(name, other)),
        };
        let place = self.slot(context, name)?;
        let UnitUse { number: unit, conversion } = self.unit(place, name, unit)?;
        let value = match (text, conversion) {
            (Some(_), _) => f64::NAN,
            (None, Conversion::Same) => number,
            (None, conversion) => conversion.apply(number),
        };
        if text.is_none() && !value.is_finite() {
            return Err(non_finite(name, shown));
        }
        let series = self.slots.get(place).series;
        let columns = &mut self.out.readings;
        columns.message.push(self.message.ordinal);
        columns.index.push(index);
        columns.ts_ms.push(context.stamp.ts_ms);
        columns.arrived_ms.push(self.message.arrived_ms);
        columns.series.push(series);
        columns.boot.push(context.stamp.boot);
        columns.seq.push(context.stamp.seq);
        columns.value.push(value);
        let text = text.map_or(0, |text| {
            columns.texts.push(text.get().into());
            u32::try_from(columns.texts.len()).expect("there are fewer texts than bytes read")
        });
        columns.text.push(text);
        columns.unit.push(unit);
        columns.tags.push(context.tags);
        Ok(())
    }

    #[inline]
    fn slot(&mut self, context: &Context<'a>, name: Text<'a>) -> Result<usize, Fault> {
        let metric = name.get();
        let key = if context.place.is_of_payload {
            let Place { site, bay, tool, .. } = &context.place;
            Cow::Owned(format!("\0{site}\0{bay}\0{tool}\0{metric}"))
        } else {
            metric
        };
        match self.slots.find(Name::new(key.as_bytes()), &self.names.spellings) {
            Some(place) => Ok(place),
            None => self.new_slot(context, name, &key),
        }
    }

    #[cold]
    fn new_slot(&mut self, context: &Context<'a>, name: Text<'a>, key: &str) -> Result<usize, Fault> {
        let metric = head::name("metric", Some(Token::Text(name)))?;
        let series = self.names.series(Series {
            site: (&*context.place.site).into(),
            bay: (&*context.place.bay).into(),
            tool: (&*context.place.tool).into(),
            metric: (&*metric).into(),
        })?;
        let slot = Slot::new(series, self.names.default_unit(&metric));
        Ok(self.slots.add(key, slot, &mut self.names.spellings))
    }

    #[inline]
    fn unit(&mut self, place: usize, metric: Text<'a>, unit: Option<Token<'a>>) -> Result<UnitUse, Fault> {
        let slot = self.slots.get_mut(place);
        match unit {
            None | Some(Token::Null) => Ok(slot.own_unit()),
            Some(Token::Text(text)) if text.raw.is_empty() => Ok(slot.own_unit()),
            Some(Token::Text(text)) => {
                let known = slot.known_unit(Name::new(text.raw.as_bytes()), &self.names.spellings);
                let known = known.filter(|_| !text.is_escaped);
                if let Some(unit) = known {
                    return Ok(unit);
                }
                let unit = self.names.unit(&metric.get(), slot.default_unit, &text.get())?;
                if !text.is_escaped {
                    slot.learn_unit(text.raw, unit, &mut self.names.spellings);
                }
                Ok(unit)
            }
            Some(other) => Err(Fault::bad_field(format!(
                "the unit of \"{}\" is {} and no text",
                metric.get(),
                other.kind()
            ))),
        }
    }
}

#[cold]
fn non_finite(name: Text<'_>, value: &str) -> Fault {
    let shown: String = value.chars().take(64).collect();
    let detail = format!("\"{}\" is no finite number: {shown}", name.get());
    Fault { reason: Reason::NonFiniteValue, detail }
}

#[cold]
fn bad_value(name: Text<'_>, value: Token<'_>) -> Fault {
    Fault::bad_field(format!(
        "the value of \"{}\" is {} and no number, boolean or text",
        name.get(),
        value.kind()
    ))
}
