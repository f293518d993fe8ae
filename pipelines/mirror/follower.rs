//! Follows a mirror: its chunks in order, and whether their writer is still there.

use std::collections::BTreeMap;
use std::sync::Arc;

use ingest::journal::Place;
use ingest::time::{Clock, Offset};

use super::chunk::Chunk;
use super::head::{Head, Lease};
use super::manifest::Manifest;
use super::store::{Store, list_all};
use super::{JOURNAL, MirrorError, decoded};

/// So many own hashes wait for the leader's.
const HASHES_MAX: usize = 16;

/// Reads the log behind a place.
#[derive(Debug)]
pub struct Follower {
    store: Arc<dyn Store>,
    next: Place,
}

impl Follower {
    /// Goes on at `next`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, next: Place) -> Self {
        Follower { store, next }
    }

    /// The place behind the last chunk.
    #[must_use]
    pub fn place(&self) -> Place {
        self.next
    }

    /// The next chunk, if it is there: only entries that we do not have.
    ///
    /// # Errors
    /// A store that does not answer, a chunk that does not go on where the last ended.
    pub async fn next(&mut self) -> Result<Option<Chunk>, MirrorError> {
        let first = self.next.offset;
        let Some(bytes) = self.store.get(&Chunk::name(first)).await? else { return Ok(None) };
        let chunk = decoded(&*self.store, first, &bytes)?;
        if chunk.place != self.next {
            return Err(MirrorError::Differs { place: self.store.place(), offset: first.0 });
        }
        self.next = chunk.end();
        Ok(Some(chunk))
    }

    /// Where our place is within a chunk, the rest of it: a crash may have left a part here.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn rest(&mut self) -> Result<Option<Chunk>, MirrorError> {
        let next = self.next;
        let chunks = list_all(&*self.store, JOURNAL, "").await?;
        let before = |first: &Offset| *first < next.offset;
        let Some(first) = chunks.iter().filter_map(|found| Chunk::first_of(&found.name)).rfind(before) else {
            return Ok(None);
        };
        let Some(bytes) = self.store.get(&Chunk::name(first)).await? else { return Ok(None) };
        let mut chunk = decoded(&*self.store, first, &bytes)?;
        let end = chunk.end();
        if end.offset <= next.offset {
            return Ok(None);
        }
        let held = usize::try_from(next.offset.0 - first.0).unwrap_or(usize::MAX);
        chunk.entries.drain(..held).for_each(|entry| chunk.place.pass(&entry));
        if chunk.place != next {
            return Err(MirrorError::Differs { place: self.store.place(), offset: next.offset.0 });
        }
        self.next = end;
        Ok(Some(chunk))
    }

    /// Nothing more is there: whether that is the end, and not a gap.
    ///
    /// # Errors
    /// A gap, or a mirror that no longer has what comes next.
    pub async fn look_around(&mut self) -> Result<Option<Chunk>, MirrorError> {
        let next = self.next.offset;
        let before = Chunk::name(Offset(next.0.saturating_sub(1)));
        let later = self.store.list(JOURNAL, &before).await?;
        let Some(later) = later.iter().find_map(|found| Chunk::first_of(&found.name)) else {
            return Ok(None);
        };
        if later == next {
            return self.next().await;
        }
        if let Some(head) = Head::read(&*self.store).await?.filter(|head| head.lowest > next.0) {
            return Err(MirrorError::Trimmed {
                place: self.store.place(),
                wanted: next.0,
                lowest: head.lowest,
            });
        }
        // It may have come between the two looks.
        match self.next().await? {
            Some(chunk) => Ok(Some(chunk)),
            None => Err(MirrorError::Gap { place: self.store.place(), missing: next.0, next: later.0 }),
        }
    }
}

/// Watches the leader's lease by our own clock.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    seen: Option<Lease>,
    /// When its beat was first seen, by a clock that counts suspension.
    since_us: u64,
}

impl LeaseWatch {
    /// The lease as it is now; `None` where there is none.
    pub fn see(&mut self, lease: Option<Lease>, now_us: u64) {
        let beat = |lease: &Option<Lease>| lease.as_ref().map(|lease| (lease.writer.clone(), lease.beat));
        if beat(&lease) != beat(&self.seen) || self.since_us == 0 {
            self.since_us = now_us;
        }
        self.seen = lease;
    }

