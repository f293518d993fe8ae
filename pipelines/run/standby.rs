//! A standby: the mirrored journal through the same code, until it is to lead.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingest::entry::Entry;
use ingest::journal::JournalError;
use ingest::time::Offset;
use sinks::view::{Mirror as MirrorView, StateDifference};

use super::{Ended, FULL_PAUSE, Files, RunError, Service, until_room};
use crate::config::Takeover;
use crate::mirror::chunk::Chunk;
use crate::mirror::configured;
use crate::mirror::follower::{Follower, LeaseWatch, see_lease};
use crate::picture::Watched;

/// How often the mirror is asked while nothing comes.
const POLL: Duration = Duration::from_millis(20);
/// The lease is looked at so many times within its length; manifests and gaps once.
const LOOKS: u32 = 10;
/// File beside the journal's segments with which a person says that this region is to lead.
pub const PROMOTE: &str = "promote";

/// What others may know of a follower.
#[derive(Debug, Default)]
pub(super) struct Following(Mutex<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    view: MirrorView,
    not_ready: Vec<String>,
}

impl Watched for Following {
    fn role(&self) -> &'static str {
        "standby"
    }

    fn not_ready(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).not_ready.clone()
    }

    fn view(&self) -> MirrorView {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).view.clone()
    }
}

/// What ends following.
enum Next {
    Lead,
    Stop,
}

impl Service {
    /// Follows the mirror until this region is to lead (then it does), or is to stop.
    pub(super) fn follow(
        &mut self,
        config: &crate::config::Config,
        files: Option<Files>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Ended, RunError> {
        let following = Arc::new(Following::default());
        self.painter.watch_mirror(Arc::clone(&following) as Arc<dyn Watched>);
        match self.apply_chunks(config, runtime, &following)? {
            Next::Stop => Ok(Ended::Stopped),
            Next::Lead => self.run(config, files),
        }
    }

    fn apply_chunks(
        &mut self,
        config: &crate::config::Config,
        runtime: &tokio::runtime::Runtime,
        following: &Following,
    ) -> Result<Next, RunError> {
        let promote = config.journal.folder.join(PROMOTE);
        // One that was told to a process before this one is not meant for this one.
        let _ = std::fs::remove_file(&promote);
        let place = self.epochs.journal.with(|journal| journal.place());
        let abroad = self.epochs.abroad.as_ref().expect("a follower has a mirror");
        let (store, settings) = (Arc::clone(&abroad.store), abroad.settings.clone());
        let mut follower = Follower::new(Arc::clone(&store), place);
        let mut lease = LeaseWatch::default();
        let (mut looked_us, mut compared_us) = (0, 0);
        let mut rest = Some(());
        let lease_ms = u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX);
        loop {
            if self.stop.is_asked() {
                return Ok(Next::Stop);
            }
            let now_us = self.clock.boot_us();
            let looked = runtime.block_on(async {
                if now_us - looked_us >= lease_ms * 1_000 / u64::from(LOOKS) {
                    looked_us = now_us;
                    see_lease(&mut lease, &*store, &*self.clock).await?;
                }
                if rest.is_some() {
                    let chunk = follower.rest().await?;
                    rest = None;
                    if chunk.is_some() {
                        return Ok(chunk);
                    }
                }
                let next = follower.next().await?;
                if next.is_some() || now_us - compared_us < lease_ms * 1_000 {
                    return Ok(next);
                }
                compared_us = now_us;
                let abroad = self.epochs.abroad.as_mut().expect("a follower has a mirror");
                abroad.comparison.compare(&*store).await?;
                follower.look_around().await
            });
            let trouble = match looked {
                Ok(Some(chunk)) => {
                    self.apply_chunk(config, chunk)?;
                    None
                }
                Ok(None) => {
                    let is_stale = lease.is_stale(self.clock.boot_us(), lease_ms);
                    let is_told = std::fs::remove_file(&promote).is_ok();
                    // With another state than the leader had it leads when a person says so, and not by itself.
                    let abroad = self.epochs.abroad.as_ref().expect("a follower has a mirror");
                    let is_alike = abroad.comparison.differs_at.is_none();
                    let is_automatic = settings.takeover == Takeover::Automatic && is_alike;
                    if is_told || (is_stale && is_automatic) {
                        let end = follower.place();
                        let why = if is_told { "a person says so" } else { "the lease is stale" };
                        tracing::warn!(offset = end.offset.0, why, "this standby takes over");
                        let abroad = self.epochs.abroad.as_mut().expect("a follower has a mirror");
                        abroad.end = Some(end);
                        return Ok(Next::Lead);
                    }
                    std::thread::sleep(POLL);
                    None
                }
                Err(error) if error.is_passing() => {
                    std::thread::sleep(POLL);
                    Some(error.to_string())
                }
                Err(error) => return Err(error.into()),
            };
            self.go_on()?;
            self.tell(following, &lease, trouble);
            self.tell_board();
        }
    }

