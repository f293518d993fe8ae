//! Before a region with a mirror begins: its part is decided by the log, and its journal is made to agree with it.

use std::path::Path;
use std::sync::Arc;

use ingest::journal::{Journal, Place};
use ingest::storage::Storage;
use ingest::time::{Clock, Offset};

use super::chunk::Chunk;
use super::forks::Aside;
use super::head::Head;
use super::identity::{Identity, fresh};
use super::manifest::Manifest;
use super::regained::regain;
use super::standing::Standing;
use super::store::{Store, list_all};
use super::{JOURNAL, MirrorError, configured, decoded, node_of};
use crate::checkpoint::CheckpointFolder;
use crate::config::Config;

/// What a region is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes messages in, and writes the log.
    Leader,
    /// Applies what another writes.
    Follower,
}

/// A journal that agrees with the mirror.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub role: Role,
    pub identity: Identity,
    /// Where the mirror ends.
    pub end: Option<Place>,
    /// The mirror's newest generation.
    pub generation: u64,
    /// Checkpoints that resume behind it must not be used: their epochs may not be shown yet.
    pub checkpoints_until: Offset,
}

/// The parts that preparing works on.
#[derive(Clone, Debug)]
pub struct Region<'a> {
    pub config: &'a Config,
    pub storage: Arc<dyn Storage>,
    pub clock: Arc<dyn Clock>,
    pub store: Arc<dyn Store>,
}

