//! What the mirror's thread does, and when.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ingest::entry::Entry;
use ingest::journal::Entries;
use ingest::time::Offset;

use super::head::Head;
use super::keeper::Keeper;
use super::standing::Standing;
use super::status::MirrorStatus;
use super::store::Timed;
use super::tail::{Work, size_of_entry};
use super::writer::{Put, Writer};
use super::{Identity, Leader, MirrorError};
use crate::config::Ack;

/// A chunk is about so large at most.
const CHUNK_BYTES: usize = 4 << 20;
/// Pauses after an error, doubling.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The lease is renewed so many times within its length.
const BEATS: u32 = 4;

/// Why a place in the log is no longer ours.
pub(super) fn taken(offset: Offset, generation: u64, writer: &str) -> String {
    format!("{writer} leads since generation {generation}: it has written entry {} of the mirror", offset.0)
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Done,
    /// There is nothing to put.
    Nothing,
    /// The mirror does not do its part.
    Failed,
}

/// What is kept from turn to turn: where a writer that has fallen behind reads, and when it last trimmed, by
/// [`ingest::time::Clock::boot_us`].
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) files: Option<Entries>,
    pub(super) trimmed_us: u64,
}

/// Drives the writer and the lease's keeper, each at its own pace.
pub(super) struct Driver {
    leader: Leader,
    status: Arc<MirrorStatus>,
    /// Where the newest chunk begins and ends, once that is known.
    end: Cell<Option<(Offset, Offset)>>,
    /// Whether our generation is in the log.
    is_leading: Cell<bool>,
    led: tokio::sync::Notify,
}

impl Driver {
    pub(super) fn new(leader: Leader, status: Arc<MirrorStatus>) -> Self {
        Driver {
            leader,
            status,
            end: Cell::new(None),
            is_leading: Cell::new(false),
            led: tokio::sync::Notify::new(),
        }
    }

    pub(super) async fn run(self) {
        tokio::join!(self.write(), self.keep());
    }

    pub(super) fn is_over(&self) -> bool {
        self.status.is_stopped() || self.status.fenced().is_some()
    }

