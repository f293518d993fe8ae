//! A still of a folder that a service writes to: the same files under other names, while it goes on.
//!
//! A service replaces a partition's newest file at each cut. A query lists files first and reads them later, so it
//! would find other bytes than it has read the footer of. Hard links keep what was there, at no cost.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the stills of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// What a service changes at each cut; a replay's folder has none.
const MARKER: &str = ".staging/shown";
/// Below the export's folder, since links stay within a file system. Readers pass over hidden folders.
const STILL: &str = ".query-";
/// A cut may come while links are made: then they are made anew.
const ATTEMPTS: usize = 5;

/// Goes when dropped.
#[derive(Debug)]
pub struct Still(PathBuf);

impl Still {
    /// Of a folder that a service writes to; none of one that nobody writes to, and where links cannot be made.
    #[must_use]
    pub fn of(folder: &Path) -> Option<Still> {
        let mut before = fs::read(folder.join(MARKER)).ok()?;
        sweep(folder);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let still = Still(folder.join(format!("{STILL}{}-{number}", std::process::id())));
        for _ in 0..ATTEMPTS {
            let _ = fs::remove_dir_all(&still.0);
            let linked = linked(folder, &still.0);
            let now = fs::read(folder.join(MARKER)).ok()?;
            match linked {
                Ok(is_whole) if is_whole && now == before => return Some(still),
                // A file came or was replaced meanwhile.
                Ok(_) => before = now,
                Err(error) if error.kind() == io::ErrorKind::NotFound => before = now,
                Err(_) => return None,
            }
        }
        None
    }

    /// Where the links are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Parquet files by path, and which file each was.
type Files = BTreeMap<PathBuf, u64>;

/// Links what is below `from` to its place below `to`. False if that has changed meanwhile.
fn linked(from: &Path, to: &Path) -> io::Result<bool> {
    let files = listed(from)?;
    link(&files, from, to)?;
    Ok(listed(from)? == files)
}

/// Links files below `from` to their places below `to`.
fn link(files: &Files, from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for path in files.keys() {
        let place = to.join(path.strip_prefix(from).expect("it was found below"));
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::hard_link(path, place)?;
    }
    Ok(())
}

/// Every Parquet file below `folder` that is not hidden.
fn listed(folder: &Path) -> io::Result<Files> {
    let mut found = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            found.append(&mut listed(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.insert(path, entry.ino());
        }
    }
    Ok(found)
}

/// Removes what queries that were killed have left.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(STILL).and_then(|name| name.split('-').next()) else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_and_one_that_comes_while_links_are_made_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = folder.path().join("late");
        let (part, fresh) = (stream.join("part-000001.parquet"), folder.path().join("fresh"));
        fs::create_dir(&stream).expect("made");
        fs::write(&part, "one").expect("written");
        let before = listed(folder.path()).expect("listed");
        assert!(linked(folder.path(), &folder.path().join(format!("{STILL}0"))).expect("linked"));
        assert_eq!(before, listed(folder.path()).expect("listed"), "links are hidden");
        fs::write(&fresh, "two").expect("written");
        fs::rename(&fresh, &part).expect("replaced");
        let replaced = listed(folder.path()).expect("listed");
        assert_ne!(before, replaced);
        fs::write(stream.join("part-000002.parquet"), "three").expect("written");
        assert_ne!(replaced, listed(folder.path()).expect("listed"));
    }

    #[test]
    fn a_still_keeps_what_a_cut_replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let part = folder.path().join("telemetry/date=2026-11-22/site=lyon/part-000001.parquet");
        fs::create_dir_all(part.parent().expect("it has one")).expect("made");
        fs::write(&part, "one").expect("written");
        assert!(Still::of(folder.path()).is_none(), "nobody writes there");
        fs::create_dir(folder.path().join(".staging")).expect("made");
        fs::write(folder.path().join(MARKER), "1").expect("written");
        let left = folder.path().join(format!("{STILL}4194305-0"));
        fs::create_dir(&left).expect("made");

        let still = Still::of(folder.path()).expect("a still");
        assert!(!left.exists(), "what a killed query left is gone");
        fs::write(part.with_extension("new"), "two").expect("written");
        fs::rename(part.with_extension("new"), &part).expect("replaced");
        let kept = still.folder().join("telemetry/date=2026-11-22/site=lyon/part-000001.parquet");
        assert_eq!(fs::read_to_string(kept).expect("there"), "one");
        let path = still.folder().to_owned();
        drop(still);
        assert!(!path.exists());
    }
}
