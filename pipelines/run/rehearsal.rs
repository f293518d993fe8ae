//! A rehearsal of the takeover: from nothing but the mirror to a state that could lead, in a folder of its own.

use std::path::Path;
use std::sync::Arc;

use ingest::time::Clock;
use sinks::store::Address;

use super::{Abroad, Clerk, RunError, Service, Stop};
use crate::config::Config;
use crate::mirror::drill::Drill;
use crate::mirror::follower::{Comparison, Follower};
use crate::picture::Painter;

/// Builds state, exports and tables below `folder` from the mirror alone, up to its end, and tells how long that took.
/// Writes nothing into the mirror and takes no message. The folder should be empty.
///
/// # Errors
/// What would keep a standby from taking over, a state that is not the leader's among it.
pub fn rehearse(config: &Config, clock: &Arc<dyn Clock>, folder: &Path) -> Result<Drill, RunError> {
    let mut config = config.clone();
    config.journal.folder = folder.join("journal");
    config.checkpoint.folder = folder.join("checkpoints");
    config.export.folder = folder.join("export");
    config.store.url = Address::of_file(&folder.join("andon.db"));
    let settings = config.mirror.clone().ok_or(RunError::NoMirror)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(RunError::Threads)?;
    let stop = Stop::default();
    let mut painter = Painter::new(&config, Arc::clone(clock));
    let started_us = clock.boot_us();
    let asked = (&stop, true);
    let abroad = Abroad::prepare(&config, &settings, clock, &mut painter, &runtime, asked)?;
    let mut service =
        Service::open(&config, Arc::clone(clock), painter, abroad, &runtime, (&stop, &Clerk::default()))?;
    let checkpoint = service.epochs.place().1;
    let (store, place) = {
        let abroad = service.epochs.abroad.as_ref().expect("it was prepared");
        (Arc::clone(&abroad.store), service.epochs.journal.with(|journal| journal.place()))
    };
    let mut follower = Follower::new(Arc::clone(&store), place);
    let mut rest = runtime.block_on(follower.rest())?;
    let mut difference = None;
    loop {
        let chunk = match rest.take() {
            Some(chunk) => Some(chunk),
            None => runtime.block_on(follower.next())?,
        };
        let Some(chunk) = chunk else {
            if runtime.block_on(follower.look_around())?.is_none() {
                break;
            }
            continue;
        };
        service.apply_chunk(&config, chunk)?;
        let abroad = service.epochs.abroad.as_mut().expect("it was prepared");
        runtime.block_on(abroad.comparison.compare(&*store))?;
        let Comparison { differs_at, .. } = &abroad.comparison;
        difference = differs_at.clone();
    }
    service.settle()?;
    if let Some((offset, theirs, ours)) = difference {
        return Err(RunError::Differs { offset, theirs, ours });
    }
    Ok(Drill {
        at_ms: clock.now_ms(),
        seconds: (clock.boot_us() - started_us) as f64 / 1e6,
        entries: follower.place().offset.0 - place.offset.0,
        checkpoint: checkpoint.0,
        offset: follower.place().offset.0 - 1,
        state_hash: service.epochs.engine.state_hash()?,
    })
}
