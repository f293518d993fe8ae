//! Putting a backup back into empty folders.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ingest::storage::{DiskStorage, Storage};

use super::proof::{look_at_files, place_of};
use super::{BackupError, CHECKPOINTS, Contents, EXPORT, JOURNAL, STORE, failed, is_empty};
use crate::config::Config;

/// Copies a backup's files to where the configuration keeps them, each of which must be empty or not there. The journal
/// comes last, and all at once: without it no service begins on the rest.
///
/// # Errors
/// A backup that is damaged, a place that holds something, a disk that fails: then empty the folders and try again.
pub fn restore(backup: &Path, config: &Config, told: &mut dyn FnMut(u64)) -> Result<Contents, BackupError> {
    let contents = Contents::read(backup)?;
    let store = config.store.url.file();
    let journal = &config.journal.folder;
    for folder in [journal, &config.checkpoint.folder, &config.export.folder] {
        if !is_empty(folder)? {
            return Err(occupied(folder));
        }
    }
    if let Some(file) = store.filter(|file| file.exists()) {
        return Err(occupied(file));
    }
    if contents.has_store() && store.is_none() {
        return Err(BackupError::Unfit(format!(
            "the backup holds the tables of an SQLite store, and the configuration names `{}`; restore it with \
             `url = \"sqlite:FILE\"` in [store]",
            config.store.url
        )));
    }
    look_at_files(backup, &contents, &mut |_| {})?;
    let mut unfinished = journal.as_os_str().to_owned();
    unfinished.push(".restoring");
    let unfinished = PathBuf::from(unfinished);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed(&unfinished, "removed"))?;
    }
    let (last, first): (Vec<_>, Vec<_>) =
        contents.files.iter().partition(|file| file.path.starts_with(&format!("{JOURNAL}/")));
    let mut copied = 0;
    for file in first.into_iter().chain(last) {
        let from = place_of(backup, &file.path)?;
        let below = |folder: &str| file.path.strip_prefix(folder)?.strip_prefix('/');
        let to = match (below(JOURNAL), below(CHECKPOINTS), below(EXPORT)) {
            (Some(name), ..) => unfinished.join(name),
            (_, Some(name), _) => config.checkpoint.folder.join(name),
            (.., Some(name)) => config.export.folder.join(name),
            _ if file.path == STORE
                && let Some(store) = store =>
            {
                store.to_owned()
            }
            _ => {
                let reason = "is a name that no backup of this version has".to_owned();
                return Err(BackupError::Damaged { path: file.path.clone(), reason });
            }
        };
        copy(&from, &to)?;
        copied += file.bytes;
        told(copied);
    }
    let above = journal.parent().unwrap_or(Path::new("."));
    if journal.exists() {
        fs::remove_dir(journal).map_err(failed(journal, "removed"))?;
    }
    DiskStorage.create_folder(above).map_err(failed(above, "made"))?;
    DiskStorage.rename(&unfinished, journal).map_err(failed(journal, "put in its place"))?;
    Ok(contents)
}

fn occupied(path: &Path) -> BackupError {
    let remedy =
        "a backup is put back into empty folders alone: move it away, or name others in the configuration";
    BackupError::Occupied { path: path.to_owned(), remedy }
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let folder = to.parent().expect("it is in a folder");
    DiskStorage.create_folder(folder).map_err(failed(folder, "made"))?;
    fs::copy(from, to).map_err(failed(from, "copied"))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(failed(to, "synced"))?;
    DiskStorage.sync_folder(folder).map_err(failed(folder, "synced"))
}
