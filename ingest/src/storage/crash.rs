//! A storage in memory that fails, or loses power, when a test says so.
//!
//! Each file has what programs see and what would be there after a power cut; [`StorageFile::sync_data`]
//! makes the second as the first. Calls are counted from 1, so a test can run once to count them and then
//! once for each.

mod file;
mod names;
mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use self::file::CrashFile;
use self::world::{Change, Fate, Node, Opened, Plan, World, no_power};
use super::{Storage, StorageFile, failed};

/// What a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// Everything: the process alone is killed, the machine goes on.
    KeepAll,
    /// Only what was synced.
    LoseUnsynced,
    /// What was synced, and by the seed any sectors and names of what was not, in no order; the operation at which
    /// it happens has taken place or has not.
    KeepSome,
}

/// Files in memory. Clones are the same storage.
#[derive(Clone, Debug)]
pub struct CrashStorage(Arc<Mutex<World>>);

impl CrashStorage {
    /// An empty one.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        CrashStorage(Arc::new(Mutex::new(World::new(seed))))
    }

    /// Operations so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// The `call`-th operation fails, once; nothing of it takes place.
    pub fn fail_at(&self, call: u64, kind: io::ErrorKind) {
        self.world().plan = Some((call, Plan::Fail(kind)));
    }

    /// At the `call`-th operation the power goes: it and all later ones fail until [`restart`](Self::restart).
    pub fn cut_power_at(&self, call: u64, cut: PowerCut) {
        self.world().plan = Some((call, Plan::Cut(cut)));
    }

    /// The power goes now.
    pub fn cut_power(&self, cut: PowerCut) {
        self.world().cut(cut);
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.world().is_cut
    }

    /// The power is back and a new process starts: nothing is planned, open files and locks are gone.
    pub fn restart(&self) {
        self.world().restart();
    }

    /// Until the next restart the bit with this number is read wrongly; whether it has been read at all,
    /// [`has_flipped`](Self::has_flipped) tells.
    pub fn flip(&self, path: &Path, bit: u64) {
        self.world().flip = Some((path.to_owned(), bit));
    }

    /// Whether a reader has seen the bit that was flipped.
    #[must_use]
    pub fn has_flipped(&self) -> bool {
        self.world().has_flipped
    }

    /// Reads give at most so many bytes at once, as a system may when it is interrupted.
    pub fn shorten_reads(&self, bytes_max: usize) {
        self.world().read_bytes_max = Some(bytes_max);
    }

    /// From now on reads are whole and right.
    pub fn read_well(&self) {
        let mut world = self.world();
        (world.flip, world.read_bytes_max) = (None, None);
    }

    /// All files as programs see them, with their content.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Bytes)> {
        self.world().contents()
    }

    /// While full, whatever needs more room fails.
    pub fn set_full(&self, is_full: bool) {
        self.world().is_full = is_full;
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, path: &Path, opened: Opened, has_lock: bool) -> Box<dyn StorageFile> {
        let path = path.to_owned();
        Box::new(CrashFile { storage: self.clone(), path, opened, has_lock })
    }

    /// Runs `operation` as the fate of this call has it.
    fn run<T>(
        &self,
        name: &'static str,
        path: &Path,
        operation: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> io::Result<T> {
        let world = &mut *self.world();
        let result = match world.fate() {
            Fate::Done => operation(world),
            Fate::Failed(kind) => Err(kind.into()),
            Fate::DoneThenCut => {
                let _ = operation(world);
                Err(no_power())
            }
            Fate::NotDoneThenCut => Err(no_power()),
        };
        if world.plan.is_some_and(|(call, _)| call == world.calls)
            && let Some((_, Plan::Cut(cut))) = world.plan.take()
        {
            world.cut(cut);
        }
        result.map_err(failed(name, path))
    }
}

impl Storage for CrashStorage {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let opened = self.run("open", path, |world| world.open(path))?;
        Ok(self.handle(path, opened, false))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let opened = self.run("open", path, |world| world.open_or_make(path))?;
        Ok(self.handle(path, opened, false))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let opened = self.run("lock", path, |world| {
            let opened = world.open_or_make(path)?;
            let file = world.file(opened)?;
            if std::mem::replace(&mut file.is_locked, true) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(opened)
        })?;
        Ok(self.handle(path, opened, true))
    }

    fn read(&self, path: &Path) -> io::Result<Bytes> {
        self.run("read", path, |world| {
            let opened = world.open(path)?;
            let mut content = world.file(opened)?.live.clone();
            world.spoil(path, 0, &mut content);
            Ok(Bytes::from(content))
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let written = self.run("write", path, |world| {
            let opened = world.open_or_name(path)?;
            let (is_full, calls) = (world.is_full, world.calls);
            let file = world.file(opened)?;
            file.changed_at = calls;
            let before = file.live.len();
            if is_full && bytes.len() > before {
                // What fits is there.
                file.change(Change::Write(0, bytes[..before.max(bytes.len() / 2)].to_vec()));
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.change(Change::Write(0, bytes.to_vec()));
            if bytes.len() < before {
                file.change(Change::Length(bytes.len() as u64));
            }
            Ok(opened)
        })?;
        self.run("sync", path, |world| {
            world.file(written)?.sync();
            Ok(())
        })
    }

    fn rename_unsynced(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run("rename", from, |world| {
            world.check_folder_of(to)?;
            let below = world.below(from);
            world.move_name(from, to)?;
            for path in below {
                let inside = path.strip_prefix(from).expect("it is below").to_owned();
                world.move_name(&path, &to.join(inside))?;
            }
            Ok(())
        })
    }

    fn link_unsynced(&self, from: &Path, to: &Path) -> io::Result<bool> {
        self.run("give another name to", from, |world| {
            world.check_folder_of(to)?;
            world.add_name(from, to)
        })
    }

    /// The number of the operation is the time.
    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        self.run("look at", path, |world| {
            let opened = world.open(path)?;
            Ok(world.file(opened)?.changed_at.cast_signed())
        })
    }

    fn remove_unsynced(&self, path: &Path) -> io::Result<()> {
        self.run("remove", path, |world| {
            if !world.below(path).is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            world.remove_name(path)
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.run("sync the folder", folder, |world| {
            world.sync_names(folder);
            Ok(())
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.run("list", folder, |world| match world.nodes.get(folder) {
            Some(Node::Folder) => {
                let mut paths = world.below(folder);
                paths.retain(|path| path.parent() == Some(folder));
                Ok(paths)
            }
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.run("make the folder", path, |world| {
            for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
                match world.nodes.get(folder) {
                    Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                    Some(Node::Folder) => {}
                    None => {
                        world.needs_room(true)?;
                        world.put_name(folder, Node::Folder);
                    }
                }
            }
            Ok(())
        })
    }
}