    async fn pause(&self, pause: &mut Duration) {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSE_MAX);
    }

    pub(super) fn keeper(&self) -> Keeper {
        let identity = &self.leader.identity;
        Keeper {
            store: Arc::new(Timed::new(Arc::clone(&self.leader.store), self.leader.settings.lease / 2)),
            status: Arc::clone(&self.status),
            clock: Arc::clone(&self.leader.clock),
            cluster: identity.cluster.clone(),
            generation: identity.generation,
            name: identity.writer.clone(),
            lease: self.leader.settings.lease,
            beat: 0,
        }
    }

    /// Renews the lease as long as we lead.
    async fn keep(&self) {
        let mut keeper = self.keeper();
        let pause = self.leader.settings.lease / BEATS;
        while !self.is_over() {
            self.beat(&mut keeper).await;
            // At once when we begin to lead.
            let _ = tokio::time::timeout(pause, self.led.notified()).await;
        }
    }

    /// Renews the lease once. Before our generation is in the log there is nothing to renew.
    pub(super) async fn beat(&self, keeper: &mut Keeper) {
        if let Some((chunk, next)) = self.end.get().filter(|_| self.is_leading.get()) {
            if let Err(error) = keeper.renew(chunk, next).await {
                self.status.set_trouble(Some(error.to_string()));
            }
        } else if self.status.may_be_alone() {
            match Head::read(&*self.leader.store).await {
                Err(error) if error.is_passing() => keeper.alone(),
                _ => {}
            }
        }
    }

    async fn write(&self) {
        let Some(mut writer) = self.located().await else { return };
        let mut pause = PAUSE_MIN;
        let mut kept = Kept { files: None, trimmed_us: self.leader.clock.boot_us() };
        loop {
            if self.is_over() && !self.has_last_work(&writer) {
                return;
            }
            match self.turn(&mut writer, &mut kept).await {
                Turn::Done => pause = PAUSE_MIN,
                Turn::Nothing if self.is_over() => return,
                Turn::Nothing => {
                    let _ = tokio::time::timeout(PAUSE_MAX, self.status.work.notified()).await;
                    if self.leader.settings.ack == Ack::Local && self.is_leading.get() && !self.is_over() {
                        // Fewer and larger chunks, where nobody waits for them.
                        tokio::time::sleep(self.leader.settings.interval).await;
                    }
                }
                Turn::Failed => self.pause(&mut pause).await,
            }
        }
    }

    /// Puts the next chunk, or the checkpoint that waits.
    pub(super) async fn turn(&self, writer: &mut Writer, kept: &mut Kept) -> Turn {
        match self.put(writer, &mut kept.files).await {
            Ok(true) => {
                self.status.set_trouble(None);
                Turn::Done
            }
            Ok(false) => {
                let Some(offered) = self.status.take_offered() else { return Turn::Nothing };
                let put = writer.put_checkpoint(offered, self.leader.keep).await;
                put.unwrap_or_else(|error| tracing::warn!(%error, "a checkpoint is not in the mirror"));
                let now_us = self.leader.clock.boot_us();
                let trim_us = (self.leader.settings.retain / 24).max(Duration::from_secs(1)).as_micros();
                if u128::from(now_us - kept.trimmed_us) >= trim_us {
                    kept.trimmed_us = now_us;
                    let retain_ms = self.leader.settings.retain.as_millis() as i64;
                    let trimmed = writer.trim(retain_ms).await;
                    trimmed.map_or_else(
                        |error| tracing::warn!(%error, "the mirror is not trimmed"),
                        |chunks| tracing::debug!(chunks, "the mirror is trimmed"),
                    );
                }
                Turn::Done
            }
            Err(error) => {
                self.status.set_trouble(Some(error.to_string()));
                kept.files = None;
                Turn::Failed
            }
        }
    }

    /// What is durable is still mirrored when the service ends, unless the mirror is away or another's.
    fn has_last_work(&self, writer: &Writer) -> bool {
        let is_reachable = self.status.not_ready().is_empty();
        is_reachable && !matches!(self.status.work_from(writer.place.offset, 1), Work::Nothing)
    }

    /// Puts the next chunk, if there is one.
    async fn put(&self, writer: &mut Writer, files: &mut Option<Entries>) -> Result<bool, MirrorError> {
        let entries = if writer.is_unanswered() {
            Vec::new()
        } else {
            match self.status.work_from(writer.place.offset, CHUNK_BYTES) {
                Work::Nothing => return Ok(false),
                Work::Entries(entries) => {
                    *files = None;
                    entries
                }
                Work::Behind(durable) => self.read(writer.place.offset, durable, files)?,
            }
        };
        let first = writer.place.offset;
        match writer.put(entries).await? {
            Put::Done => {
                let next = writer.place.offset;
                self.end.set(Some((first, next)));
                if next > self.leader.leads_from && !self.is_leading.replace(true) {
                    self.led.notify_one();
                }
                self.status.set_mirrored(writer.place);
            }
            Put::Taken { generation, writer } => self.status.fence(taken(first, generation, &writer)),
        }
        Ok(true)
    }

    /// Entries from the journal's files.
    fn read(
        &self,
        from: Offset,
        durable: Offset,
        files: &mut Option<Entries>,
    ) -> Result<Vec<Entry>, MirrorError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut next = from;
        while next < durable && bytes < CHUNK_BYTES {
            let reader = match files {
                Some(reader) => reader,
                None => files.insert((self.leader.read)(next)?),
            };
            match reader.next().transpose()? {
                Some((offset, entry)) => {
                    assert_eq!(offset, next, "the journal is read in order");
                    next = next.next();
                    bytes += size_of_entry(&entry);
                    entries.push(entry);
                }
                None => *files = None,
            }
        }
        Ok(entries)
    }

    /// Where the mirror ends, once it is reachable; `None` where we do not lead.
    async fn located(&self) -> Option<Writer> {
        let mut pause = PAUSE_MIN;
        while !self.is_over() {
            match self.locate().await {
                Ok(located) => return located,
                Err(error) if error.is_passing() => {
                    self.status.set_trouble(Some(error.to_string()));
                    self.pause(&mut pause).await;
                }
                Err(error) => self.status.fence(error.to_string()),
            }
        }
        None
    }

    pub(super) async fn locate(&self) -> Result<Option<Writer>, MirrorError> {
        let Leader { store, identity, first, end, .. } = &self.leader;
        let place = match end {
            Some(end) => *end,
            None => {
                let standing = Standing::of(&**store, Some(identity)).await?;
                if let Some((generation, writer)) = standing.foreign(identity) {
                    let at = standing.foreign_from.unwrap_or(first.offset);
                    self.status.fence(taken(at, generation, writer));
                    return Ok(None);
                }
                if standing.head.is_none() && identity.generation > 1 {
                    return Err(super::keeper::absent(&**store));
                }
                let end = standing.end.unwrap_or(*first);
                if end.offset > self.leader.leads_from {
                    // Of our own, from before this journal was put back from a backup.
                    let (generation, writer) = standing.leader.unwrap_or_default();
                    self.status.fence(taken(self.leader.leads_from, generation, &writer));
                    return Ok(None);
                }
                end
            }
        };
        let head = Head::new(&identity.cluster, place.offset.0, identity.generation).make(&**store).await?;
        if head.cluster != identity.cluster {
            let (ours, theirs) = (identity.cluster.clone(), head.cluster);
            return Err(MirrorError::Foreign { place: store.place(), ours, theirs });
        }
        self.status.set_mirrored(place);
        let Identity { cluster, generation, writer, .. } = identity;
        Ok(Some(Writer::new(Arc::clone(store), cluster, *generation, writer, place)))
    }
}
