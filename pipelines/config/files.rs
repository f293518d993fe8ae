//! Where configuration files are read from: the disk, or the texts in the binary.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ingest::config::Secret;

use super::mistake::Fault;
use super::{secret, store};

/// Files by path.
pub(super) trait Files {
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The `*.toml` files directly in a folder, sorted by name.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// The secret of a setting, by reference.
    fn secret(&self, _of: &str, reference: &str, folder: &Path) -> Result<Option<Secret>, Fault> {
        secret::resolve(reference, folder).map(Some)
    }
}

/// The disk, for those who connect to nothing: an analyst need not hold the broker's password.
#[derive(Clone, Copy, Debug)]
pub(super) struct WithoutSecrets;

impl Files for WithoutSecrets {
    fn read(&self, path: &Path) -> io::Result<String> {
        Disk.read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(folder)
    }

    fn secret(&self, _of: &str, _reference: &str, _folder: &Path) -> Result<Option<Secret>, Fault> {
        Ok(None)
    }
}

/// The disk, for those who read the store and connect to nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreSecret;

impl Files for StoreSecret {
    fn read(&self, path: &Path) -> io::Result<String> {
        Disk.read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(folder)
    }

    fn secret(&self, of: &str, reference: &str, folder: &Path) -> Result<Option<Secret>, Fault> {
        if of == store::PASSWORD_KEY { Disk.secret(of, reference, folder) } else { Ok(None) }
    }
}

/// The disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// The disk, but for the file that a running service was started with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Files for Running<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        if path == self.path { Ok(self.text.to_owned()) } else { Disk.read(path) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Disk.list(folder)
    }

    fn secret(&self, _of: &str, _reference: &str, _folder: &Path) -> Result<Option<Secret>, Fault> {
        Ok(None)
    }
}

/// Texts in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts(pub(super) BTreeMap<PathBuf, &'static str>);

impl Files for Texts {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }
}
