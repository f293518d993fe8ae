//! `functions.toml` to settings.

use std::collections::BTreeMap;

use ingest::readings::Contact;
use toml::de::DeTable;

use super::super::document::Reader;
use super::super::mistake::{Fault, Mistake, SourceFile, nearest};
use super::super::service::TYPED;
use super::super::values::Values;
use super::table::FUNCTIONS;
use super::{
    AssignmentSettings, BillingSettings, FunctionSettings, Labour, MILESTONES, NotificationSettings, Price,
    QaSettings, Technician, routing,
};
use crate::calendar::Shift;

/// What a template may name.
const PLACES: [&str; 6] = ["job", "vehicle", "customer", "site", "promised", "steps"];

/// Reads the file.
pub(in crate::config) fn read(
    file: &SourceFile,
    table: &DeTable<'_>,
) -> (Vec<FunctionSettings>, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let values = reader.read(table, FUNCTIONS, &(0..0), "");
    let settings = FunctionSettings {
        assignment: assignment(&values, &mut reader),
        qa: QaSettings {
            classes: values.texts("qa.classes").expect(TYPED).to_vec(),
            inspectors: values.texts("qa.inspectors").unwrap_or_default().to_vec(),
            four_eyes: values.flag("qa.four_eyes").expect(TYPED),
        },
        billing: billing(&values, &mut reader),
        notification: notification(&values, &mut reader),
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

fn billing(values: &Values, reader: &mut Reader<'_>) -> BillingSettings {
    let mut price = |values: &Values, key: &str, path: String| {
        let price = values.number(key).unwrap_or_default();
        if price < 0.0 {
            let message = format!("`{path}` is below zero: {price}");
            let remedy = "write what a unit costs; a credit is a matter for the books";
            reader.fault(&values.span(key).unwrap_or_default(), Fault::new(message, remedy));
        }
        price
    };
    let labour_per_h = price(values, "billing.labour_per_h", "billing.labour_per_h".to_owned());
    let operations = values.tables("billing.operations").iter().map(|(name, values)| {
        let path = format!("billing.operations.{name}.labour_per_h");
        (name.clone(), price(values, "labour_per_h", path))
    });
    let operations = operations.collect();
    let prices = values.tables("billing.prices").iter().map(|(name, values)| {
        let unit = values.text("unit").map(str::to_owned);
        let price = price(values, "price", format!("billing.prices.{name}.price"));
        (name.clone(), Price { price, unit })
    });
    let prices = prices.collect();
    BillingSettings {
        currency: values.text("billing.currency").expect(TYPED).to_owned(),
        labour: match values.text("billing.labour").expect(TYPED) {
            "worked" => Labour::Worked,
            _ => Labour::FlatRate,
        },
        labour_per_h,
        worked_tolerance_percent: values.whole("billing.worked_tolerance_percent").expect(TYPED),
        quantity_tolerance_percent: values.whole("billing.quantity_tolerance_percent").expect(TYPED),
        operations,
        prices,
    }
}

fn notification(values: &Values, reader: &mut Reader<'_>) -> NotificationSettings {
    let unknown = |path: &str, name: &str| {
        let remedy = match nearest(name, MILESTONES) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("possible are {}", MILESTONES.join(", ")),
        };
        Fault::new(format!("`{path}` names no milestone: `{name}`"), remedy)
    };
    let milestones = values.texts("notification.milestones").expect(TYPED).to_vec();
    for name in milestones.iter().filter(|name| !MILESTONES.contains(&name.as_str())) {
        let span = values.span("notification.milestones").unwrap_or_default();
        reader.fault(&span, unknown("notification.milestones", name));
    }
    let quiet_hours = values.text("notification.quiet_hours").and_then(|text| {
        let span = values.span("notification.quiet_hours").unwrap_or_default();
        let parsed = text.parse::<Shift>();
        let remedy = "write two times of the day, such as \"20:00-07:00\"";
        let fault = |error| Fault::new(format!("{error} of `notification.quiet_hours`"), remedy);
        parsed.map_err(|error| reader.fault(&span, fault(error))).ok()
    });
    let templates = values.pairs("notification.templates");
    for (name, text) in templates {
        let span = values.span("notification.templates").unwrap_or_default();
        if !MILESTONES.contains(&name.as_str()) {
            reader.fault(&span, unknown("notification.templates", name));
        }
        for place in places(text).filter(|place| !PLACES.contains(place)) {
            let message =
                format!("`notification.templates.{name}` names `{{{place}}}`, which a job does not have");
            reader.fault(&span, Fault::new(message, format!("possible are {}", PLACES.join(", "))));
        }
    }
    let templates = templates.iter().cloned().collect();
    NotificationSettings { milestones, quiet_hours, templates, contacts: contacts(values, reader) }
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

/// What stands in braces.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(place, _)| place)
}
