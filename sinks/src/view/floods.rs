//! How many exceptions call at once.

use serde::Serialize;
use utoipa::ToSchema;

/// Of a site; `/api/v1/exceptions/flood`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct FloodView {
    pub site: String,
    /// Exceptions raised within the last ten minutes; 1,000 are 1,000 or more.
    pub raised_per_10min: u64,
    /// More than these are a flood.
    pub flood_above: u64,
    pub in_flood: bool,
    pub flood_since_ms: Option<i64>,
    /// Floods so far.
    pub floods: u64,
    /// Time in floods so far, the present one included, since `since_ms`, when the site's first exception was raised.
    pub flood_s: f64,
    pub since_ms: i64,
    /// The ten that were raised most within a day, most first.
    pub rules: Vec<ActorView>,
    /// The same by bay and tool.
    pub sources: Vec<ActorView>,
}

impl FloodView {
    /// The sites on which it is more than anybody can look at.
    #[must_use]
    pub fn sites_in_flood(all: &[FloodView]) -> Vec<String> {
        all.iter().filter(|flood| flood.in_flood).map(|flood| flood.site.clone()).collect()
    }
}

/// What calls how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActorView {
    pub name: String,
    pub raised: u64,
}
