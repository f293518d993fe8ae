//! `[billing]`, and what sites have of it.

use super::super::super::document::Reader;
use super::super::{BillingSettings, Labour, Price};
use super::section::Section;

/// What a section says over what holds without it.
pub(super) fn over(
    base: &BillingSettings,
    section: &Section<'_>,
    reader: &mut Reader<'_>,
) -> BillingSettings {
    let labour = section.text("labour").map(|word| match word {
        "worked" => Labour::Worked,
        _ => Labour::FlatRate,
    });
    let labour_per_h = section.price("labour_per_h", reader).unwrap_or(base.labour_per_h);
    let mut operations = base.operations.clone();
    for (name, operation) in section.tables("operations") {
        operations.insert(name.to_owned(), operation.price("labour_per_h", reader).unwrap_or_default());
    }
    let mut prices = base.prices.clone();
    for (name, resource) in section.tables("prices") {
        let known = prices.get(name).and_then(|known: &Price| known.unit.clone());
        let unit = resource.text("unit").map(str::to_owned).or(known);
        let price = resource.price("price", reader).unwrap_or_default();
        prices.insert(name.to_owned(), Price { price, unit });
    }
    let percent = |key: &str, base: u32| section.whole(key).unwrap_or(base);
    BillingSettings {
        currency: section.text("currency").unwrap_or(&base.currency).to_owned(),
        labour: labour.unwrap_or(base.labour),
        labour_per_h,
        worked_tolerance_percent: percent("worked_tolerance_percent", base.worked_tolerance_percent),
        quantity_tolerance_percent: percent("quantity_tolerance_percent", base.quantity_tolerance_percent),
        operations,
        prices,
    }
}