impl Region<'_> {
    fn journal_folder(&self) -> &Path {
        &self.config.journal.folder
    }

    /// Without the mirror, which is not reachable: as the one who led, and alone.
    ///
    /// # Errors
    /// When the note beside the journal cannot be read or written.
    pub fn alone(&self) -> Result<Prepared, MirrorError> {
        let identity = self.identity(None)?;
        let (generation, until) = (identity.generation, identity.shown());
        Ok(Prepared { role: Role::Leader, identity, end: None, generation, checkpoints_until: until })
    }

    /// Looks at the mirror, decides, and makes the journal here fit: a fork is set aside, an empty one begins at the
    /// newest checkpoint. `None` where there is nothing yet to follow.
    ///
    /// # Errors
    /// A mirror that is not reachable, not ours, damaged, or newer.
    pub async fn prepare(&self, wants_standby: bool) -> Result<Option<Prepared>, MirrorError> {
        let known = Identity::read(&self.storage, self.journal_folder())?;
        let standing = Standing::of(&*self.store, known.as_ref()).await?;
        let place = || self.store.place();
        if let (Some(known), Some(head)) = (&known, &standing.head)
            && known.cluster != head.cluster
        {
            let (ours, theirs) = (known.cluster.clone(), head.cluster.clone());
            return Err(MirrorError::Foreign { place: place(), ours, theirs });
        }
        let Some((generation, leader)) = standing.leader.clone() else {
            if wants_standby {
                return Ok(None);
            }
            if standing.head.is_none() && known.as_ref().is_some_and(|known| known.generation > 0) {
                return Err(super::keeper::absent(&*self.store));
            }
            let has_journal = self.has_journal()?;
            let (journal, _) = Journal::open(Arc::clone(&self.storage), &self.config.journal)?;
            let ours = known.map_or_else(|| fresh(&*self.clock), |known| known.cluster);
            let head = Head::new(&ours, journal.first_offset().0, 0).make(&*self.store).await?;
            // Of two regions that begin at once one makes the mirror, and the other has no journal to lose.
            if head.cluster != ours && has_journal {
                return Err(MirrorError::Foreign { place: place(), ours, theirs: head.cluster });
            }
            let identity = self.identity(Some(head.cluster.clone()))?;
            if identity.cluster != head.cluster {
                let (ours, theirs) = (identity.cluster, head.cluster);
                return Err(MirrorError::Foreign { place: place(), ours, theirs });
            }
            let until = identity.shown();
            let end = None;
            return Ok(Some(Prepared {
                role: Role::Leader,
                identity,
                end,
                generation: 0,
                checkpoints_until: until,
            }));
        };
        let end = standing.end.expect("the newest chunk has an end");
        if known.is_none() && !wants_standby {
            return Err(MirrorError::Occupied { place: place() });
        }
        let has_journal = self.has_journal()?;
        if !has_journal && !self.begin(end).await? {
            return Ok(None);
        }
        let cluster = standing.head.as_ref().map(|head| head.cluster.clone());
        let mut identity = self.identity(cluster)?;
        let (mut journal, _) = Journal::open(Arc::clone(&self.storage), &self.config.journal)?;
        if let Some(fork) = standing.foreign_from
            && has_journal
            && journal.next_offset() > fork
        {
            self.set_aside(&mut journal, fork, &identity.writer)?;
        }
        // Nobody has been where this region's last process began to lead: then it leads on.
        let claims = identity.claims_from.is_some_and(|from| from >= end.offset.0);
        let did_lead = (node_of(&leader) == identity.node || claims) && standing.foreign_from.is_none();
        if did_lead && !wants_standby {
            regain(&*self.store, &mut journal, end).await?;
        }
        let ours = journal.next_offset();
        let role =
            if did_lead && ours >= end.offset && !wants_standby { Role::Leader } else { Role::Follower };
        if role == Role::Follower && ours > end.offset {
            return Err(MirrorError::Ahead { ours: ours.0 - 1, theirs: end.offset.0 - 1 });
        }
        let until = end.offset.max(identity.shown()).min(ours);
        if role == Role::Leader {
            identity.shown = identity.shown.max(until.0);
        }
        Ok(Some(Prepared { role, identity, end: Some(end), generation, checkpoints_until: until }))
    }

    /// The note beside the journal; written where there is none.
    fn identity(&self, cluster: Option<String>) -> Result<Identity, MirrorError> {
        if let Some(known) = Identity::read(&self.storage, self.journal_folder())? {
            return Ok(known);
        }
        let cluster = cluster.unwrap_or_else(|| fresh(&*self.clock));
        let mut identity = Identity::new(cluster, &*self.clock);
        // What a service without a mirror has shown stays shown.
        let checkpoints = self.checkpoints();
        let newest = checkpoints.and_then(|checkpoints| checkpoints.newest().ok().flatten());
        identity.shown = newest.map_or(0, |checkpoint| checkpoint.resume_at);
        identity.write(&self.storage, self.journal_folder())?;
        Ok(identity)
    }

    fn checkpoints(&self) -> Option<CheckpointFolder> {
        let settings = &self.config.checkpoint;
        CheckpointFolder::open(Arc::clone(&self.storage), &settings.folder, settings.keep).ok()
    }

    fn has_journal(&self) -> Result<bool, MirrorError> {
        match ingest::journal::ReadOnlyJournal::open(Arc::clone(&self.storage), self.journal_folder()) {
            Ok(journal) => Ok(journal.next_offset() > Offset(1)),
            Err(ingest::journal::JournalError::Missing { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a journal here, at the mirror's newest checkpoint, or at the first entry if the mirror has that. Whether
    /// there was any.
    async fn begin(&self, end: Place) -> Result<bool, MirrorError> {
        let Some(manifest) = Manifest::newest(&*self.store).await? else {
            let chunks = self.store.list(JOURNAL, "").await?;
            return Ok(chunks.first().is_some_and(|found| found.name == Chunk::name(Offset(1))));
        };
        if manifest.resume_at > end.offset.0 {
            return Ok(false);
        }
        configured::check(self.config, &manifest.configuration)?;
        let place = self.place_of(Offset(manifest.resume_at), end).await?;
        let content = manifest.content(&*self.store).await?;
        let checkpoints = self.checkpoints().ok_or_else(|| self.unwritable())?;
        checkpoints.put_bytes(manifest.epoch, &content).map_err(|_| self.unwritable())?;
        Journal::begin(&self.storage, &self.config.journal, place)?;
        tracing::info!(
            epoch = manifest.epoch,
            offset = manifest.resume_at,
            "begins at the mirror's newest checkpoint: exports and tables here hold what comes from now on"
        );
        Ok(true)
    }

    fn unwritable(&self) -> MirrorError {
        let folder = self.config.checkpoint.folder.display();
        MirrorError::Note(std::io::Error::other(format!("`{folder}` cannot be written")))
    }

    /// The place of an entry in the mirror, with all that was before.
    async fn place_of(&self, offset: Offset, end: Place) -> Result<Place, MirrorError> {
        if offset == end.offset {
            return Ok(end);
        }
        let chunks = list_all(&*self.store, JOURNAL, "").await?;
        let first =
            chunks.iter().filter_map(|found| Chunk::first_of(&found.name)).rfind(|first| *first <= offset);
        let place = || self.store.place();
        let gap = || MirrorError::Gap { place: place(), missing: offset.0, next: end.offset.0 };
        let first = first.ok_or_else(gap)?;
        let bytes = self.store.get(&Chunk::name(first)).await?.ok_or_else(gap)?;
        let chunk = decoded(&*self.store, first, &bytes)?;
        let mut at = chunk.place;
        let before = offset.0 - first.0;
        chunk.entries.iter().zip(0..before).for_each(|(entry, _)| at.pass(entry));
        if at.offset == offset { Ok(at) } else { Err(gap()) }
    }

    /// Writes what the journal holds from `fork` on into files beside it, and takes it out. Checkpoints behind the fork
    /// are none any more; nothing of them was ever shown.
    fn set_aside(&self, journal: &mut Journal, fork: Offset, writer: &str) -> Result<(), MirrorError> {
        let end = journal.next_offset();
        let first = fork.max(journal.first_offset());
        let entries = journal.read(first)?.map(|read| Ok(read?));
        let (storage, folder) = (&*self.storage, self.journal_folder());
        let files = Aside { storage, folder, writer }.put(entries)?;
        journal.cut_back(fork)?;
        let entries = end.0 - first.0;
        tracing::warn!(
            from = fork.0,
            entries,
            ?files,
            "another region leads since; what was written here after that is set aside, and handed to it"
        );
        metrics::counter!("andon_mirror_fork_entries_total").increment(entries);
        Ok(())
    }
}
