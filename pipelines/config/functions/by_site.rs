//! Settings that a site may have of its own.

use std::collections::BTreeMap;

/// What holds everywhere, and what at sites that have a section of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BySite<T> {
    /// At sites without a section of their own.
    pub general: T,
    /// Whole: what a site's section leaves out is as everywhere.
    pub sites: BTreeMap<String, T>,
}

impl<T> BySite<T> {
    /// What holds at a site.
    #[must_use]
    pub fn of(&self, site: &str) -> &T {
        self.sites.get(site).unwrap_or(&self.general)
    }
}
