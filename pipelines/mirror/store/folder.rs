//! A folder as a store: a disk of the other region, mounted here, or of another machine.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    /// Names of unfinished files begin with a dot, hold the process, and are told apart by this.
    unfinished: AtomicU64,
}

impl FolderStore {
    /// Below `folder`, which is made with the first object.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        FolderStore::on(Arc::new(DiskStorage), folder)
    }

    /// The same, in another storage.
    #[must_use]
    pub fn on(storage: Arc<dyn Storage>, folder: PathBuf) -> Self {
        FolderStore { storage, folder, unfinished: AtomicU64::new(0) }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Storage) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let storage = Arc::clone(&self.storage);
        let done = tokio::task::spawn_blocking(move || work(&*storage)).await;
        let done = done.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| StoreError::Unreachable { place: self.place(), reason: error.to_string() })
    }

    /// Writes the content beside `name` and puts it there by `link`.
    async fn write<T: Send + 'static>(
        &self,
        name: &str,
        content: Bytes,
        link: impl FnOnce(&dyn Storage, &Path, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (root, target) = (self.folder.clone(), self.folder.join(name));
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        self.run(move |storage| {
            let folder = target.parent().unwrap_or(Path::new(".")).to_owned();
            let unfinished = folder.join(format!(".unfinished-{process}-{number}"));
            // A process of this number may have been killed when the file had both names: it must not be written over.
            found_or(storage.remove_unsynced(&unfinished), ())?;
            let written = fill(storage, &root, &unfinished, &content);
            let written = written.and_then(|()| link(storage, &unfinished, &target));
            let _ = storage.remove_unsynced(&unfinished);
            let written = written?;
            storage.sync_folder(&folder)?;
            Ok(written)
        })
        .await
    }
}

fn fill(storage: &dyn Storage, root: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    match storage.write(path, content) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().unwrap_or(root);
            if folder != root && storage.open(&root.join(HEAD)).is_err() {
                let reason = format!("there is no `{HEAD}` in it: is it mounted?");
                return Err(io::Error::new(ErrorKind::NotFound, reason));
            }
            storage.create_folder(folder)?;
            storage.write(path, content)
        }
        written => written,
    }
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
        self.run(move |storage| found_or(storage.read(&path).map(Some), None)).await
    }

    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError> {
        let link = |storage: &dyn Storage, from: &Path, to: &Path| storage.link_unsynced(from, to);
        self.write(name, content, link).await
    }

    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        let rename = |storage: &dyn Storage, from: &Path, to: &Path| storage.rename_unsynced(from, to);
        self.write(name, content, rename).await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        self.run(move |storage| found_or(storage.remove_unsynced(&path), ())).await
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
        let (root, folder, after) = (self.folder.clone(), folder.to_owned(), after.to_owned());
        self.run(move |storage| {
            let mut names = Vec::new();
            walk(storage, (&root.join(&folder), &folder), &after, &mut names)?;
            let mut found = Vec::with_capacity(names.len());
            for name in names {
                // It may be removed meanwhile.
                let modified_ms = storage.modified_ms(&root.join(&name)).map(Some);
                let Some(modified_ms) = found_or(modified_ms, None)? else { continue };
                found.push(Found { name, modified_ms });
            }
            Ok(found)
        })
        .await
    }
}

/// Names below `path` behind `after` in their order, until there are enough. No folder of a mirror has a name that
/// another name begins with.
fn walk(
    storage: &dyn Storage,
    (path, prefix): (&Path, &str),
    after: &str,
    names: &mut Vec<String>,
) -> io::Result<()> {
    let entries = match storage.list(path) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            names.extend(prefix.strip_suffix('/').filter(|name| *name > after).map(str::to_owned));
            return Ok(());
        }
        listed => found_or(listed, Vec::new())?,
    };
    for entry in entries {
        let Some(name) = entry.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("{prefix}{name}");
        let within = format!("{name}/");
        let is_before = name.as_str() <= after && within.as_str() <= after && !after.starts_with(&within);
        if names.len() == LIST_MAX || is_before || name[prefix.len()..].starts_with('.') {
            continue;
        }
        walk(storage, (&entry, &within), after, names)?;
    }
    Ok(())
}
