//! Telemetry: one metric, or several at once.

use super::head::Head;
use super::members::Member;
use super::reject::Fault;
use super::scan::{Scan, Scanner, Token};
use super::text::Text;
use super::work::Work;
use crate::readings::Reason;

/// The members of a telemetry element.
#[derive(Default)]
struct Fields<'a> {
    head: Head<'a>,
    metric: Option<Token<'a>>,
    value: Option<Token<'a>>,
    unit: Option<Token<'a>>,
    metrics: Metrics,
    units: Option<Token<'a>>,
}

#[derive(Default)]
enum Metrics {
    #[default]
    Absent,
    /// They stand in [`Work::members`].
    Read,
    /// What it is, since it is no object.
    Other(&'static str),
}

/// Takes the object that begins here.
#[inline]
pub(super) fn element<'a>(scanner: &mut Scanner<'a>, work: &mut Work<'a>) -> Scan<()> {
    let mut fields = Fields::default();
    let mut members = std::mem::take(&mut work.members);
    let raw = scanner.raw(|scanner| {
        scanner.members(|scanner, name| {
            if name.is_escaped {
                fields.take(&name.get(), scanner, &mut members)
            } else {
                fields.take(name.raw, scanner, &mut members)
            }
        })
    });
    work.members = members;
    let raw = raw?;
    let default_ms = None;
    let Fields { head, metric, value, unit, metrics, units } = fields;
    work.element(raw, &head, default_ms, |work, context| {
        match (metric, value) {
            (None | Some(Token::Null), None) => {
                if matches!(metrics, Metrics::Absent) {
                    let detail = "neither `metric` with `value` nor `metrics` is there".to_owned();
                    work.reject_element(raw, Reason::BadField, detail);
                }
            }
            (Some(Token::Text(name)), Some(value)) => {
                work.reading(context, &Member { name, value, raw }, unit)
            }
            (metric, value) => {
                let detail = match (metric, value) {
                    (None | Some(Token::Null), _) => "`value` is there and `metric` is missing".to_owned(),
                    (Some(Token::Text(name)), _) => format!("`value` of \"{}\" is missing", name.get()),
                    (Some(other), _) => format!("`metric` is {} and no text", other.kind()),
                };
                work.reject_element(raw, Reason::BadField, detail);
            }
        }
        match metrics {
            Metrics::Absent => {}
            Metrics::Read => work.readings(context, units),
            Metrics::Other(kind) => {
                let name = Text { raw: "metrics", is_escaped: false };
                work.next_index();
                let fault = Fault::bad_field(format!("`metrics` is {kind} and no object"));
                work.reject_reading(context, &Member { name, value: Token::Null, raw }, fault);
            }
        }
    });
    Ok(())
}

impl<'a> Fields<'a> {
    #[inline]
    fn take(&mut self, name: &str, scanner: &mut Scanner<'a>, members: &mut Vec<Member<'a>>) -> Scan<()> {
        match name {
            "metric" => self.metric = Some(scanner.value()?),
            "value" => self.value = Some(scanner.value()?),
            "unit" => self.unit = Some(scanner.value()?),
            "units" => self.units = Some(scanner.value()?),
            "metrics" => {
                members.clear();
                self.metrics = match scanner.peek() {
                    b'{' => {
                        scanner.members(|scanner, name| {
                            members.push(Member::take(name, scanner)?);
                            Ok(())
                        })?;
                        Metrics::Read
                    }
                    _ => match scanner.value()? {
                        Token::Null => Metrics::Absent,
                        other => Metrics::Other(other.kind()),
                    },
                };
            }
            _ => {
                if !self.head.take(name, scanner)? {
                    scanner.value()?;
                }
            }
        }
        Ok(())
    }
}
