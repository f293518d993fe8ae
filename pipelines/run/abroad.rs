//! What a service with a mirror has beside: who it is there, and epochs that wait to be shown.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ingest::entry::Entry;
use ingest::journal::Place;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Clock, Epoch, Offset};
use sinks::sink::Receipt;

use super::epochs::Wait;
use super::shared_journal::SharedJournal;
use super::{RunError, Stop};
use crate::config::{Config, MirrorSettings};
use crate::mirror::follower::Comparison;
use crate::mirror::manifest::{Manifest, Offered};
use crate::mirror::opening::{Prepared, Region, Role};
use crate::mirror::{self, Identity, Leader, Mirror, MirrorError, MirrorStatus, Store, node_of};
use crate::picture::{Painter, Watched};

/// Epochs that wait for the mirror. At the bound the newest but one is let go: the receipt of the newest speaks for it.
const UNSHOWN_MAX: usize = 16;
/// Pause before a mirror that is away is asked again.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// An epoch that is safe and not shown yet.
#[derive(Debug)]
pub(super) struct Unshown {
    pub(super) epoch: Epoch,
    pub(super) receipts: BTreeMap<String, Receipt>,
    pub(super) resume_at: Offset,
}

/// The other region.
#[derive(Debug)]
pub(super) struct Abroad {
    pub(super) settings: MirrorSettings,
    pub(super) store: Arc<dyn Store>,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) role: Role,
    pub(super) identity: Identity,
    /// The mirror's newest generation, and where it ended when we looked.
    pub(super) generation: u64,
    pub(super) end: Option<Place>,
    /// Checkpoints behind it must not be used.
    pub(super) checkpoints_until: Offset,
    /// As a leader.
    pub(super) status: Option<Arc<MirrorStatus>>,
    /// As a follower.
    pub(super) comparison: Comparison,
    /// All below is in the mirror, as far as is known without a status.
    pub(super) mirrored: Offset,
    journal_folder: std::path::PathBuf,
}

impl Abroad {
    /// Looks at the mirror and decides what to do, waiting until it can be known. `None` when asked to stop meanwhile.
    pub(super) fn prepare(
        config: &Config,
        settings: &MirrorSettings,
        clock: &Arc<dyn Clock>,
        painter: &mut Painter,
        runtime: &tokio::runtime::Runtime,
        (stop, wants_standby): (&Stop, bool),
    ) -> Result<Option<Abroad>, RunError> {
        let store = mirror::store(settings).map_err(MirrorError::from)?;
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
        let region = Region {
            config,
            storage: Arc::clone(&storage),
            clock: Arc::clone(clock),
            store: Arc::clone(&store),
        };
        let prepared = loop {
            if stop.is_asked() {
                return Ok(None);
            }
            let waiting = match runtime.block_on(region.prepare(wants_standby)) {
                Ok(Some(prepared)) => break prepared,
                Ok(None) => format!("standby: there is nothing to follow yet in {}", store.place()),
                Err(error) if error.is_passing() => {
                    if !wants_standby && !error.is_full() && may_go_alone(settings, &storage, config)? {
                        tracing::warn!(%error, "goes on without the mirror until that is back");
                        break region.alone()?;
                    }
                    format!("{error}, waiting")
                }
                Err(error) => return Err(error.into()),
            };
            painter.say_not_ready(&waiting);
            std::thread::sleep(AWAY_PAUSE);
        };
        Ok(Some(Abroad::of(region, settings, prepared)))
    }

    /// Of a region whose part is decided.
    pub(super) fn of(region: Region<'_>, settings: &MirrorSettings, prepared: Prepared) -> Abroad {
        let Prepared { role, identity, end, generation, checkpoints_until } = prepared;
        Abroad {
            settings: settings.clone(),
            store: region.store,
            storage: region.storage,
            role,
            identity,
            generation,
            mirrored: end.map_or(checkpoints_until, |end| end.offset),
            end,
            checkpoints_until,
            status: None,
            comparison: Comparison::default(),
            journal_folder: region.config.journal.folder.clone(),
        }
    }

    /// All below is in the mirror.
    pub(super) fn mirrored(&self) -> Offset {
        self.status.as_ref().map_or(self.mirrored, |status| status.mirrored())
    }

    /// Epochs up to there have been shown, which were in the mirror before.
    pub(super) fn set_shown(&mut self, until: Offset, wait: Wait<'_>) -> Result<(), MirrorError> {
        self.identity.shown = self.identity.shown.max(until.0);
        self.identity.claims_from = self.identity.claims_from.filter(|from| *from >= until.0);
        self.write_identity(wait)
    }

    /// A full disk is waited for.
    fn write_identity(&self, wait: Wait<'_>) -> Result<(), MirrorError> {
        loop {
            match self.identity.write(&self.storage, &self.journal_folder) {
                Err(error) if error.is_passing() && wait(&format!("{error}, waiting")) => {}
                written => return written,
            }
        }
    }

    /// Entries of a generation will be in our journal from now on.
    pub(super) fn meet(&mut self, generation: u64, writer: &str, wait: Wait<'_>) -> Result<(), MirrorError> {
        if self.identity.generation == generation && self.identity.writer == writer {
            return Ok(());
        }
        self.generation = generation;
        self.identity.generation = generation;
        writer.clone_into(&mut self.identity.writer);
        self.identity.claims_from = None;
        self.write_identity(wait)
    }

