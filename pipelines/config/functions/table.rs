//! The table of settings of `functions.toml`: key, type, bounds, default and comment of each.

use super::super::kind::Kind;
use super::super::setting::Fallback::{Absent, Is, Required};
use super::super::setting::{Setting, key, set, whole};
use super::routing;

/// `[assignment.sites.NAME]`.
static SITE: &[Setting] = &[key("bays", Kind::Texts, Required("[\"bay-01\", \"bay-02\"]"))];

/// `[assignment.technicians.NAME]`.
static TECHNICIAN: &[Setting] = &[
    key("site", Kind::Text, Required("\"lyon\"")),
    key("skills", Kind::Texts, Absent("[\"tightening\", \"high_voltage\"]")),
];

/// `[billing.operations.NAME]`.
static OPERATION: &[Setting] = &[key("labour_per_h", Kind::Number, Required("120"))];

/// `[billing.prices.NAME]`.
static PRICE: &[Setting] =
    &[key("price", Kind::Number, Required("11.5")), key("unit", Kind::Text, Absent("\"L\""))];

/// `[notification.contacts.NAME]`.
static CONTACT: &[Setting] = &[
    key("channel", Kind::Text, Required("\"mail\"")),
    key("address", Kind::Text, Required("\"fleet@example.com\"")),
];

/// `[qa.sites.NAME]`.
static QA_OF_SITE: &[Setting] = &[
    key("classes", Kind::Texts, Absent("[\"A\", \"B\"]")),
    key("inspectors", Kind::Texts, Absent("[\"Q3\"]")),
    key("four_eyes", Kind::Flag, Absent("false")),
];

/// `[billing.sites.NAME]`.
static BILLING_OF_SITE: &[Setting] = &[
    key("currency", Kind::Text, Absent("\"CHF\"")),
    key("labour", LABOUR, Absent("\"worked\"")),
    key("labour_per_h", Kind::Number, Absent("140")),
    key("worked_tolerance_percent", TOLERANCE, Absent("30")),
    key("quantity_tolerance_percent", TOLERANCE, Absent("2")),
    key("operations", Kind::Tables(OPERATION), Absent("high_voltage_check\nlabour_per_h = 180")),
    key("prices", Kind::Tables(PRICE), Absent("oil_5w30\nprice = 14.2")),
];

/// `[notification.sites.NAME]`.
static NOTIFICATION_OF_SITE: &[Setting] = &[
    key("milestones", Kind::Texts, Absent("[\"accepted\", \"ready\"]")),
    key("quiet_hours", Kind::TextOrNone, Absent("\"22:00-06:00\"")),
    key("templates", Kind::Pairs, Absent("{ ready = \"{vehicle} is ready.\" }")),
];

const LABOUR: Kind = Kind::Word(&["flat_rate", "worked"]);
const TOLERANCE: Kind = whole(0, 1000);

