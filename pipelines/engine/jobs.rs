//! Jobs over all bays of their site: what time alone does to them becomes rows of stream `steps`.

use sinks::emission::Emission;

use super::steps::OfJob;
use super::{Engine, EngineError, rows_error, tables};

impl Engine {
    /// Cards that have come, jobs for which the time has become too short, and those that are on two bays.
    pub(super) fn tell_jobs(&mut self, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let (table, calendars) = (self.decoder.series(), &self.calendars);
        let is_known = |site: &str| table.bays().iter().any(|(name, _)| **name == *site);
        let place_of = |bay: u32| &table.bays()[bay as usize];
        let mut told = self.steps.pass_promises(self.at_ms, |site| calendars.of(site), is_known, &place_of);
        told.append(&mut self.steps.pass_doubles(self.at_ms, &place_of));
        for OfJob { site, bay, told } in told {
            let bays = self.decoder.series().bays();
            let bay_name = bay.map_or_else(Box::default, |bay| bays[bay as usize].1.clone());
            // One that is on no bay is looked at as by the first of its site: by name, which a part of history knows as well.
            let of_site =
                || (0..).zip(bays).filter(|(_, (name, _))| *name == site).min_by_key(|(_, names)| *names);
            let bay =
                bay.or_else(|| of_site().map(|(bay, _)| bay)).expect("something has been heard of its site");
            let rows = tables::steps(&site, &bay_name, &[told]);
            let rows = rows.map_err(|source| rows_error("steps", source))?;
            self.tell_judged_steps(rows, bay, out)?;
        }
        Ok(())
    }
}
