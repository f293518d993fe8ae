//! Everything durable goes through these few operations, so that a test can stop the world at any of them.
//!
//! Names are durable when an operation that makes, moves or removes one returns, but for those that say that
//! [`Storage::sync_folder`] makes them so; the content of an open file only after [`StorageFile::sync_data`].

mod crash;
mod disk;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub use crash::{CrashStorage, PowerCut};
pub use disk::DiskStorage;

/// Where durable things are kept. Errors name the operation and the path; a full disk has the kind
/// [`io::ErrorKind::StorageFull`] or [`io::ErrorKind::QuotaExceeded`] ([`is_full`]).
pub trait Storage: Send + Sync + Debug {
    /// Opens a file that exists, for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading and writing; makes an empty one where there is none.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for writing as its only user, until the handle is dropped or the process ends.
    /// [`io::ErrorKind::WouldBlock`] while another has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Bytes>;

    /// Makes a file or writes over the one that is there, whose room is used again: its bytes are durable when this
    /// returns, its name after [`sync_folder`](Self::sync_folder). After an error any part of them may be there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// As [`rename`](Self::rename), but the names are durable only after [`sync_folder`](Self::sync_folder) of their
    /// folders, that of `to` first: for many at once.
    fn rename_unsynced(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name unless that is taken: whether it was free. The name is durable only after
    /// [`sync_folder`](Self::sync_folder).
    fn link_unsynced(&self, from: &Path, to: &Path) -> io::Result<bool>;

    /// When a file was changed last, ms since 1970 UTC by the storage's own clock.
    fn modified_ms(&self, path: &Path) -> io::Result<i64>;

    /// As [`remove`](Self::remove); that the name is gone is durable only after [`sync_folder`](Self::sync_folder).
    fn remove_unsynced(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Paths of the files and folders right in `folder`, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a folder and those above it. Fine where it exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes or replaces a file. It is there whole and durable, or not at all; what a crash leaves of it beside its
    /// place ends in `.new` and is overwritten by the next try.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = unfinished(path);
        let made = self.write(&unfinished, bytes).and_then(|()| self.rename(&unfinished, path));
        if made.is_err() {
            // It says nothing and stands in nobody's way, but it takes room.
            let _ = self.remove_unsynced(&unfinished);
        }
        made
    }

    /// Gives a file or folder another name, replacing a file that has it. The content of a file must have
    /// been synced before.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename_unsynced(from, to)?;
        self.sync_folder(folder_of(to))?;
        if from.parent() != to.parent() {
            self.sync_folder(folder_of(from))?;
        }
        Ok(())
    }

    /// Removes a file or an empty folder.
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.remove_unsynced(path)?;
        self.sync_folder(folder_of(path))
    }
}

/// An open file.
pub trait StorageFile: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes; none only where the file ends.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes`. After an error any part of them may have been written.
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes content and length durable. After an error nobody knows what is, and a second call that
    /// succeeds proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Shortens the file, or lengthens it by zeroes that take no room yet.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the file at least `len` long, with zeroes, and takes the room for it, so that writes within
    /// do not find the disk full.
    fn preallocate(&self, len: u64) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the length is 0.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Where [`Storage::create`] writes what will be at `path`.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    unfinished.into()
}

/// The folder that holds a name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether an error says that there is no room: a passing one.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes a file from its beginning on: what writers of files with a format of their own ask for.
#[derive(Debug)]
pub struct StorageWriter {
    file: Box<dyn StorageFile>,
    position: u64,
}

impl StorageWriter {
    /// Writes `file` from position 0.
    #[must_use]
    pub fn new(file: Box<dyn StorageFile>) -> Self {
        StorageWriter { file, position: 0 }
    }

    /// Bytes written.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The file, to be synced.
    #[must_use]
    pub fn file(&self) -> &dyn StorageFile {
        &*self.file
    }
}

impl io::Write for StorageWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.position, bytes)?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An operation that failed, and on what: the inside of the `io::Error`s of a [`Storage`].
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} `{}`: {cause}", path.display())]
struct Failed {
    operation: &'static str,
    path: PathBuf,
    /// In the text, since an `io::Error` is often shown without its sources.
    cause: io::Error,
}

/// Says in an error what failed on what; keeps its kind.
fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |cause| io::Error::new(cause.kind(), Failed { operation, path: path.to_owned(), cause })
}
