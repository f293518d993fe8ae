//! `functions.toml` to settings.

mod billing;
mod notification;
mod section;

use std::collections::BTreeMap;

use ingest::readings::Contact;
use toml::de::DeTable;

use self::section::{Section, by_site};
use super::super::document::Reader;
use super::super::mistake::{Fault, Mistake, SourceFile, nearest};
use super::super::service::TYPED;
use super::super::values::Values;
use super::table::FUNCTIONS;
use super::{AssignmentSettings, FunctionSettings, QaSettings, Technician, routing};

/// Reads the file.
pub(in crate::config) fn read(
    file: &SourceFile,
    table: &DeTable<'_>,
) -> (Vec<FunctionSettings>, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let values = reader.read(table, FUNCTIONS, &(0..0), "");
    let settings = FunctionSettings {
        assignment: assignment(&values, &mut reader),
        qa: by_site("qa", &values, &mut reader, qa),
        billing: by_site("billing", &values, &mut reader, billing::over),
        notification: by_site("notification", &values, &mut reader, notification::over),
        contacts: contacts(&values, &mut reader),
        routing: routing::read(&values, &mut reader),
    };
    (vec![settings], reader.mistakes)
}

fn assignment(values: &Values, reader: &mut Reader<'_>) -> AssignmentSettings {
    let bays: BTreeMap<String, Vec<String>> = values
        .tables("assignment.sites")
        .iter()
        .map(|(site, values)| (site.clone(), values.texts("bays").unwrap_or_default().to_vec()))
        .collect();
    let mut technicians = BTreeMap::new();
    for (name, values) in values.tables("assignment.technicians") {
        let site = values.text("site").unwrap_or_default().to_owned();
        if !site.is_empty() && !bays.contains_key(&site) {
            let message =
                format!("`assignment.technicians.{name}.site` is `{site}`, of which no bays are named");
            let remedy = match nearest(&site, bays.keys().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("add `[assignment.sites.{site}]` with its bays"),
            };
            reader.fault(&values.span("site").unwrap_or_default(), Fault::new(message, remedy));
        }
        let skills = values.texts("skills").unwrap_or_default().to_vec();
        technicians.insert(name.clone(), Technician { site, skills });
    }
    let steps_per_technician = values.whole("assignment.steps_per_technician").expect(TYPED);
    AssignmentSettings { steps_per_technician, bays, technicians }
}

/// What a section `qa` says over what holds without it.
fn qa(base: &QaSettings, section: &Section<'_>, _: &mut Reader<'_>) -> QaSettings {
    QaSettings {
        classes: section.texts("classes").unwrap_or_else(|| base.classes.clone()),
        inspectors: section.texts("inspectors").unwrap_or_else(|| base.inspectors.clone()),
        four_eyes: section.flag("four_eyes").unwrap_or(base.four_eyes),
    }
}

fn contacts(values: &Values, reader: &mut Reader<'_>) -> BTreeMap<String, Contact> {
    let mut contacts = BTreeMap::new();
    for (name, values) in values.tables("notification.contacts") {
        let text = |key: &str| values.text(key).unwrap_or_default().to_owned();
        let contact = Contact { channel: text("channel"), address: text("address") };
        let is_set = values.text("channel").is_some() && values.text("address").is_some();
        if is_set && let Err(why) = contact.check() {
            let message = format!("`notification.contacts.{name}`: {why}");
            let remedy = "write for example `channel = \"mail\"` and `address = \"fleet@example.com\"`";
            reader.fault(&values.span("address").unwrap_or_default(), Fault::new(message, remedy));
        }
        contacts.insert(name.clone(), contact);
    }
    contacts
}
