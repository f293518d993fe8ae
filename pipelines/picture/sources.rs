//! Why a service is not ready: what its loop, its intake, its mirror and its sinks say.

use std::sync::{Arc, Mutex, PoisonError};

use ingest::intake::IntakeStatus;
use sinks::deliver::Fanout;
use sinks::view::Mirror;

/// The other region, as others may know of it.
pub trait Watched: Send + Sync {
    /// `primary` or `standby`.
    fn role(&self) -> &'static str;
    /// Why not ready, a fragment each.
    fn not_ready(&self) -> Vec<String>;
    /// For status and metrics.
    fn view(&self) -> Mirror;
}

/// What reasons come from, beside the loop itself.
#[derive(Clone, Default)]
pub(super) struct Sources {
    pub(super) intake: Arc<Mutex<Option<Arc<IntakeStatus>>>>,
    pub(super) mirror: Arc<Mutex<Option<Arc<dyn Watched>>>>,
}

impl Sources {
    pub(super) fn intake(&self) -> Option<Arc<IntakeStatus>> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn mirror(&self) -> Option<Arc<dyn Watched>> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why the service is not ready: by itself, by its intake, by its mirror, by its sinks.
pub(super) fn reasons(own: &[String], sources: &Sources, sinks: Option<&Fanout>) -> Vec<String> {
    let of_intake = sources.intake().map(|intake| intake.not_ready()).unwrap_or_default();
    let of_mirror = sources.mirror().map(|mirror| mirror.not_ready()).unwrap_or_default();
    let of_sinks = sinks.map(Fanout::not_ready).unwrap_or_default();
    own.iter().cloned().chain(of_intake).chain(of_mirror).chain(of_sinks).collect()
}
