//! A leader with a mirror whose steps a simulation takes one by one ([`crate::mirror::by_hand`]).

use std::sync::Arc;

use ingest::entry::Entry;
use ingest::time::{Clock, Offset};

use super::RunError;
use super::abroad::Abroad;
use super::epochs::{Epochs, Wait};
use crate::config::MirrorSettings;
use crate::mirror::MirrorError;
use crate::mirror::by_hand::MirrorByHand;
use crate::mirror::opening::{Region, Role};

/// A region that has looked at its mirror, and leads.
#[derive(Debug)]
pub struct Mirrored(Abroad);

impl Mirrored {
    /// Looks at the mirror once and makes the journal agree with it. `None` where it does not lead.
    ///
    /// # Errors
    /// A mirror that is not reachable, not ours, damaged, or newer.
    pub fn prepare(region: Region<'_>, settings: &MirrorSettings) -> Result<Option<Mirrored>, MirrorError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let prepared = runtime.map_err(MirrorError::Note)?.block_on(region.prepare(false))?;
        let leads = prepared.filter(|prepared| prepared.role == Role::Leader);
        Ok(leads.map(|prepared| Mirrored(Abroad::of(region, settings, prepared))))
    }

    /// Checkpoints that resume behind it must not be used.
    #[must_use]
    pub fn checkpoints_until(&self) -> Offset {
        self.0.checkpoints_until
    }
}

impl<S> Epochs<S> {
    /// From now on epochs are shown once the mirror has them.
    pub fn be_mirrored(&mut self, mirrored: Mirrored) {
        self.abroad = Some(mirrored.0);
    }

    /// Begins to lead: the mirror to be written, and the entry that says so. `None` where there is no mirror.
    ///
    /// # Errors
    /// What the storage says.
    pub fn lead_by_hand(
        &mut self,
        clock: &Arc<dyn Clock>,
        wait: Wait<'_>,
    ) -> Result<Option<(MirrorByHand, Entry)>, RunError> {
        let Some(abroad) = &mut self.abroad else { return Ok(None) };
        let (leader, status, entry) = abroad.leader(&self.journal, clock, self.keep, wait)?;
        Ok(Some((MirrorByHand::new(leader, status).map_err(RunError::Threads)?, entry)))
    }
}
