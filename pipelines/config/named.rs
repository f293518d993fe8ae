//! Files that hold one kind of table, each under a name: `[metrics.torque]`, `[assets.lift_1]`.

use std::ops::Range;

use ingest::config::{MetricSettings, UsageKind, UsageSettings};
use ingest::readings::{Asset, AssetLimit};
use ingest::units::Units;
use toml::de::{DeTable, DeValue};

use super::document::Reader;
use super::kind::Kind;
use super::mistake::{Fault, Mistake, SourceFile};
use super::pattern;
use super::setting::Fallback::{Absent, Required};
use super::setting::{Setting, key};
use super::values::Values;

/// `[metrics.NAME]` in `metrics.toml`.
static METRIC: &[Setting] = &[
    key("unit", Kind::Text, Absent("\"N.m\"")),
    key("usage.resource", Kind::Text, Required("\"electricity\"")),
    key("usage.kind", Kind::Word(&["amount", "counter", "level"]), Required("\"amount\"")),
];

/// `[assets.NAME]` in `assets.toml`.
static ASSET: &[Setting] = &[
    key("kind", Kind::Text, Absent("\"lift\"")),
    key("bay", Kind::Text, Absent("\"bay-01\"")),
    key("rated", Kind::Number, Absent("3500")),
    key("calibration_due", Kind::Date, Absent("2027-03-01")),
    key("limits", Kind::Each(LIMIT), Absent("[{ metric = \"lift_load_left\", max = 1750 }]")),
];

/// An item of an asset's `limits`.
static LIMIT: &[Setting] = &[
    key("metric", Kind::Text, Required("\"torque\"")),
    key("min", Kind::Number, Absent("80")),
    key("max", Kind::Number, Absent("95")),
];

/// Reads `metrics.toml`.
pub(super) fn metrics(
    file: &SourceFile,
    table: &DeTable<'_>,
    units: &Units,
) -> (Vec<MetricSettings>, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let mut metrics = Vec::new();
    for (metric, header, values) in tables(&mut reader, table, "metrics", METRIC) {
        let unit = values.text("unit").map(str::to_owned);
        if let (Some(unit), Some(span)) = (&unit, values.span("unit"))
            && units.resolve(unit).is_none()
        {
            let message = format!("`metrics.{metric}.unit` is no unit: `{unit}`");
            let remedy =
                "write a UCUM code such as `N.m`, `L` or `kW.h` (ucum.org), or add it to `[units.aliases]`";
            reader.fault(&span, Fault::new(message, remedy));
        }
        let usage = usage(&values, &mut reader);
        if let (None, Some(usage)) = (&unit, &usage) {
            let message =
                format!("`metrics.{metric}` is consumption of `{}` and has no unit", usage.resource);
            reader.fault(
                &header,
                Fault::new(message, "add for example `unit = \"L\"`: quantities are booked in it"),
            );
        }
        metrics.push(MetricSettings { metric, unit, usage });
    }
    (metrics, reader.mistakes)
}

fn usage(values: &Values, reader: &mut Reader<'_>) -> Option<UsageSettings> {
    let resource = values.text("usage.resource")?;
    if let Err(fault) = pattern::braced(resource) {
        reader.fault(&values.span("usage.resource").unwrap_or_default(), fault);
    }
    let kind = match values.text("usage.kind")? {
        "counter" => UsageKind::Counter,
        "level" => UsageKind::Level,
        _ => UsageKind::Amount,
    };
    Some(UsageSettings { resource: resource.to_owned(), kind })
}

/// Reads `assets.toml`.
pub(super) fn assets(file: &SourceFile, table: &DeTable<'_>) -> (Vec<Asset>, Vec<Mistake>) {
    let mut reader = Reader::new(file);
    let mut assets = Vec::new();
    for (asset, _, values) in tables(&mut reader, table, "assets", ASSET) {
        let mut limits = Vec::new();
        for limit in values.each("limits") {
            let (min, max) = (limit.number("min"), limit.number("max"));
            if let (Some(least), Some(most)) = (min, max)
                && least > most
            {
                let message = format!("`assets.{asset}.limits` has a min of {least} above its max of {most}");
                reader.fault(&limit.span("min").unwrap_or_default(), Fault::new(message, "swap them"));
            }
            let metric = limit.text("metric").map(str::to_owned);
            limits.extend(metric.map(|metric| AssetLimit { metric, min, max }));
        }
        assets.push(Asset {
            kind: values.text("kind").map(str::to_owned),
            bay: values.text("bay").map(str::to_owned),
            rated: values.number("rated"),
            calibration_due: values.date("calibration_due").cloned(),
            asset,
            limits,
        });
    }
    (assets, reader.mistakes)
}

/// The tables under `name`, sorted by their own names, each with the place of its header.
fn tables(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    name: &str,
    settings: &'static [Setting],
) -> Vec<(String, Range<usize>, Values)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let DeValue::Table(inner) = value.get_ref() else {
            let message = format!("`{}` is no table", key.get_ref());
            reader
                .fault(&key.span(), Fault::new(message, format!("write `[{name}.NAME]` and its keys below")));
            continue;
        };
        if key.get_ref() != name {
            let message = format!("unknown section `{}`", key.get_ref());
            reader
                .fault(&key.span(), Fault::new(message, format!("write `[{name}.NAME]` and its keys below")));
            continue;
        }
        for (key, value) in inner {
            let path = format!("{name}.{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(one) => {
                    let values = reader.read(one, settings, &key.span(), &format!("{path}."));
                    found.push((key.get_ref().to_string(), key.span(), values));
                }
                _ => {
                    let message = format!("`{path}` is no table");
                    reader.fault(
                        &key.span(),
                        Fault::new(message, format!("write `[{path}]` and its keys below")),
                    );
                }
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}