/// `functions.toml`.
pub(in crate::config) static FUNCTIONS: &[Setting] = &[
    set(
        "assignment.steps_per_technician",
        whole(1, 20),
        Is("1"),
        "Steps that a technician may have at once, the one in work among them.",
    ),
    set(
        "assignment.sites",
        Kind::Tables(SITE),
        Absent("lyon\nbays = [\"bay-01\", \"bay-02\"]"),
        "The bays that steps are assigned to. Of a site that is not named here nothing is assigned: steps wait until \
         somebody starts them.",
    ),
    set(
        "assignment.technicians",
        Kind::Tables(TECHNICIAN),
        Absent("T17\nsite = \"lyon\"\nskills = [\"tightening\", \"high_voltage\"]"),
        "Who steps are assigned to. A step goes to somebody who has all skills that its card names: to whoever has the \
         fewest steps, then to whoever had the job before, then to whoever can do least else.",
    ),
    set(
        "qa.classes",
        Kind::Texts,
        Is("[\"A\"]"),
        "A step whose card expects readings of one of these classes is held until QA has signed its record.",
    ),
    set(
        "qa.inspectors",
        Kind::Texts,
        Absent("[\"Q1\", \"Q2\"]"),
        "Who may sign records, reset exceptions and release vehicles. Without the line whoever asks: there are no logins yet.",
    ),
    set("qa.four_eyes", Kind::Flag, Is("true"), "Nobody signs for a step that they worked on themselves."),
    set(
        "qa.sites",
        Kind::Tables(QA_OF_SITE),
        Absent("lyon\nclasses = [\"A\", \"B\"]\ninspectors = [\"Q3\"]\nfour_eyes = false"),
        "What differs at a site: any of the settings above. What is left out here is as above. With `inspectors = []` \
         whoever asks signs there.",
    ),
    set("billing.currency", Kind::Text, Is("\"EUR\""), "Of all prices here."),
    set(
        "billing.labour",
        LABOUR,
        Is("\"flat_rate\""),
        "What is sold of a step: flat_rate: the standard time on its card. worked: the time worked, pauses subtracted. A \
         step without a standard time is sold as worked.",
    ),
    set("billing.labour_per_h", Kind::Number, Is("90"), "Price of an hour."),
    set(
        "billing.worked_tolerance_percent",
        TOLERANCE,
        Is("50"),
        "The labour of a step that took longer than its standard time by more than this is held for a person to look at.",
    ),
    set(
        "billing.quantity_tolerance_percent",
        TOLERANCE,
        Is("5"),
        "A resource of which more or less was used than planned, by more than this, is held as well, and so are its \
         rows of the ledger; so is one without a price here.",
    ),
    set(
        "billing.operations",
        Kind::Tables(OPERATION),
        Absent("high_voltage_check\nlabour_per_h = 120"),
        "Operations whose hour costs something else.",
    ),
    set(
        "billing.prices",
        Kind::Tables(PRICE),
        Absent("oil_5w30\nprice = 11.5\nunit = \"L\""),
        "What a unit of a resource costs. With a unit here, a quantity in another one is held.",
    ),
    set(
        "billing.sites",
        Kind::Tables(BILLING_OF_SITE),
        Absent(
            "bern\ncurrency = \"CHF\"\nlabour = \"worked\"\nlabour_per_h = 140\nworked_tolerance_percent = 30\n\
             quantity_tolerance_percent = 2\n[billing.sites.bern.operations.high_voltage_check]\nlabour_per_h = 180\n\
             [billing.sites.bern.prices.oil_5w30]\nprice = 14.2",
        ),
        "What differs at a site: any of the settings above. What is left out here is as above, an operation or a \
         resource that is not named here too. Nothing is converted: if a site has a currency of its own, amounts that \
         it leaves out are the same number of that currency.",
    ),
    set(
        "notification.milestones",
        Kind::Texts,
        Is("[\"accepted\", \"started\", \"delayed\", \"extra_work\", \"ready\"]"),
        "What a customer is told of a job, each once: a new time counts as new for delayed, and more work for extra_work.",
    ),
    set(
        "notification.quiet_hours",
        Kind::Text,
        Absent("\"20:00-07:00\""),
        "By the site's clock. What falls into them is told when they are over.",
    ),
    set(
        "notification.templates",
        Kind::Pairs,
        Absent("{ ready = \"Your {vehicle} is ready.\" }"),
        "In place of the shipped texts. {job} {vehicle} {customer} {site} {promised} {steps} stand for the job's own. \
         Of a mail the first line is the subject as well.",
    ),
    set(
        "notification.contacts",
        Kind::Tables(CONTACT),
        Absent("C0042\nchannel = \"mail\"\naddress = \"fleet@example.com\""),
        "Where customers are told, by the name that job cards have for them, unless the card says it itself: \
         \"contact\":{\"channel\":\"mail\",\"address\":\"ann@example.com\"}. [deliver.mail.NAME] in andon.toml sends what \
         goes by channel mail; webhooks carry all channels.",
    ),
    set(
        "notification.sites",
        Kind::Tables(NOTIFICATION_OF_SITE),
        Absent(
            "lyon\nmilestones = [\"accepted\", \"ready\"]\nquiet_hours = \"\"\n[notification.sites.lyon.templates]\n\
             ready = \"{vehicle} peut être récupéré.\"",
        ),
        "What differs at a site: any of milestones, quiet_hours (\"\" for none there) and templates. What is left out \
         here is as above.",
    ),
    routing::ROUTES,
    routing::FLOOD,
    routing::SITES,
];

/// What stands above each section.
pub(in crate::config) const SECTIONS: &[(&str, &str)] = &[
    (
        "assignment",
        "Which ready step goes to which bay and technician. Jobs go in the order of their promised time.",
    ),
    ("qa", "Inspection records."),
    ("billing", "Lines of a job that was released, in queue `billing`."),
    ("notification", "What customers are told, in queue `notifications`."),
    ("notification.templates", "Texts."),
    ("routing", "Who is told of exceptions, in queue `notifications`, and what counts as a flood of them."),
];