    /// Takes a chunk into our journal, and then its entries through the engine.
    pub(super) fn apply_chunk(
        &mut self,
        config: &crate::config::Config,
        chunk: Chunk,
    ) -> Result<(), RunError> {
        for entry in &chunk.entries {
            // What changes while a leader runs changes here as well, by the same entry.
            if let Entry::Configuration { engine, text, change: None } = entry
                && engine == env!("CARGO_PKG_VERSION")
            {
                configured::check(config, text)?;
            }
        }
        let end = chunk.end().offset;
        let Service { epochs, painter, stop, .. } = self;
        let abroad = epochs.abroad.as_mut().expect("a follower has a mirror");
        abroad.meet(chunk.generation, &chunk.writer, &mut until_room(painter, stop))?;
        abroad.mirrored = end;
        let mut first: Option<Offset> = None;
        for entry in &chunk.entries {
            let offset = self.once_written(|journal| journal.append(entry))?;
            first.get_or_insert(offset);
        }
        self.once_written(|journal| journal.sync())?;
        let mut offset = first.expect("a chunk has entries");
        for entry in &chunk.entries {
            self.step(offset, entry)?;
            offset = offset.next();
        }
        Ok(())
    }

    /// Does something with the journal; a full disk is waited for, and said.
    fn once_written<T>(
        &mut self,
        work: impl Fn(&mut ingest::journal::Journal) -> Result<T, JournalError>,
    ) -> Result<T, RunError> {
        loop {
            match self.epochs.journal.with(&work) {
                Err(error) if error.is_passing() && !self.stop.is_asked() => {
                    self.painter.say_not_ready(&format!("{error}, waiting"));
                    std::thread::sleep(FULL_PAUSE);
                }
                done => return Ok(done?),
            }
        }
    }

    fn tell(&self, following: &Following, lease: &LeaseWatch, trouble: Option<String>) {
        let abroad = self.epochs.abroad.as_ref().expect("a follower has a mirror");
        let seen = lease.lease();
        let next = self.epochs.place().0.next().0;
        let next_message = self.epochs.journal.with(|journal| journal.place().next_message);
        let comparison = &abroad.comparison;
        let difference = comparison.differs_at.as_ref().map(|(offset, theirs, ours)| StateDifference {
            offset: *offset,
            theirs: theirs.clone(),
            ours: ours.clone(),
        });
        let behind = seen.map_or(0, |lease| lease.mirrored.saturating_sub(next));
        let messages_behind = seen.map_or(0, |lease| lease.mirrored_message.saturating_sub(next_message));
        let view = MirrorView {
            place: abroad.store.place(),
            ack: abroad.settings.ack.as_str().to_owned(),
            generation: abroad.identity.generation,
            leader: abroad.identity.writer.clone(),
            mirrored_offset: abroad.mirrored.0.saturating_sub(1),
            lag_entries: behind + seen.map_or(0, |lease| lease.lag_entries),
            lag_messages: messages_behind + seen.map_or(0, |lease| lease.lag_messages),
            lag_bytes: seen.map_or(0, |lease| lease.lag_bytes),
            lag_seconds: seen.map_or(0.0, |lease| lease.lag_seconds),
            reachable: trouble.is_none(),
            compared_epoch: comparison.same_at,
            state_differences: comparison.differences,
            state_difference: difference,
        };
        let differs = comparison.differs_at.as_ref().map(|(offset, theirs, ours)| {
            format!("standby: the state at entry {offset} is {ours} here and {theirs} at the leader: do not promote it")
        });
        let trouble = trouble.map(|trouble| format!("standby: {trouble}"));
        let not_ready = differs.into_iter().chain(trouble).collect();
        *following.0.lock().unwrap_or_else(PoisonError::into_inner) = Known { view, not_ready };
    }
}
