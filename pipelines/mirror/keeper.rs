//! Keeps the lease: renews it, and says until when we may acknowledge.

use std::sync::Arc;
use std::time::Duration;

use ingest::time::{Clock, Offset};

use super::MirrorError;
use super::head::{Head, Lease};
use super::status::MirrorStatus;
use super::store::{Store, StoreError};
use super::writer::Writer;

/// A mirror whose `HEAD` is gone is not the one it was: perhaps a disk that is no longer mounted.
pub(super) fn absent(store: &dyn Store) -> MirrorError {
    let reason =
        "it has no `HEAD`, and this journal was mirrored before: mount it; to begin a new mirror there, \
                  remove the file `mirror` from the journal's folder"
            .to_owned();
    StoreError::Unreachable { place: store.place(), reason }.into()
}

/// Renews the lease of one who leads.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) store: Arc<dyn Store>,
    pub(super) status: Arc<MirrorStatus>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cluster: String,
    pub(super) generation: u64,
    pub(super) name: String,
    pub(super) lease: Duration,
    pub(super) beat: u64,
}

impl Keeper {
    /// Renews once. After a lapse the head of the log is read before: another may have taken over meanwhile.
    ///
    /// # Errors
    /// A store that does not answer; then we may go on only if the settings let us be alone.
    pub(super) async fn renew(&mut self, chunk: Offset, next: Offset) -> Result<(), MirrorError> {
        let started_us = self.clock.boot_us();
        let until_us = started_us.saturating_add(self.lease.as_micros() as u64);
        match self.try_renew(chunk, next).await {
            Ok(true) => self.status.permit(until_us),
            Ok(false) => {}
            Err(error) => {
                if error.is_passing() && self.status.may_be_alone() {
                    self.alone();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// The mirror is away and we may go on without it, until the next attempt has had time to fail as well.
    pub(super) fn alone(&self) {
        self.status.permit(self.clock.boot_us().saturating_add(2 * self.lease.as_micros() as u64));
    }

    async fn try_renew(&mut self, chunk: Offset, next: Offset) -> Result<bool, MirrorError> {
        let head = Head::read(&*self.store).await?.ok_or_else(|| absent(&*self.store))?;
        if head.cluster != self.cluster {
            self.status.fence(format!("the mirror now belongs to journal {}", head.cluster));
            return Ok(false);
        }
        if self.status.is_lapsed()
            && let Some((generation, writer)) = Writer::look(&*self.store, &self.name, next).await?
        {
            self.status.fence(super::driver::taken(next, generation, &writer));
            return Ok(false);
        }
        self.beat += 1;
        let behind = self.status.behind();
        let lease = Lease {
            format: Lease::FORMAT,
            generation: self.generation,
            writer: self.name.clone(),
            beat: self.beat,
            lease_ms: self.lease.as_millis() as u64,
            chunk: chunk.0,
            mirrored: next.0,
            mirrored_message: behind.mirrored_message,
            lag_entries: behind.entries,
            lag_messages: behind.messages,
            lag_bytes: behind.bytes,
            lag_seconds: behind.seconds,
        };
        lease.write(&*self.store).await?;
        Ok(true)
    }
}
