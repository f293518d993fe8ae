//! The members that elements of all kinds share: time, counters, names that the topic does not carry.

use std::borrow::Cow;

use super::channel::ChannelRoute;
use super::reject::Fault;
use super::scan::{Scan, Scanner, Token};
use super::timestamp;
use crate::readings::NONE;

/// Longer names are refused: they are kept for good.
pub(super) const NAME_BYTES_MAX: usize = 255;

/// As they stand in the element; the last of equal names counts.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    ts: Option<Token<'a>>,
    seq: Option<Token<'a>>,
    boot: Option<Token<'a>>,
    pub(super) tags: Option<Token<'a>>,
    site: Option<Token<'a>>,
    bay: Option<Token<'a>>,
    tool: Option<Token<'a>>,
}

/// When, and as which of the device's messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    pub(super) ts_ms: i64,
    pub(super) boot: i64,
    pub(super) seq: i64,
}

/// Where. Empty for bay or tool where the element belongs to the site or the bay as a whole.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) site: Cow<'a, str>,
    pub(super) bay: Cow<'a, str>,
    pub(super) tool: Cow<'a, str>,
    /// Whether a name came in the payload.
    pub(super) is_of_payload: bool,
}

impl<'a> Head<'a> {
    /// Takes the value of a member if it is one of these.
    #[inline]
    pub(super) fn take(&mut self, name: &str, scanner: &mut Scanner<'a>) -> Scan<bool> {
        let field = match name {
            "ts" => &mut self.ts,
            "seq" => &mut self.seq,
            "boot" => &mut self.boot,
            "tags" => &mut self.tags,
            "site" => &mut self.site,
            "bay" => &mut self.bay,
            "tool" => &mut self.tool,
            _ => return Ok(false),
        };
        *field = Some(scanner.value()?);
        Ok(true)
    }

    pub(super) fn has_time(&self) -> bool {
        !matches!(self.ts, None | Some(Token::Null))
    }

    /// `default_ms` stands in for a missing `ts`.
    #[inline]
    pub(super) fn stamp(&self, default_ms: Option<i64>) -> Result<Stamp, Fault> {
        let ts_ms = match self.ts {
            None | Some(Token::Null) => {
                default_ms.ok_or_else(|| Fault::bad_field("`ts` is missing".to_owned()))?
            }
            Some(token) => {
                timestamp::read(token).map_err(|wrong| Fault::bad_field(format!("`ts` {wrong}")))?
            }
        };
        Ok(Stamp { ts_ms, boot: counter("boot", self.boot)?, seq: counter("seq", self.seq)? })
    }

    /// What the topic says wins over the payload.
    #[inline]
    pub(super) fn place(&self, route: &'a ChannelRoute) -> Result<Place<'a>, Fault> {
        let mut is_of_payload = false;
        let mut name = |captured: &'a Option<Box<str>>, field, token| match captured {
            Some(name) => Ok(Cow::Borrowed(&**name)),
            None => {
                let name = optional_name(field, token)?;
                is_of_payload |= name.is_some();
                Ok(name.unwrap_or_default())
            }
        };
        let site = name(&route.site, "site", self.site)?;
        let bay = name(&route.bay, "bay", self.bay)?;
        let tool = name(&route.tool, "tool", self.tool)?;
        if site.is_empty() {
            let detail = "`site` is missing: neither the topic nor the payload names it";
            return Err(Fault::bad_field(detail.to_owned()));
        }
        Ok(Place { site, bay, tool, is_of_payload })
    }
}

#[inline]
fn counter(field: &str, token: Option<Token<'_>>) -> Result<i64, Fault> {
    match token {
        None | Some(Token::Null) => Ok(NONE),
        Some(Token::Number(number)) => number.to_i64().filter(|count| *count != NONE).ok_or_else(|| {
            Fault::bad_field(format!("`{field}` {} is no whole number of 64 bits", number.raw))
        }),
        Some(other) => Err(Fault::bad_field(format!("`{field}` is {} and no whole number", other.kind()))),
    }
}

/// A name; `None` where the member is absent, null or empty.
pub(super) fn optional_name<'a>(
    field: &str,
    token: Option<Token<'a>>,
) -> Result<Option<Cow<'a, str>>, Fault> {
    let text = match token {
        None | Some(Token::Null) => return Ok(None),
        Some(Token::Text(text)) => text,
        Some(other) => return Err(Fault::bad_field(format!("`{field}` is {} and no text", other.kind()))),
    };
    let name = text.get();
    if name.len() > NAME_BYTES_MAX {
        return Err(Fault::bad_field(format!(
            "`{field}` has {} bytes, more than {NAME_BYTES_MAX}",
            name.len()
        )));
    }
    if text.is_escaped && name.contains(|character: char| character.is_control()) {
        return Err(Fault::bad_field(format!("`{field}` has a control character")));
    }
    Ok((!name.is_empty()).then_some(name))
}

/// A name that must be there.
pub(super) fn name<'a>(field: &str, token: Option<Token<'a>>) -> Result<Cow<'a, str>, Fault> {
    optional_name(field, token)?.ok_or_else(|| Fault::bad_field(format!("`{field}` is missing")))
}
