//! An open file of a [`CrashStorage`].

use std::io;
use std::path::PathBuf;

use super::CrashStorage;
use super::world::{Change, Opened, World};
use crate::storage::{StorageFile, failed};

#[derive(Debug)]
pub(super) struct CrashFile {
    pub(super) storage: CrashStorage,
    /// The name at opening, for messages.
    pub(super) path: PathBuf,
    pub(super) opened: Opened,
    pub(super) has_lock: bool,
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
            let bytes = bytes.min(world.read_bytes_max.unwrap_or(bytes));
            world.spoil(&self.path, position, &mut buffer[..bytes]);
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
