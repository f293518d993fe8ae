//! A storage in memory that fails, or loses power, when a test says so.
//!
//! Each file has what programs see and what would be there after a power cut; [`StorageFile::sync_data`]
//! makes the second as the first. Calls are counted from 1, so a test can run once to count them and then
//! once for each.

mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use self::world::{Change, Fate, Node, Opened, Plan, World, no_power};
use super::{Storage, StorageFile, failed};

/// What a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// Only what was synced.
    LoseUnsynced,
    /// What was synced, and by the seed any sectors of what was not, in no order; the operation at which
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
            Ok(Bytes::copy_from_slice(&world.file(opened)?.live))
        })
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.run("write", path, |world| {
            world.needs_room(true)?;
            world.make(path, bytes)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run("rename", from, |world| {
            world.check_folder_of(to)?;
            let below = world.below(from);
            let node = world.nodes.remove(from).ok_or(io::ErrorKind::NotFound)?;
            world.nodes.insert(to.to_owned(), node);
            for path in below {
                let inside = path.strip_prefix(from).expect("it is below").to_owned();
                let node = world.nodes.remove(&path).expect("it was just listed");
                world.nodes.insert(to.join(inside), node);
            }
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run("remove", path, |world| {
            if !world.below(path).is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            world.nodes.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
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
                        world.nodes.insert(folder.to_owned(), Node::Folder);
                    }
                }
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
struct CrashFile {
    storage: CrashStorage,
    /// The name at opening, for messages.
    path: PathBuf,
    opened: Opened,
    has_lock: bool,
}

impl CrashFile {
    fn run<T>(
        &self,
        name: &'static str,
        operation: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> io::Result<T> {
        self.storage.run(name, &self.path, operation)
    }
}

impl Drop for CrashFile {
    fn drop(&mut self) {
        if self.has_lock
            && let Ok(file) = self.storage.world().file(self.opened)
        {
            file.is_locked = false;
        }
    }
}

impl StorageFile for CrashFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.run("read", |world| {
            let live = &world.file(self.opened)?.live;
            let start = usize::try_from(position).unwrap_or(usize::MAX).min(live.len());
            let bytes = buffer.len().min(live.len() - start);
            buffer[..bytes].copy_from_slice(&live[start..start + bytes]);
            Ok(bytes)
        })
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.run("write to", |world| {
            let end = position + bytes.len() as u64;
            let len = world.file(self.opened)?.live.len() as u64;
            world.needs_room(end > len)?;
            let change = Change::Write(position, bytes.to_vec());
            world.file(self.opened)?.change(change);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.run("sync", |world| {
            world.file(self.opened)?.sync();
            Ok(())
        });
        if synced.is_err()
            && !self.storage.is_cut()
            && let Ok(file) = self.storage.world().file(self.opened)
        {
            // As on Linux: what could not be written is forgotten, and a second sync says that all is well.
            file.unsynced.clear();
        }
        synced
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run("set the length of", |world| {
            world.file(self.opened)?.change(Change::Length(len));
            Ok(())
        })
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.run("take room for", |world| {
            if world.file(self.opened)?.live.len() as u64 >= len {
                return Ok(());
            }
            world.needs_room(true)?;
            world.file(self.opened)?.change(Change::Length(len));
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        let len = self.storage.world().file(self.opened).map(|file| file.live.len() as u64);
        len.map_err(failed("look at", &self.path))
    }
}
