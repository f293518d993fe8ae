//! `functions.toml`: what the workshop's functions go by.
//!
//! Everything here is read by the engine when it applies the configuration's entry, so a change of the file is taken up as
//! a change of rules is, at a place of the journal.

mod by_site;
mod read;
mod routing;
mod table;

use std::collections::BTreeMap;

use ingest::readings::Contact;

use crate::calendar::Shift;

pub use self::by_site::BySite;
pub(super) use self::read::read;
pub use self::routing::{Level, Route, RoutingSettings, Told};
pub(super) use self::table::{FUNCTIONS, SECTIONS};

/// Everything from `functions.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionSettings {
    pub assignment: AssignmentSettings,
    pub qa: BySite<QaSettings>,
    pub billing: BySite<BillingSettings>,
    pub notification: BySite<NotificationSettings>,
    /// By customer, or who routes tell: where they are told, unless a card says otherwise.
    pub contacts: BTreeMap<String, Contact>,
    pub routing: RoutingSettings,
}

/// `[assignment]`: who does the next step, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct AssignmentSettings {
    /// Steps that a technician may have at once.
    pub steps_per_technician: usize,
    /// Bays that steps are assigned to, by site. Of a site that is not named nothing is assigned.
    pub bays: BTreeMap<String, Vec<String>>,
    /// By name.
    pub technicians: BTreeMap<String, Technician>,
}

/// Who can be given a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Technician {
    pub site: String,
    pub skills: Vec<String>,
}

/// `[qa]`: what has to be signed, and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct QaSettings {
    /// Classes of joints whose records need a signature.
    pub classes: Vec<String>,
    /// Who may sign; nobody named: whoever asks.
    pub inspectors: Vec<String>,
    /// Nobody signs for what they did themselves.
    pub four_eyes: bool,
}

/// Which time of a step is sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labour {
    /// The standard time on the card.
    #[default]
    FlatRate,
    /// The time worked, pauses subtracted.
    Worked,
}

/// `[billing]`: what a job costs, and what is held back for a person to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct BillingSettings {
    pub currency: String,
    pub labour: Labour,
    pub labour_per_h: f64,
    /// A step that took longer than its standard time by more than this is held.
    pub worked_tolerance_percent: u32,
    /// A quantity beyond or below the planned one by more than this is held.
    pub quantity_tolerance_percent: u32,
    /// Price of an hour, by operation, where it is another.
    pub operations: BTreeMap<String, f64>,
    /// By resource.
    pub prices: BTreeMap<String, Price>,
}

/// What a unit of a resource costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub price: f64,
    /// The unit that it is the price of, as booked.
    pub unit: Option<String>,
}

/// `[notification]`: what customers are told.
#[derive(Clone, Debug, PartialEq)]
pub struct NotificationSettings {
    /// Which of `accepted`, `started`, `delayed`, `extra_work` and `ready`.
    pub milestones: Vec<String>,
    /// When nothing is told, by the site's clock; it waits for the end of it.
    pub quiet_hours: Option<Shift>,
    /// By milestone, in place of the shipped text.
    pub templates: BTreeMap<String, String>,
}

/// What can be told of a job.
const MILESTONES: [&str; 5] = ["accepted", "started", "delayed", "extra_work", "ready"];

impl Default for AssignmentSettings {
    fn default() -> Self {
        AssignmentSettings { steps_per_technician: 1, bays: BTreeMap::new(), technicians: BTreeMap::new() }
    }
}

impl Default for QaSettings {
    fn default() -> Self {
        QaSettings { classes: vec!["A".to_owned()], inspectors: Vec::new(), four_eyes: true }
    }
}

impl Default for BillingSettings {
    fn default() -> Self {
        BillingSettings {
            currency: "EUR".to_owned(),
            labour: Labour::FlatRate,
            labour_per_h: 90.0,
            worked_tolerance_percent: 50,
            quantity_tolerance_percent: 5,
            operations: BTreeMap::new(),
            prices: BTreeMap::new(),
        }
    }
}

impl BillingSettings {
    /// Whether that much of a resource is held for a person to look at, since something else was planned. What is not sold
    /// never is.
    #[must_use]
    pub fn holds_quantity(&self, resource: &str, quantity: f64, planned: Option<f64>) -> bool {
        let is_sold = self.prices.get(resource).is_none_or(|known| known.price != 0.0);
        let tolerance = self.quantity_tolerance();
        is_sold && planned.is_some_and(|planned| (quantity - planned).abs() > planned.abs() * tolerance)
    }

    /// As a share of what was planned.
    #[must_use]
    pub fn quantity_tolerance(&self) -> f64 {
        f64::from(self.quantity_tolerance_percent) / 100.0
    }
}

impl Default for NotificationSettings {
    fn default() -> Self {
        NotificationSettings {
            milestones: MILESTONES.map(str::to_owned).to_vec(),
            quiet_hours: None,
            templates: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
