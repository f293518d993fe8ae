//! `[notification]`, and what sites have of it.

use super::super::super::document::Reader;
use super::super::super::mistake::{Fault, nearest};
use super::super::{MILESTONES, NotificationSettings};
use super::section::Section;
use crate::calendar::Shift;

/// What a template may name.
const PLACES: [&str; 6] = ["job", "vehicle", "customer", "site", "promised", "steps"];

/// What a section says over what holds without it.
pub(super) fn over(
    base: &NotificationSettings,
    section: &Section<'_>,
    reader: &mut Reader<'_>,
) -> NotificationSettings {
    let milestones = section.texts("milestones");
    for name in milestones.iter().flatten().filter(|name| !MILESTONES.contains(&name.as_str())) {
        reader.fault(&section.span("milestones"), unknown(&section.path("milestones"), name));
    }
    let quiet_hours = match section.text("quiet_hours") {
        None => base.quiet_hours,
        Some("") => None,
        Some(text) => {
            let remedy = "write two times of the day, such as \"20:00-07:00\"";
            let fault = |error| Fault::new(format!("{error} of `{}`", section.path("quiet_hours")), remedy);
            let parsed = text.parse::<Shift>();
            parsed.map_err(|error| reader.fault(&section.span("quiet_hours"), fault(error))).ok()
        }
    };
    let mut templates = base.templates.clone();
    for (name, text) in section.pairs("templates") {
        let (path, span) = (section.path("templates"), section.span("templates"));
        if !MILESTONES.contains(&name.as_str()) {
            reader.fault(&span, unknown(&path, name));
        }
        for place in places(text).filter(|place| !PLACES.contains(place)) {
            let message = format!("`{path}.{name}` names `{{{place}}}`, which a job does not have");
            reader.fault(&span, Fault::new(message, format!("possible are {}", PLACES.join(", "))));
        }
        templates.insert(name.clone(), text.clone());
    }
    NotificationSettings {
        milestones: milestones.unwrap_or_else(|| base.milestones.clone()),
        quiet_hours,
        templates,
    }
}

fn unknown(path: &str, name: &str) -> Fault {
    let remedy = match nearest(name, MILESTONES) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("possible are {}", MILESTONES.join(", ")),
    };
    Fault::new(format!("`{path}` names no milestone: `{name}`"), remedy)
}

/// What stands in braces.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(place, _)| place)
}