    /// Begins to lead: the thread that writes the mirror, and the entry that says so.
    pub(super) fn lead(
        &mut self,
        journal: &SharedJournal,
        clock: &Arc<dyn Clock>,
        keep: usize,
        wait: Wait<'_>,
    ) -> Result<(Mirror, Entry), RunError> {
        let (leader, status, entry) = self.leader(journal, clock, keep, wait)?;
        Ok((Mirror::start(leader, status).map_err(RunError::Threads)?, entry))
    }

    /// What whoever writes the mirror needs, and the entry that says that we lead.
    pub(super) fn leader(
        &mut self,
        journal: &SharedJournal,
        clock: &Arc<dyn Clock>,
        keep: usize,
        wait: Wait<'_>,
    ) -> Result<(Leader, Arc<MirrorStatus>, Entry), RunError> {
        let generation = self.generation.max(self.identity.generation) + 1;
        let writer = self.identity.process(&**clock);
        let (place, first) = journal.with(|journal| (journal.place(), journal.first_place()));
        let first = first?;
        self.generation = generation;
        self.identity.generation = generation;
        self.identity.writer.clone_from(&writer);
        // Another may have written there before us.
        self.identity.claims_from = Some(self.end.map_or(place.offset, |end| end.offset).0);
        self.write_identity(wait)?;
        let mirrored = self.end.unwrap_or(first);
        let status = MirrorStatus::new(&self.settings, Arc::clone(clock), place, mirrored);
        let status = Arc::new(status);
        let files = journal.clone();
        let leader = Leader {
            settings: self.settings.clone(),
            store: Arc::clone(&self.store),
            clock: Arc::clone(clock),
            read: Arc::new(move |from| files.with(|journal| journal.read(from))),
            identity: self.identity.clone(),
            first,
            leads_from: place.offset,
            end: self.end,
            keep,
        };
        tracing::info!(generation, offset = place.offset.0, "leads from here on, once the mirror says so");
        self.status = Some(Arc::clone(&status));
        Ok((leader, status, Entry::Generation { generation, writer }))
    }

    /// How the leader's part is told.
    pub(super) fn leading(&self) -> Arc<dyn Watched> {
        let status = self.status.clone().expect("it leads");
        let mirror = sinks::view::Mirror {
            place: self.store.place(),
            ack: self.settings.ack.as_str().to_owned(),
            generation: self.identity.generation,
            leader: self.identity.writer.clone(),
            ..sinks::view::Mirror::default()
        };
        Arc::new(Leading { status, mirror })
    }

    /// Whether states are compared at that epoch, and its checkpoint is mirrored.
    pub(super) fn is_compared(&self, epoch: Epoch) -> bool {
        epoch.0.is_multiple_of(self.settings.checkpoint_epochs)
    }

    /// Whether this process writes the mirror.
    pub(super) fn leads(&self) -> bool {
        self.status.is_some()
    }

    /// The state as of a checkpoint, its hash and the configuration's text: to the mirror as a leader, which has its
    /// `content`, to be compared as a follower.
    pub(super) fn compare(
        &mut self,
        epoch: Epoch,
        resume_at: Offset,
        (state_hash, configuration): (String, String),
        content: Option<Vec<u8>>,
    ) {
        let (Some(status), Some(content)) = (&self.status, content) else {
            self.comparison.own(epoch.0, state_hash);
            return;
        };
        let manifest = Manifest {
            format: Manifest::FORMAT,
            epoch: epoch.0,
            resume_at: resume_at.0,
            generation: self.identity.generation,
            writer: self.identity.writer.clone(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            state_hash,
            configuration,
            parts: Vec::new(),
        };
        status.offer(Offered { manifest, content: Bytes::from(content) });
    }
}

/// What others may know of a leader.
struct Leading {
    status: Arc<MirrorStatus>,
    mirror: sinks::view::Mirror,
}

impl Watched for Leading {
    fn role(&self) -> &'static str {
        "primary"
    }

    fn not_ready(&self) -> Vec<String> {
        self.status.not_ready()
    }

    fn view(&self) -> sinks::view::Mirror {
        let behind = self.status.behind();
        sinks::view::Mirror {
            mirrored_offset: self.status.mirrored().0.saturating_sub(1),
            lag_entries: behind.entries,
            lag_messages: behind.messages,
            lag_bytes: behind.bytes,
            lag_seconds: behind.seconds,
            reachable: self.status.is_reachable(),
            ..self.mirror.clone()
        }
    }
}

/// Whether this region led last and need not have the mirror to go on.
fn may_go_alone(
    settings: &MirrorSettings,
    storage: &Arc<dyn Storage>,
    config: &Config,
) -> Result<bool, MirrorError> {
    use crate::config::{Ack, Takeover};
    let identity = Identity::read(storage, &config.journal.folder)?;
    let led = identity.is_none_or(|it| it.writer.is_empty() || node_of(&it.writer) == it.node);
    Ok(led && settings.ack == Ack::Local && settings.takeover == Takeover::Manual)
}

/// Adds an epoch that waits; which one need not be kept any more, if so.
pub(super) fn wait_to_show(unshown: &mut VecDeque<Unshown>, epoch: Unshown) -> Option<Epoch> {
    unshown.push_back(epoch);
    let newest_but_one = unshown.len().checked_sub(2)?;
    (unshown.len() > UNSHOWN_MAX).then(|| unshown.remove(newest_but_one)).flatten().map(|let_go| let_go.epoch)
}
