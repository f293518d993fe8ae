//! `[routing]`: who is told of exceptions.

use std::collections::BTreeMap;

use super::super::document::Reader;
use super::super::kind::Kind;
use super::super::mistake::{Fault, nearest};
use super::super::service::TYPED;
use super::super::setting::Fallback::{Absent, Is, Required};
use super::super::setting::{Setting, duration, key, set, whole};
use super::super::values::Values;
use super::BySite;
use crate::calendar::Shift;

/// `[routing]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutingSettings {
    /// By name.
    pub routes: BTreeMap<String, Route>,
    /// More exceptions than this within ten minutes are a flood.
    pub flood_per_10min: BySite<usize>,
}

/// Of which exceptions whom it tells. An empty list fits all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    pub severities: Vec<String>,
    pub sites: Vec<String>,
    pub bays: Vec<String>,
    pub rules: Vec<String>,
    /// By the site's clock, when it begins to call.
    pub hours: Option<Shift>,
    /// The longer nobody acknowledges, the more of them are told.
    pub levels: Vec<Level>,
}

/// Who is told after how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    pub after_ms: i64,
    pub tell: Vec<Told>,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Somebody, or a role, by name.
    Person(String),
    /// Whoever does the step.
    Technician,
    /// All technicians of the site that have it.
    Skill(String),
}

impl Default for RoutingSettings {
    fn default() -> Self {
        RoutingSettings {
            routes: BTreeMap::new(),
            flood_per_10min: BySite { general: 10, sites: BTreeMap::new() },
        }
    }
}

const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

static LEVEL: &[Setting] = &[
    key("tell", Kind::Texts, Required("[\"shift_lead\"]")),
    key("after", duration("0s", "1d"), Is("\"0s\"")),
];

static ROUTE: &[Setting] = &[
    key("severity", Kind::Texts, Absent("[\"critical\", \"high\"]")),
    key("sites", Kind::Texts, Absent("[\"lyon\"]")),
    key("bays", Kind::Texts, Absent("[\"bay-01\"]")),
    key("rules", Kind::Texts, Absent("[\"lift_overload\"]")),
    key("hours", Kind::Text, Absent("\"22:00-06:00\"")),
    key("levels", Kind::Each(LEVEL), Required("[{ tell = [\"shift_lead\"] }]")),
];

pub(super) const ROUTES: Setting = set(
    "routing.routes",
    Kind::Tables(ROUTE),
    Absent(
        "safety\nseverity = [\"critical\"]\nhours = \"06:00-22:00\"\nlevels = [\n    \
         { tell = [\"technician\", \"shift_lead\"] },\n    { after = \"10min\", tell = [\"skill:supervision\"] },\n]",
    ),
    "Of which exceptions somebody is told: those that fit all of severity, sites, bays, rules and hours (by the site's clock) \
     that are named. Told is whoever stands in levels: somebody or a role by name, `technician` for whoever does the step, \
     `skill:NAME` for all technicians of the site that have it; each later level once nobody has acknowledged for so long. \
     They are reached as [notification.contacts.NAME] says.",
);
pub(super) const FLOOD: Setting = set(
    "routing.flood_per_10min",
    whole(1, 500),
    Is("10"),
    "More exceptions of a site than this within ten minutes are a flood: GET /api/v1/exceptions/flood.",
);

/// `[routing.sites.NAME]`.
static SITE: &[Setting] = &[key("flood_per_10min", whole(1, 500), Absent("20"))];

pub(super) const SITES: Setting = set(
    "routing.sites",
    Kind::Tables(SITE),
    Absent("lyon\nflood_per_10min = 20"),
    "What counts as a flood at a site, where that differs.",
);

pub(super) fn read(values: &Values, reader: &mut Reader<'_>) -> RoutingSettings {
    let mut routes = BTreeMap::new();
    for (name, values) in values.tables(ROUTES.path) {
        routes.insert(name.clone(), route(&format!("{}.{name}", ROUTES.path), values, reader));
    }
    let general = values.whole(FLOOD.path).expect(TYPED);
    let sites = values
        .tables(SITES.path)
        .iter()
        .map(|(site, values)| (site.clone(), values.whole("flood_per_10min").unwrap_or(general)));
    RoutingSettings { routes, flood_per_10min: BySite { general, sites: sites.collect() } }
}

fn route(path: &str, values: &Values, reader: &mut Reader<'_>) -> Route {
    let texts = |key: &str| values.texts(key).unwrap_or_default().to_vec();
    let span = |key: &str| values.span(key).unwrap_or_default();
    let severities = texts("severity");
    for unknown in severities.iter().filter(|one| !SEVERITIES.contains(&one.as_str())) {
        let remedy = match nearest(unknown, SEVERITIES) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("possible are {}", SEVERITIES.join(", ")),
        };
        reader
            .fault(&span("severity"), Fault::new(format!("`{path}.severity` cannot be `{unknown}`"), remedy));
    }
    let hours = values.text("hours").and_then(|text| {
        let remedy = "write two times of the day, such as \"22:00-06:00\"";
        let fault = |error| Fault::new(format!("{error} of `{path}.hours`"), remedy);
        text.parse::<Shift>().map_err(|error| reader.fault(&span("hours"), fault(error))).ok()
    });
    let mut levels: Vec<Level> = Vec::new();
    for level in values.each("levels") {
        let after_ms = level.duration("after").unwrap_or_default().as_millis();
        let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
        if levels.last().is_some_and(|before| before.after_ms >= after_ms) {
            let message = format!("a level of `{path}.levels` is no later than the one before it");
            let remedy = "write levels in their order, each with a longer `after`";
            reader.fault(&level.span("after").unwrap_or_else(|| span("levels")), Fault::new(message, remedy));
        }
        let tell = level.texts("tell").unwrap_or_default().iter().map(|told| Told::of(told)).collect();
        levels.push(Level { after_ms, tell });
    }
    Route { severities, sites: texts("sites"), bays: texts("bays"), rules: texts("rules"), hours, levels }
}

impl Told {
    fn of(text: &str) -> Told {
        match text.strip_prefix("skill:") {
            Some(skill) => Told::Skill(skill.to_owned()),
            None if text == "technician" => Told::Technician,
            None => Told::Person(text.to_owned()),
        }
    }
}
