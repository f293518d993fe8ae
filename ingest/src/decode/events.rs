//! Step events, bookings, job cards, assets.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::head::{self, Head, Place, Stamp};
use super::reject::Fault;
use super::scan::{Scan, Scanner, Token};
use super::work::Work;
use crate::readings::{Asset, Booking, Event, JobCard, Reason, StepEvent, StepEventKind, What};
use crate::topic::Kind;
use crate::units::{UnitError, Units};

/// The members of all kinds of events.
#[derive(Default)]
struct Fields<'a> {
    head: Head<'a>,
    job: Option<Token<'a>>,
    step: Option<Token<'a>>,
    technician: Option<Token<'a>>,
    event: Option<Token<'a>>,
    resource: Option<Token<'a>>,
    quantity: Option<Token<'a>>,
    unit: Option<Token<'a>>,
    lot: Option<Token<'a>>,
}

/// Takes the object that begins here, on a topic of `kind`.
pub(super) fn element<'a>(scanner: &mut Scanner<'a>, work: &mut Work<'a>, kind: Kind) -> Scan<()> {
    let mut fields = Fields::default();
    let raw = scanner.raw(|scanner| scanner.members(|scanner, name| fields.take(&name.get(), scanner)))?;
    match event(&fields, raw, work, kind) {
        Ok((stamp, site, what)) => {
            let index = work.next_index();
            work.out.events.push(Event {
                message: work.message.ordinal,
                index,
                arrived_ms: work.message.arrived_ms,
                ts_ms: stamp.ts_ms,
                boot: stamp.boot,
                seq: stamp.seq,
                hash: xxh3_64(raw.as_bytes()),
                site,
                what,
            });
        }
        Err(Fault { reason, detail }) => work.reject_element(raw, reason, detail),
    }
    Ok(())
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &str, scanner: &mut Scanner<'a>) -> Scan<()> {
        if self.head.take(name, scanner)? {
            return Ok(());
        }
        let value = Some(scanner.value()?);
        match name {
            "job" => self.job = value,
            "step" => self.step = value,
            "technician" => self.technician = value,
            "event" => self.event = value,
            "resource" => self.resource = value,
            "quantity" => self.quantity = value,
            "unit" => self.unit = value,
            "lot" => self.lot = value,
            _ => {}
        }
        Ok(())
    }

    fn step(&self, bay: &str) -> Result<StepEvent, Fault> {
        let technician = head::optional_name("technician", self.technician)?;
        let name = head::name("event", self.event)?;
        let event = serde_json::Value::from(&*name);
        let event = StepEventKind::deserialize(&event).map_err(|_| {
            Fault::bad_field(format!(
                "`event` \"{name}\" is none of assigned started paused resumed finished failed released qa_signed reworked"
            ))
        })?;
        Ok(StepEvent {
            bay: bay.into(),
            job: head::name("job", self.job)?.into(),
            step: head::name("step", self.step)?.into(),
            technician: technician.map(Into::into),
            event,
        })
    }

    fn booking(&self, bay: &str, units: &Units) -> Result<Booking, Fault> {
        let non_finite = |raw: &str| Fault {
            reason: Reason::NonFiniteValue,
            detail: format!("`quantity` is no finite number: {raw}"),
        };
        let quantity = match self.quantity {
            Some(Token::Number(number)) => Some(number.to_f64())
                .filter(|value| value.is_finite())
                .ok_or_else(|| non_finite(number.raw))?,
            Some(Token::NonFinite(word)) => return Err(non_finite(word)),
            None => return Err(Fault::bad_field("`quantity` is missing".to_owned())),
            Some(other) => {
                return Err(Fault::bad_field(format!("`quantity` is {} and no number", other.kind())));
            }
        };
        let unit = match head::optional_name("unit", self.unit)? {
            None => "".into(),
            Some(text) => code(&text, units)?.into(),
        };
        Ok(Booking {
            bay: bay.into(),
            resource: head::name("resource", self.resource)?.into(),
            quantity,
            unit,
            job: head::optional_name("job", self.job)?.map(Into::into),
            step: head::optional_name("step", self.step)?.map(Into::into),
            lot: head::optional_name("lot", self.lot)?.map(Into::into),
        })
    }
}

fn event<'a>(
    fields: &Fields<'a>,
    raw: &'a str,
    work: &mut Work<'a>,
    kind: Kind,
) -> Result<(Stamp, Box<str>, What), Fault> {
    let needs_ts = matches!(kind, Kind::Steps | Kind::Usage);
    let stamp = fields.head.stamp((!needs_ts).then_some(work.message.arrived_ms))?;
    let Place { site, bay, .. } = fields.head.place(work.route)?;
    if needs_ts {
        if bay.is_empty() {
            let detail = "`bay` is missing: neither the topic nor the payload names it";
            return Err(Fault::bad_field(detail.to_owned()));
        }
        work.names.bay(&site, &bay)?;
    }
    let units = &work.names.units;
    let what = match kind {
        Kind::Steps => What::Step(fields.step(&bay)?),
        Kind::Usage => What::Booking(fields.booking(&bay, units)?),
        Kind::Jobs => What::Job(card(raw, units)?),
        _ => What::Asset(asset(raw, &bay)?),
    };
    Ok((stamp, site.into(), what))
}

fn card(raw: &str, units: &Units) -> Result<JobCard, Fault> {
    let mut card: JobCard = document(raw)?;
    if card.job.is_empty() {
        return Err(Fault::bad_field("`job` is empty".to_owned()));
    }
    if let Some(contact) = &card.contact {
        contact.check().map_err(|why| Fault::bad_field(format!("`contact`: {why}")))?;
    }
    for step in &mut card.steps {
        if step.step.is_empty() {
            return Err(Fault::bad_field("`step` of a planned step is empty".to_owned()));
        }
        for resource in &mut step.resources {
            let unit = resource.unit.take().filter(|unit| !unit.is_empty());
            resource.unit = unit.map(|unit| code(&unit, units)).transpose()?;
        }
    }
    Ok(card)
}

fn asset(raw: &str, bay: &str) -> Result<Asset, Fault> {
    let mut asset: Asset = document(raw)?;
    if asset.asset.is_empty() {
        return Err(Fault::bad_field("`asset` is empty".to_owned()));
    }
    if !bay.is_empty() {
        asset.bay = Some(bay.to_owned());
    }
    Ok(asset)
}

/// By way of a [`serde_json::Value`], so that of equal names the last counts, as everywhere.
fn document<T: DeserializeOwned>(raw: &str) -> Result<T, Fault> {
    let value: serde_json::Value = serde_json::from_str(raw).map_err(|error| Fault {
        // The raw text is JSON up to NaN, Infinity and numbers beyond all floats.
        reason: Reason::NonFiniteValue,
        detail: format!("a number is not finite: {error}"),
    })?;
    T::deserialize(value).map_err(|error| Fault::bad_field(error.to_string()))
}

fn code(text: &str, units: &Units) -> Result<String, Fault> {
    units.resolve(text).map(str::to_owned).ok_or_else(|| Fault {
        reason: Reason::UnknownUnit,
        detail: UnitError::Unknown { text: text.to_owned() }.to_string(),
    })
}
