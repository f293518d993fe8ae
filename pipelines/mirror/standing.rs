//! How a journal here stands to the one in the mirror: who leads, where that one ends, and where ours leaves it.

use ingest::journal::Place;
use ingest::time::Offset;

use super::chunk::Chunk;
use super::head::{Head, Lease};
use super::identity::Identity;
use super::store::{Found, Store, list_all};
use super::{JOURNAL, MirrorError, decoded};

/// The mirror as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub head: Option<Head>,
    /// Generation and writer of the newest chunk.
    pub leader: Option<(u64, String)>,
    /// Behind the newest chunk.
    pub end: Option<Place>,
    /// Where the chunks begin of writers whose entries are not in our journal: what ours has there is a fork.
    pub foreign_from: Option<Offset>,
}

impl Standing {
    /// Looks at the mirror. `identity` is what our journal holds; nothing where there is none.
    ///
    /// # Errors
    /// A store that does not answer, a chunk that is damaged or newer.
    pub async fn of(store: &dyn Store, identity: Option<&Identity>) -> Result<Standing, MirrorError> {
        let head = Head::read(store).await?;
        // The lease tells where to look for the end; without it all names are listed.
        let hint = Lease::read(store).await.ok().flatten().map(|lease| Offset(lease.chunk.saturating_sub(1)));
        let behind = hint.map_or(String::new(), Chunk::name);
        let mut chunks = list_all(store, JOURNAL, &behind).await?;
        if chunks.is_empty() && hint.is_some() {
            chunks = list_all(store, JOURNAL, "").await?;
        }
        let mut standing = Standing { head, leader: None, end: None, foreign_from: None };
        let Some(newest) = chunks.iter().rev().find_map(|found| Chunk::first_of(&found.name)) else {
            return Ok(standing);
        };
        let newest = read(store, newest).await?;
        standing.end = Some(newest.end());
        if let Some(identity) = identity {
            let lost = lost_claim(store, identity, &newest).await?;
            let beyond = if is_foreign(identity, &newest) {
                let all = list_all(store, JOURNAL, "").await?;
                first_foreign(store, identity, &all).await?
            } else {
                None
            };
            standing.foreign_from = lost.into_iter().chain(beyond).min();
        }
        standing.leader = Some((newest.generation, newest.writer));
        Ok(standing)
    }

    /// Another that has written what our journal does not have.
    pub(super) fn foreign(&self, identity: &Identity) -> Option<(u64, &str)> {
        let (generation, writer) = self.leader.as_ref()?;
        is_beyond(identity, *generation, writer).then_some((*generation, writer))
    }
}

fn is_foreign(identity: &Identity, chunk: &Chunk) -> bool {
    is_beyond(identity, chunk.generation, &chunk.writer)
}

/// Generations rise along the log, and each has one writer there.
fn is_beyond(identity: &Identity, generation: u64, writer: &str) -> bool {
    generation > identity.generation || (generation == identity.generation && writer != identity.writer)
}

async fn read(store: &dyn Store, first: Offset) -> Result<Chunk, MirrorError> {
    let bytes = store.get(&Chunk::name(first)).await?;
    let bytes = bytes.ok_or_else(|| MirrorError::Object {
        place: store.place(),
        name: Chunk::name(first),
        reason: "it was listed and is not there".to_owned(),
    })?;
    decoded(store, first, &bytes)
}

/// The chunk of another where our writer meant to begin: one who has led before us, and was faster.
async fn lost_claim(
    store: &dyn Store,
    identity: &Identity,
    newest: &Chunk,
) -> Result<Option<Offset>, MirrorError> {
    let Some(from) = identity.claims_from.map(Offset).filter(|from| *from < newest.end().offset) else {
        return Ok(None);
    };
    let all = list_all(store, JOURNAL, "").await?;
    let mut firsts = all.iter().filter_map(|found| Chunk::first_of(&found.name));
    // It has been trimmed away: what is left tells by its generation.
    let Some(first) = firsts.rfind(|first| *first <= from) else { return Ok(None) };
    let chunk = read(store, first).await?;
    Ok((chunk.end().offset > from && chunk.writer != identity.writer).then_some(first.max(from)))
}

/// The first chunk that is foreign, by halving.
async fn first_foreign(
    store: &dyn Store,
    identity: &Identity,
    all: &[Found],
) -> Result<Option<Offset>, MirrorError> {
    let firsts: Vec<Offset> = all.iter().filter_map(|found| Chunk::first_of(&found.name)).collect();
    let (mut low, mut high) = (0, firsts.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if is_foreign(identity, &read(store, firsts[middle]).await?) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(firsts.get(low).copied())
}