    /// It was not renewed within its length, and a tenth for the way. `ours_ms` is our own setting.
    #[must_use]
    pub fn is_stale(&self, now_us: u64, ours_ms: u64) -> bool {
        let lease_ms = self.seen.as_ref().map_or(ours_ms, |lease| lease.lease_ms.max(ours_ms));
        self.since_us > 0 && now_us.saturating_sub(self.since_us) > lease_ms * 1_100
    }

    /// What was seen last.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.seen.as_ref()
    }
}

/// State hashes here, to be held against the leader's.
#[derive(Debug, Default)]
pub struct Comparison {
    own: BTreeMap<u64, String>,
    /// The newest epoch at which both had the same state.
    pub same_at: Option<u64>,
    /// The first at which they had not: offset, their hash, ours.
    pub differs_at: Option<(u64, String, String)>,
    pub differences: u64,
}

impl Comparison {
    /// Our state's hash as of an epoch.
    pub fn own(&mut self, epoch: u64, hash: String) {
        self.own.insert(epoch, hash);
        while self.own.len() > HASHES_MAX {
            self.own.pop_first();
        }
    }

    /// Holds ours against those manifests that have come.
    ///
    /// # Errors
    /// A store that does not answer, a manifest that is damaged.
    pub async fn compare(&mut self, store: &dyn Store) -> Result<(), MirrorError> {
        for epoch in self.own.keys().copied().collect::<Vec<_>>() {
            let Some(manifest) = Manifest::read(store, epoch).await? else { continue };
            // Byte equality is promised for one engine version.
            let ours = self.own.split_off(&(epoch + 1));
            let own = std::mem::replace(&mut self.own, ours).remove(&epoch).unwrap_or_default();
            if manifest.engine != env!("CARGO_PKG_VERSION") {
                continue;
            }
            if own == manifest.state_hash {
                self.same_at = Some(epoch);
                continue;
            }
            self.differences += 1;
            tracing::error!(
                epoch,
                offset = manifest.resume_at,
                ours = own,
                theirs = manifest.state_hash,
                "this standby's state is not the leader's: do not promote it; keep both journals and report this"
            );
            self.differs_at.get_or_insert((manifest.resume_at, manifest.state_hash, own));
        }
        Ok(())
    }
}

/// The lease, read anew and seen.
///
/// # Errors
/// A store that does not answer.
pub async fn see_lease(
    watch: &mut LeaseWatch,
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<(), MirrorError> {
    // The time before the answer: a lease is never thought older than it is.
    let lease = Lease::read(store).await?;
    watch.see(lease, clock.boot_us());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(beat: u64) -> Option<Lease> {
        Some(Lease {
            format: Lease::FORMAT,
            generation: 1,
            writer: "a.1".to_owned(),
            beat,
            lease_ms: 2_000,
            chunk: 1,
            mirrored: 1,
            mirrored_message: 0,
            lag_entries: 0,
            lag_messages: 0,
            lag_bytes: 0,
            lag_seconds: 0.0,
        })
    }

    #[test]
    fn a_lease_is_stale_when_its_beat_stands_still_for_its_length() {
        let mut watch = LeaseWatch::default();
        assert!(!watch.is_stale(10_000_000, 2_000), "it was never looked at");
        watch.see(lease(1), 1_000_000);
        watch.see(lease(1), 2_500_000);
        assert!(!watch.is_stale(3_100_000, 2_000));
        assert!(watch.is_stale(3_300_000, 2_000));
        watch.see(lease(2), 3_300_000);
        assert!(!watch.is_stale(5_000_000, 2_000));
        assert!(!watch.is_stale(5_600_000, 3_000), "the longer of both settings holds");
        assert!(watch.is_stale(6_700_000, 3_000));
    }

    #[test]
    fn where_nobody_ever_had_a_lease_it_is_stale_after_our_own() {
        let mut watch = LeaseWatch::default();
        watch.see(None, 1_000_000);
        watch.see(None, 2_000_000);
        assert!(watch.is_stale(3_300_000, 2_000));
    }
}
