//! The few things that the export asks of a file system, so that a test can cut the power between any two.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Operations named as in `std::fs`.
pub(super) trait Files: Send + std::fmt::Debug {
    /// The folder and all above it are there, and durable, when this returns.
    fn create_dir_all(&self, folder: &Path) -> io::Result<()>;
    /// Creates or replaces a file. Its bytes are durable when this returns; its name is not before `sync_dir`.
    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Replaces `to` if it is there. The new name is durable after `sync_dir` of its folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A file that is not there is no error.
    fn remove_file(&self, file: &Path) -> io::Result<()>;
    /// Names of the folder are durable when this returns.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;
    /// A whole file.
    fn read(&self, file: &Path) -> io::Result<Bytes>;
    /// Sorted names of the folder's files and folders; none if it is not there.
    fn read_dir(&self, folder: &Path) -> io::Result<Vec<String>>;
    fn exists(&self, file: &Path) -> io::Result<bool>;
}

/// The machine's disk.
#[derive(Debug)]
pub(super) struct Disk;

impl Files for Disk {
    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        let parent = folder.parent().unwrap_or(Path::new(""));
        self.create_dir_all(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(parent)
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut out = File::create(file)?;
        out.write_all(bytes)?;
        out.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()
    }

    fn read(&self, file: &Path) -> io::Result<Bytes> {
        fs::read(file).map(Bytes::from)
    }

    fn read_dir(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names: io::Result<Vec<PathBuf>> =
            entries.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect();
        let mut names: Vec<String> = names?.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, file: &Path) -> io::Result<bool> {
        file.try_exists()
    }
}
