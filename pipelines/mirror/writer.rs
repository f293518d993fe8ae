//! Puts the journal into the mirror, chunk after chunk. No threads and no clock: whoever drives it decides when.

use std::sync::Arc;

use bytes::Bytes;
use ingest::entry::Entry;
use ingest::journal::Place;
use ingest::time::Offset;

use super::chunk::Chunk;
use super::manifest::{self, Offered};
use super::store::{Store, list_all};
use super::{JOURNAL, MirrorError, decoded, head::Head};

/// The one who writes.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) cluster: String,
    pub(super) generation: u64,
    /// `NODE.PROCESS`.
    pub(super) name: String,
    /// Where the next chunk begins.
    pub(super) place: Place,
    /// First entry of the newest chunk.
    pub(super) chunk: Offset,
    /// A chunk whose put has failed: it may be there, and the next attempt must be the same bytes.
    unanswered: Option<(Bytes, Place)>,
}

/// What became of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    /// The place is another's.
    Taken {
        generation: u64,
        writer: String,
    },
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn Store>,
        cluster: &str,
        generation: u64,
        name: &str,
        place: Place,
    ) -> Self {
        Writer {
            store,
            cluster: cluster.to_owned(),
            generation,
            name: name.to_owned(),
            place,
            chunk: place.offset,
            unanswered: None,
        }
    }

    /// Whether an attempt has had no answer: then [`Writer::put`] tries that one again, whatever it is given.
    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }

    /// Puts entries, at least one, where the last chunk ended.
    ///
    /// # Errors
    /// A store that does not answer: the same chunk is put again by the next call.
    pub(super) async fn put(&mut self, entries: Vec<Entry>) -> Result<Put, MirrorError> {
        let first = self.place.offset;
        let (bytes, end) = match self.unanswered.take() {
            Some(unanswered) => unanswered,
            None => {
                let (place, generation) = (self.place, self.generation);
                let chunk = Chunk { place, generation, writer: self.name.clone(), entries };
                (chunk.encode(), chunk.end())
            }
        };
        self.unanswered = Some((bytes.clone(), end));
        if !self.store.put_new(&Chunk::name(first), bytes.clone()).await? {
            let there = self.store.get(&Chunk::name(first)).await?;
            if there.as_ref() != Some(&bytes) {
                let Some(there) = there else { return Ok(self.taken(0, "somebody who has removed it")) };
                let there = decoded(&*self.store, first, &there)?;
                return Ok(self.taken(there.generation, &there.writer));
            }
        }
        self.unanswered = None;
        self.chunk = first;
        self.place = end;
        Ok(Put::Done)
    }

    fn taken(&mut self, generation: u64, writer: &str) -> Put {
        self.unanswered = None;
        Put::Taken { generation, writer: writer.to_owned() }
    }

    /// Whether another has written where our next chunk goes. What we put there ourselves is no other's.
    ///
    /// # Errors
    /// A store that does not answer.
    pub(super) async fn look(
        store: &dyn Store,
        name: &str,
        next: Offset,
    ) -> Result<Option<(u64, String)>, MirrorError> {
        let Some(bytes) = store.get(&Chunk::name(next)).await? else { return Ok(None) };
        let there = decoded(store, next, &bytes)?;
        Ok((there.writer != name).then_some((there.generation, there.writer)))
    }

    /// Puts a checkpoint and removes those beyond the newest `keep`.
    ///
    /// # Errors
    /// A store that does not answer. What is there stays of use.
    pub(super) async fn put_checkpoint(&mut self, offered: Offered, keep: usize) -> Result<(), MirrorError> {
        offered.put(&*self.store).await?;
        let epochs = manifest::epochs(&*self.store).await?;
        if let Some(first) = epochs.len().checked_sub(keep.max(1)) {
            manifest::remove_before(&*self.store, epochs[first]).await?;
        }
        Ok(())
    }

    /// Removes chunks that no kept checkpoint needs and that are older than `retain_ms` by the store's clock: `HEAD`
    /// says so first. How many these were.
    ///
    /// # Errors
    /// A store that does not answer. What is left is whole.
    pub(super) async fn trim(&mut self, retain_ms: i64) -> Result<u64, MirrorError> {
        let store = Arc::clone(&self.store);
        let Some(oldest) = manifest::epochs(&*store).await?.first().copied() else { return Ok(0) };
        let Some(oldest) = manifest::Manifest::read(&*store, oldest).await? else { return Ok(0) };
        let chunks = list_all(&*store, JOURNAL, "").await?;
        let Some(newest_ms) = chunks.last().map(|found| found.modified_ms) else { return Ok(0) };
        let firsts: Vec<(Offset, i64)> = chunks
            .iter()
            .filter_map(|found| Some((Chunk::first_of(&found.name)?, found.modified_ms)))
            .collect();
        // A chunk can go if the next one begins at or before the entry where a recovery begins.
        let is_over = |pair: &&[(Offset, i64)]| {
            pair[1].0.0 <= oldest.resume_at && pair[0].1 < newest_ms.saturating_sub(retain_ms)
        };
        let over: Vec<Offset> = firsts.windows(2).take_while(is_over).map(|pair| pair[0].0).collect();
        let Some(last) = over.last() else { return Ok(0) };
        let lowest = firsts.iter().find(|(first, _)| first > last).map_or(self.place.offset.0, |it| it.0.0);
        Head::new(&self.cluster, lowest, self.generation).replace(&*store).await?;
        for first in &over {
            store.remove(&Chunk::name(*first)).await?;
        }
        Ok(over.len() as u64)
    }
}
