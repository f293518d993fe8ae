//! A folder as a store: a disk of the other region, mounted here, or of another machine.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use ingest::storage::{DiskStorage, Storage};

use super::{Found, LIST_MAX, Store, StoreError};
use crate::mirror::head::HEAD;

/// Files below a folder. A file is written and synced under another name and then linked to its own, which fails
/// where that is taken. Folders in it are made only where [`HEAD`] is: a disk that is not mounted is no mirror.
#[derive(Debug)]
pub struct FolderStore {
    folder: PathBuf,
    /// Names of unfinished files begin with a dot, hold the process, and are told apart by this.
    unfinished: AtomicU64,
}

impl FolderStore {
    /// Below `folder`, which is made with the first object.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        FolderStore { folder, unfinished: AtomicU64::new(0) }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| StoreError::Unreachable { place: self.place(), reason: error.to_string() })
    }

    /// Writes the content beside `name` and puts it there by `link`.
    async fn write<T: Send + 'static>(
        &self,
        name: &str,
        content: Bytes,
        link: impl FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (root, target) = (self.folder.clone(), self.folder.join(name));
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        self.run(move || {
            let folder = target.parent().unwrap_or(Path::new(".")).to_owned();
            let unfinished = folder.join(format!(".unfinished-{process}-{number}"));
            let written = fill(&root, &unfinished, &content).and_then(|()| link(&unfinished, &target));
            let _ = fs::remove_file(&unfinished);
            let written = written?;
            File::open(&folder)?.sync_all()?;
            Ok(written)
        })
        .await
    }
}

fn fill(root: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let file = match File::create(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(root);
            if folder != root && !root.join(HEAD).exists() {
                let reason = format!("there is no `{HEAD}` in it: is it mounted?");
                return Err(io::Error::new(ErrorKind::NotFound, reason));
            }
            DiskStorage.create_folder(folder)?;
            File::create(path)
        }
        opened => opened,
    };
    let mut file = file?;
    file.write_all(content)?;
    file.sync_data()
}

fn found_or<T>(result: io::Result<T>, absent: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(absent),
        result => result,
    }
}

#[async_trait]
impl Store for FolderStore {
    fn place(&self) -> String {
        format!("`{}`", self.folder.display())
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.folder.join(name);
        self.run(move || found_or(fs::read(path).map(|content| Some(content.into())), None)).await
    }

    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError> {
        let link = |from: &Path, to: &Path| match fs::hard_link(from, to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        };
        self.write(name, content, link).await
    }

    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.write(name, content, |from, to| fs::rename(from, to)).await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        self.run(move || found_or(fs::remove_file(path), ())).await
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
        let (root, folder, after) = (self.folder.clone(), folder.to_owned(), after.to_owned());
        self.run(move || {
            let mut names = Vec::new();
            walk(&root.join(&folder), &folder, &mut names)?;
            names.retain(|name| *name > after);
            names.sort_unstable();
            names.truncate(LIST_MAX);
            let mut found = Vec::with_capacity(names.len());
            for name in names {
                // It may be removed meanwhile.
                let Some(known) = found_or(fs::metadata(root.join(&name)).map(Some), None)? else { continue };
                let since = known.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let modified_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                found.push(Found { name, modified_ms });
            }
            Ok(found)
        })
        .await
    }
}

fn walk(path: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    let Some(entries) = found_or(fs::read_dir(path).map(Some), None)? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), names)?;
        } else {
            names.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}
