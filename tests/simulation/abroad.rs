//! The other region's disk, which has faults of its own, and what must be on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ingest::entry::Entry;
use ingest::storage::{CrashStorage, Storage};
use ingest::time::{Clock, Offset};
use pipelines::checkpoint::Checkpoint;
use pipelines::config::{Ack, MirrorPlace, MirrorSettings, Takeover};
use pipelines::mirror::chunk::Chunk;
use pipelines::mirror::head::Head;
use pipelines::mirror::manifest::Manifest;
use pipelines::mirror::store::{FolderStore, Store};

use super::plant::Plant;

/// Where it is mounted.
const MOUNTED: &str = "/abroad";

/// The clock of a life, which goes on while a process is down, and names that are the same each time.
#[derive(Debug, Default)]
pub(crate) struct WorldClock {
    now_ms: AtomicI64,
    drawn: AtomicU64,
}

impl WorldClock {
    pub(crate) fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for WorldClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_us(&self) -> u64 {
        self.now_ms().unsigned_abs() * 1_000
    }

    fn drawn(&self) -> String {
        self.drawn.fetch_add(1, Ordering::SeqCst).to_string()
    }
}

/// A mirror in the other region.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    pub(crate) storage: CrashStorage,
    pub(crate) settings: MirrorSettings,
}

impl Mirror {
    pub(crate) fn new(seed: u64, ack: Ack) -> Mirror {
        let settings = MirrorSettings {
            place: MirrorPlace::Folder(MOUNTED.into()),
            ack,
            takeover: Takeover::Automatic,
            lease: Duration::from_secs(2),
            interval: Duration::ZERO,
            checkpoint_epochs: 1 + seed % 2,
            retain: Duration::from_millis(150),
            behind_bytes_max: 1 << 20,
        };
        Mirror { storage: CrashStorage::new(!seed), settings }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        let storage: Arc<dyn Storage> = Arc::new(self.storage.clone());
        Arc::new(FolderStore::on(storage, PathBuf::from(MOUNTED)))
    }

    /// The first offset that it has, and its entries from there on.
    fn entries(&self) -> Result<(u64, Vec<Entry>), String> {
        let files = self.storage.files();
        let head = files.iter().find(|(path, _)| path.ends_with("HEAD"));
        let head =
            head.map(|(_, bytes)| serde_json::from_slice::<Head>(bytes).map_err(|error| error.to_string()));
        let lowest = head.transpose()?.map_or(0, |head| head.lowest);
        let journal = Path::new(MOUNTED).join("journal");
        // What is trimmed may still be there in part.
        let chunks = files.into_iter().filter_map(|(path, bytes)| {
            let name = path.strip_prefix(&journal).ok()?.to_str()?;
            let first = Chunk::first_of(&format!("journal/{name}"))?;
            (first.0 >= lowest).then_some((first, bytes))
        });
        let (mut begins, mut entries): (Option<Offset>, Vec<Entry>) = (None, Vec::new());
        for (first, bytes) in chunks {
            let chunk =
                Chunk::decode(&bytes, first).map_err(|error| format!("chunk {}: {error}", first.0))?;
            let begins = *begins.get_or_insert(first);
            let next = begins.0 + entries.len() as u64;
            if first.0 != next {
                return Err(format!("the mirror goes on with entry {} behind {next}", first.0));
            }
            entries.extend(chunk.entries);
        }
        Ok((begins.map_or(1, |first| first.0), entries))
    }

    /// After a process: what it says is in the journal's order, and what was acknowledged is in it if that was promised.
    pub(crate) fn check(&self, known: &[Entry], acknowledged: usize) -> Result<(), String> {
        let (first, mirrored) = self.entries()?;
        let until = first as usize - 1 + mirrored.len();
        if self.settings.ack == Ack::Mirrored && until < acknowledged {
            return Err(format!("of {acknowledged} acknowledged entries the mirror has {until}"));
        }
        let known = known.get(first as usize - 1..).unwrap_or_default();
        match known.iter().zip(&mirrored).position(|(here, there)| here != there) {
            Some(at) => Err(format!("entry {} is another one in the mirror", first as usize + at)),
            None => Ok(()),
        }
    }

    /// At the end: it has the whole journal, and its newest checkpoint leads to the same state.
    pub(crate) fn check_at_end(&self, plant: &Plant, entries: &[Entry]) -> Result<(), String> {
        self.check(entries, entries.len())?;
        let (first, mirrored) = self.entries()?;
        let until = first as usize - 1 + mirrored.len();
        if until != entries.len() {
            return Err(format!("of {} entries the mirror has {until}", entries.len()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = self.store();
        let newest = runtime.block_on(async {
            let Some(manifest) = Manifest::newest(&*store).await? else { return Ok(None) };
            let content = manifest.content(&*store).await?;
            Ok::<_, pipelines::mirror::MirrorError>(Some((manifest, content)))
        });
        let Some((manifest, content)) = newest.map_err(|error| error.to_string())? else { return Ok(()) };
        let checkpoint = Checkpoint::decode(&content).map_err(|error| error.to_string())?;
        if first > manifest.resume_at {
            return Err(format!(
                "its checkpoint goes on at {}, and it begins at {first}",
                manifest.resume_at
            ));
        }
        let failed = |error: pipelines::engine::EngineError| error.to_string();
        let (mut there, mut here, mut out) = (plant.engine(), plant.engine(), Vec::new());
        there.restore(&plant.config, &checkpoint.engine).map_err(failed)?;
        if there.state_hash().map_err(failed)? != manifest.state_hash {
            return Err(format!("the state of epoch {} is not that of its manifest", manifest.epoch));
        }
        for entry in &entries[manifest.resume_at as usize - 1..] {
            there.apply(entry, &mut out).map_err(failed)?;
        }
        for entry in entries {
            here.apply(entry, &mut out).map_err(failed)?;
        }
        if there.state_hash().map_err(failed)? != here.state_hash().map_err(failed)? {
            return Err(format!("who goes on from epoch {} of the mirror has another state", manifest.epoch));
        }
        Ok(())
    }
}
