//! The real storage: a file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Storage, StorageFile, failed, folder_of};

/// A large file becomes durable, or shorter, slice by slice: whoever syncs meanwhile waits for what others have on their
/// way to the disk, so the journal would wait for a whole checkpoint.
const SLICE_BYTES: usize = 1 << 18;

/// Files and folders of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskStorage;

#[derive(Debug)]
struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskStorage {
    fn open_for_writing(path: &Path) -> io::Result<DiskFile> {
        let existed = path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(failed("open", path))?;
        if !existed {
            DiskStorage.sync_folder(folder_of(path))?;
        }
        Ok(DiskFile { file, path: path.to_owned() })
    }
}

impl Storage for DiskStorage {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = File::open(path).map_err(failed("open", path))?;
        Ok(Box::new(DiskFile { file, path: path.to_owned() }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(DiskStorage::open_for_writing(path)?))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        let opened = DiskStorage::open_for_writing(path)?;
        let locked = opened.file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::from(io::ErrorKind::WouldBlock),
        });
        locked.map_err(failed("lock", path))?;
        Ok(Box::new(opened))
    }

    fn read(&self, path: &Path) -> io::Result<Bytes> {
        fs::read(path).map(Bytes::from).map_err(failed("read", path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).open(path);
        let written = opened.and_then(|file| {
            for (number, slice) in bytes.chunks(SLICE_BYTES).enumerate() {
                file.write_all_at(slice, (number * SLICE_BYTES) as u64)?;
                file.sync_data()?;
            }
            let (end, mut len) = (bytes.len() as u64, file.metadata()?.len());
            while len > end {
                len = end.max(len.saturating_sub(SLICE_BYTES as u64));
                file.set_len(len)?;
                file.sync_data()?;
            }
            if bytes.is_empty() { file.sync_data() } else { Ok(()) }
        });
        written.map_err(failed("write", path))
    }

    fn rename_unsynced(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to).map_err(failed("rename", from))
    }

    fn link_unsynced(&self, from: &Path, to: &Path) -> io::Result<bool> {
        match fs::hard_link(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("give another name to", from)(error)),
        }
    }

    fn modified_ms(&self, path: &Path) -> io::Result<i64> {
        let modified =
            fs::metadata(path).and_then(|known| known.modified()).map_err(failed("look at", path))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn remove_unsynced(&self, path: &Path) -> io::Result<()> {
        let is_folder = fs::symlink_metadata(path).map_err(failed("remove", path))?.is_dir();
        let removed = if is_folder { fs::remove_dir(path) } else { fs::remove_file(path) };
        removed.map_err(failed("remove", path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder", folder))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).map_err(failed("list", folder))?;
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(failed("list", folder))?;
        paths.sort();
        Ok(paths)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.create_folder(above)?;
        }
        match fs::create_dir(path) {
            Ok(()) => self.sync_folder(folder_of(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            Err(error) => Err(failed("make the folder", path)(error)),
        }
    }
}

impl StorageFile for DiskFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], position + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", &self.path)(error)),
            }
        }
        Ok(read)
    }

    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, position).map_err(failed("write to", &self.path))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().map_err(failed("sync", &self.path))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(failed("set the length of", &self.path))
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        take_room(&self.file, len).map_err(failed("take room for", &self.path))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|known| known.len()).map_err(failed("look at", &self.path))
    }
}

#[cfg(target_os = "linux")]
fn take_room(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    if len == 0 {
        return Ok(());
    }
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, len) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            // Some file systems, mostly over a network, cannot.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return fill_with_zeroes(file, len),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn take_room(file: &File, len: u64) -> io::Result<()> {
    fill_with_zeroes(file, len)
}

/// Takes room the slow way. What the file holds stays.
fn fill_with_zeroes(file: &File, len: u64) -> io::Result<()> {
    static ZEROES: [u8; 1 << 16] = [0; 1 << 16];
    let mut position = file.metadata()?.len();
    while position < len {
        let step = (len - position).min(ZEROES.len() as u64);
        file.write_all_at(&ZEROES[..step as usize], position)?;
        position += step;
    }
    Ok(())
}
