//! What the common telemetry message says, read along the shape of an earlier one: what stands between the values
//! is compared, and only the values are read.

use super::number::{self, plain_i64};
use super::plain::{flat, scalar, time, value};
use super::shape::{Field, Step};
use super::short::Name;
use super::words::Words;
use crate::readings::NONE;

/// What a common element says.
pub(super) struct Common<'a> {
    pub(super) ts_ms: Option<i64>,
    pub(super) seq: i64,
    pub(super) boot: i64,
    pub(super) metric: Option<Name<'a>>,
    pub(super) value: Option<f64>,
    pub(super) unit: Option<Name<'a>>,
    pub(super) tags: Option<&'a [u8]>,
    pub(super) has_metrics: bool,
    /// Behind its closing brace.
    pub(super) end: usize,
}

impl Common<'_> {
    pub(super) const EMPTY: Self = Common {
        ts_ms: None,
        seq: NONE,
        boot: NONE,
        metric: None,
        value: None,
        unit: None,
        tags: None,
        has_metrics: false,
        end: 0,
    };
}

/// Reads a message along the steps of another one; `is_complete` if its topic has all names.
#[inline(always)]
pub(super) fn compare<'b>(
    steps: &[Step],
    words: Words<'_>,
    bytes: &'b [u8],
    is_complete: bool,
    common: &mut Common<'b>,
) -> Option<()> {
    let mut at = 0;
    for step in steps {
        at = step.behind(words, at)?;
        match step.field {
            Field::Ts => match number::thirteen_digits(words.at(at), words.at(at + 8)) {
                Some(time_ms) => (common.ts_ms, at) = (Some(time_ms), at + 13),
                None => (common.ts_ms, at) = other_time(bytes, at)?,
            },
            Field::Seq => (common.seq, at) = whole(words, bytes, at)?,
            Field::Boot => (common.boot, at) = whole(words, bytes, at)?,
            Field::Value => {
                let (value, end) = match number::short_decimal(words.at(at)) {
                    Some((value, len)) => (value, at + len),
                    None => other_value(bytes, at)?,
                };
                (common.value, at) = (Some(value), end);
            }
            Field::Metric => {
                let (metric, end) = Name::read(words, bytes, at)?;
                (common.metric, at) = (Some(metric), end);
            }
            Field::Unit => {
                let (unit, end) = Name::read(words, bytes, at)?;
                (common.unit, at) = (Some(unit), end);
            }
            Field::Tags => {
                let end = other_object(bytes, at)?;
                (common.tags, at) = (Some(&bytes[at..end]), end);
            }
            Field::Place if !is_complete => return None,
            Field::Place | Field::Other => at = other_scalar(bytes, at)?,
        }
    }
    // Whatever was read from behind the payload ended there, too.
    common.end = bytes.len();
    (at + 1 == bytes.len() && bytes[at] == b'}').then_some(())
}

#[inline(always)]
fn whole(words: Words<'_>, bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    match number::short_whole(words.at(at)) {
        Some((whole, len)) => Some((whole, at + len)),
        None => other_whole(bytes, at),
    }
}

// What is less common, out of the way of what is.

#[inline(never)]
fn other_time(bytes: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    time(bytes, at)
}

#[inline(never)]
fn other_value(bytes: &[u8], at: usize) -> Option<(f64, usize)> {
    value(bytes, at)
}

#[inline(never)]
fn other_whole(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    plain_i64(bytes, at)
}

#[inline(never)]
fn other_scalar(bytes: &[u8], at: usize) -> Option<usize> {
    scalar(bytes, at)
}

#[inline(never)]
fn other_object(bytes: &[u8], at: usize) -> Option<usize> {
    flat(bytes, at)
}
