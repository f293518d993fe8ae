//! `calendar.toml`: zones and shifts of sites.

use jiff::tz::TimeZone;
use toml::de::DeTable;

use super::document::Reader;
use super::kind::Kind;
use super::mistake::{Fault, Mistake, SourceFile, nearest};
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, key};
use super::values::Values;
use crate::calendar::{self, Calendars, Shift, SiteCalendar};

const SHIFTS: &str = "[\"06:00-14:00\", \"14:00-22:00\", \"22:00-06:00\"]";

/// `[sites.NAME]`.
static SITE: &[Setting] =
    &[key("zone", Kind::Text, Absent("\"Europe/Paris\"")), key("shifts", Kind::Texts, Absent(SHIFTS))];

/// The file.
static CALENDAR: &[Setting] = &[
    key("default.zone", Kind::Text, Is("\"UTC\"")),
    key("default.shifts", Kind::Texts, Is(SHIFTS)),
    key("sites", Kind::Tables(SITE), Absent("{ lyon = { zone = \"Europe/Paris\" } }")),
];

/// Reads the file.
pub(super) fn read(file: &SourceFile, table: &DeTable<'_>) -> (Calendars, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let values = reader.read(table, CALENDAR, &(0..0), "");
    let shipped = Calendars::default().others;
    let others = SiteCalendar {
        zone: zone(&values, "default.zone", "", &mut reader).unwrap_or(shipped.zone),
        shifts: shifts(&values, "default.shifts", "", &mut reader).unwrap_or(shipped.shifts),
    };
    let mut sites = std::collections::BTreeMap::new();
    for (name, of_site) in values.tables("sites") {
        let prefix = format!("sites.{name}.");
        let calendar = SiteCalendar {
            zone: zone(of_site, "zone", &prefix, &mut reader).unwrap_or_else(|| others.zone.clone()),
            shifts: shifts(of_site, "shifts", &prefix, &mut reader).unwrap_or_else(|| others.shifts.clone()),
        };
        sites.insert(name.clone(), calendar);
    }
    (Calendars { others, sites }, reader.mistakes)
}

fn zone(values: &Values, path: &str, prefix: &str, reader: &mut Reader<'_>) -> Option<TimeZone> {
    let name = values.text(path)?;
    let found = calendar::zone(name);
    if found.is_none() {
        let names = calendar::zone_names();
        let remedy = match nearest(name, names.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write a name of the IANA time zone database, such as \"Europe/Paris\"".to_owned(),
        };
        let message = format!("`{prefix}{path}` is no time zone: `{name}`");
        reader.fault(&values.span(path).unwrap_or_default(), Fault::new(message, remedy));
    }
    found
}

fn shifts(values: &Values, path: &str, prefix: &str, reader: &mut Reader<'_>) -> Option<Vec<Shift>> {
    let texts = values.texts(path)?;
    let mut shifts: Vec<(&str, Shift)> = Vec::new();
    let mut fault = |message: String, remedy: &str| {
        reader.fault(&values.span(path).unwrap_or_default(), Fault::new(message, remedy));
    };
    if texts.is_empty() {
        fault(format!("`{prefix}{path}` is empty"), "write at least one, such as \"08:00-17:00\"");
    }
    for text in texts {
        match text.parse::<Shift>() {
            Err(error) => fault(
                format!("{error} of `{prefix}{path}`"),
                "write two times of the day, such as \"06:00-14:00\" or \"22:00-06:00\"",
            ),
            Ok(shift) => {
                if let Some((other, _)) = shifts.iter().find(|(_, other)| other.overlaps(shift)) {
                    let message = format!("`{text}` of `{prefix}{path}` overlaps `{other}`");
                    fault(message, "let each begin when the one before it has ended");
                }
                shifts.push((text, shift));
            }
        }
    }
    Some(shifts.into_iter().map(|(_, shift)| shift).collect())
}
