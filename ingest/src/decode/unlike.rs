//! The common telemetry message, read member by member: the first of its shape, and those that no shape is kept
//! of.

use super::common::Common;
use super::fast::{Fast, Measured};
use super::number::plain_i64;
use super::plain::{flat, key, name_at, plain, scalar, skip, time, value};
use super::shape::{Field, Seen};
use super::short::Name;
use super::text;

const TS: u64 = key("ts");
const SEQ: u64 = key("seq");
const BOOT: u64 = key("boot");
const METRIC: u64 = key("metric");
const METRICS: u64 = key("metrics");
const VALUE: u64 = key("value");
const UNIT: u64 = key("unit");
const UNITS: u64 = key("units");
const TAGS: u64 = key("tags");
const SITE: u64 = key("site");
const BAY: u64 = key("bay");
const TOOL: u64 = key("tool");

impl Fast<'_, '_> {
    /// Reads the element that `bytes` begin with, and notes what stands in front of its values in `seen`.
    pub(super) fn read<'b>(&mut self, bytes: &'b [u8]) -> Option<Common<'b>> {
        let mut common = Common::EMPTY;
        let mut start = 0;
        let mut at = skip(bytes, 1);
        loop {
            if bytes.get(at) != Some(&b'"') {
                return None;
            }
            let name = at + 1;
            let (found, end) = name_at(bytes, name)?;
            at = skip(bytes, end + 1);
            if bytes.get(at) != Some(&b':') {
                return None;
            }
            at = skip(bytes, at + 1);
            self.seen.push(Seen { start, end: at, field: field(found) });
            match found {
                TS => (common.ts_ms, at) = time(bytes, at)?,
                SEQ => (common.seq, at) = plain_i64(bytes, at)?,
                BOOT => (common.boot, at) = plain_i64(bytes, at)?,
                VALUE => {
                    let (value, end) = value(bytes, at)?;
                    (common.value, at) = (Some(value), end);
                }
                METRIC => {
                    let (metric, end) = plain(bytes, at)?;
                    (common.metric, at) = (Some(Name::new(metric)), end);
                }
                UNIT => {
                    let (unit, end) = plain(bytes, at)?;
                    (common.unit, at) = (Some(Name::new(unit)), end);
                }
                TAGS => {
                    let end = flat(bytes, at)?;
                    (common.tags, at) = (Some(&bytes[at..end]), end);
                }
                METRICS => {
                    at = self.metrics(bytes, at)?;
                    common.has_metrics = true;
                }
                UNITS => return None,
                SITE | BAY | TOOL if !self.is_complete => return None,
                _ => at = scalar(bytes, at)?,
            }
            start = at;
            at = skip(bytes, at);
            match bytes.get(at)? {
                b',' => at = skip(bytes, at + 1),
                b'}' => {
                    common.end = at + 1;
                    return Some(common);
                }
                _ => return None,
            }
        }
    }

    /// Reads an object of numbers into `measured`.
    fn metrics(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        self.measured.clear();
        if bytes.get(at) != Some(&b'{') {
            return None;
        }
        let mut at = skip(bytes, at + 1);
        loop {
            if bytes.get(at) != Some(&b'"') {
                return None;
            }
            let start = at + 1;
            let end = text::plain_end(bytes, start)?;
            at = skip(bytes, end + 1);
            if bytes.get(at) != Some(&b':') {
                return None;
            }
            let (value, behind) = value(bytes, skip(bytes, at + 1))?;
            self.measured.push(Measured {
                start: u32::try_from(start).ok()?,
                end: u32::try_from(end).ok()?,
                value,
            });
            at = skip(bytes, behind);
            match bytes.get(at)? {
                b',' => at = skip(bytes, at + 1),
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }
}

fn field(name: u64) -> Field {
    match name {
        TS => Field::Ts,
        SEQ => Field::Seq,
        BOOT => Field::Boot,
        VALUE => Field::Value,
        METRIC => Field::Metric,
        UNIT => Field::Unit,
        TAGS => Field::Tags,
        SITE | BAY | TOOL => Field::Place,
        _ => Field::Other,
    }
}
