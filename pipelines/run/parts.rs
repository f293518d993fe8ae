//! The parts that a service plays, one after the other: it leads, or it follows.

use std::sync::Arc;

use ingest::time::Clock;

use super::{Abroad, Clerk, Files, RunError, Service, Stop};
use crate::config::Config;
use crate::mirror::opening::Role;
use crate::picture::Painter;

/// As leader or follower, whichever the mirror says, until asked to stop.
pub(super) fn serve_parts(
    config: &Config,
    files: Option<Files>,
    clock: &Arc<dyn Clock>,
    mut painter: Painter,
    runtime: &tokio::runtime::Runtime,
    (stop, clerk, mut wants_standby): (&Stop, &Clerk, bool),
) -> Result<(), RunError> {
    loop {
        let abroad = match &config.mirror {
            None => None,
            Some(settings) => {
                let asked = (stop, wants_standby);
                let abroad = Abroad::prepare(config, settings, clock, &mut painter, runtime, asked)?;
                if abroad.is_none() {
                    return Ok(());
                }
                abroad
            }
        };
        let follows = abroad.as_ref().is_some_and(|abroad| abroad.role == Role::Follower);
        let mut service = Service::open(config, Arc::clone(clock), painter, abroad, runtime, (stop, clerk))?;
        let ended = if follows {
            service.follow(config, files.clone(), runtime)?
        } else {
            service.run(config, files.clone())?
        };
        if ended == Ended::Stopped {
            return Ok(());
        }
        // Everything is closed and opened again, as after a restart: a fork is set aside on the way.
        painter = service.painter;
        painter.begin_anew();
        wants_standby = false;
    }
}

/// How a part has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As asked.
    Stopped,
    /// Another leads.
    SteppedDown,
}
