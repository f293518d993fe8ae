//! What holds at a site. Mistakes are in `fixtures/configs`.

use super::super::document;
use super::super::mistake::SourceFile;
use super::*;

/// What a file says; it has no mistakes.
fn settings(text: &str) -> FunctionSettings {
    let file = SourceFile { path: "functions.toml".into(), text: text.to_owned() };
    let table = document::parse(&file).expect("TOML");
    let (mut settings, mistakes) = read(&file, &table);
    assert_eq!(mistakes, []);
    settings.remove(0)
}

#[test]
fn a_site_has_what_its_section_names_and_the_rest_as_everywhere() {
    let settings = settings(
        r#"
[billing]
labour_per_h = 100
worked_tolerance_percent = 20
[billing.operations.alignment]
labour_per_h = 130
[billing.prices.oil]
price = 10
unit = "L"
[billing.prices.grease]
price = 0

[billing.sites.bern]
currency = "CHF"
labour = "worked"
quantity_tolerance_percent = 2
[billing.sites.bern.operations.diagnosis]
labour_per_h = 200
[billing.sites.bern.prices.oil]
price = 14
[billing.sites.bern.prices.grease]
price = 3
unit = "kg"

[billing.sites.oslo]
"#,
    );
    let price = |price: f64, unit: Option<&str>| Price { price, unit: unit.map(str::to_owned) };
    let general = BillingSettings {
        labour_per_h: 100.0,
        worked_tolerance_percent: 20,
        operations: [("alignment".to_owned(), 130.0)].into(),
        prices: [("oil".to_owned(), price(10.0, Some("L"))), ("grease".to_owned(), price(0.0, None))].into(),
        ..BillingSettings::default()
    };
    let bern = BillingSettings {
        currency: "CHF".to_owned(),
        labour: Labour::Worked,
        quantity_tolerance_percent: 2,
        operations: [("alignment".to_owned(), 130.0), ("diagnosis".to_owned(), 200.0)].into(),
        prices: [("oil".to_owned(), price(14.0, Some("L"))), ("grease".to_owned(), price(3.0, Some("kg")))]
            .into(),
        ..general.clone()
    };
    assert_eq!(settings.billing.of("bern"), &bern);
    assert_eq!(settings.billing.of("oslo"), &general, "an empty section changes nothing");
    assert_eq!(settings.billing.of("lyon"), &general);
}

#[test]
fn a_site_may_have_no_quiet_hours_and_its_own_words() {
    let settings = settings(
        r#"
[notification]
milestones = ["accepted", "ready"]
quiet_hours = "20:00-07:00"
[notification.templates]
accepted = "We have it."
ready = "It is ready."
[notification.contacts.C1]
channel = "mail"
address = "ann@example.com"

[notification.sites.lyon]
quiet_hours = ""
[notification.sites.lyon.templates]
ready = "{vehicle} peut être récupéré."

[notification.sites.oslo]
milestones = []
quiet_hours = "16:00-08:00"
"#,
    );
    let general = &settings.notification.general;
    let lyon = settings.notification.of("lyon");
    assert_eq!((lyon.quiet_hours, &lyon.milestones), (None, &general.milestones));
    assert_eq!(lyon.templates["accepted"], "We have it.");
    assert_eq!(lyon.templates["ready"], "{vehicle} peut être récupéré.");
    let oslo = settings.notification.of("oslo");
    assert_eq!(oslo.quiet_hours, Some("16:00-08:00".parse().expect("a shift")));
    assert!(oslo.milestones.is_empty(), "nobody is told anything there");
    assert_eq!(oslo.templates, general.templates);
    assert!(general.quiet_hours.is_some() && settings.contacts.contains_key("C1"));
}

#[test]
fn a_site_may_have_its_own_inspectors_and_its_own_measure_of_a_flood() {
    let settings = settings(
        r#"
[qa]
inspectors = ["Q1"]
[qa.sites.bern]
inspectors = ["Q2", "Q3"]
four_eyes = false
[qa.sites.oslo]
classes = []
inspectors = []
[routing]
flood_per_10min = 8
[routing.sites.bern]
flood_per_10min = 30
[routing.sites.oslo]
"#,
    );
    let QaSettings { classes, inspectors, four_eyes } = settings.qa.of("bern");
    assert_eq!(
        (&classes[..], &inspectors[..], four_eyes),
        (&["A".to_owned()][..], &["Q2".to_owned(), "Q3".to_owned()][..], &false)
    );
    let QaSettings { classes, inspectors, four_eyes } = settings.qa.of("oslo");
    assert!(classes.is_empty() && inspectors.is_empty() && *four_eyes);
    assert_eq!(settings.qa.of("lyon").inspectors, ["Q1"]);
    let flood = |site: &str| *settings.routing.flood_per_10min.of(site);
    assert_eq!((flood("lyon"), flood("bern"), flood("oslo")), (8, 30, 8));
}

#[test]
fn another_word_for_one_site_is_another_configuration() {
    let lyon = settings("[billing.sites.lyon]\nlabour_per_h = 80\n");
    assert_ne!(lyon, settings("[billing.sites.lyon]\nlabour_per_h = 81\n"));
    assert_ne!(lyon, settings("[billing.sites.oslo]\nlabour_per_h = 80\n"));
    assert_ne!(lyon, settings(""));
}
