//! A still of a folder that a service writes to: the same files under other names, while it goes on.
//!
//! A service replaces a partition's newest file at each cut. A query lists files first and reads them later, so it
//! would find other bytes than it has read the footer of. Hard links keep what was there, at no cost.

use std::fs;
use std::io;
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
            let linked = link(folder, &still.0);
            let now = fs::read(folder.join(MARKER)).ok()?;
            match linked {
                Ok(()) if now == before => return Some(still),
                // A file was replaced while it was listed.
                Ok(()) => before = now,
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

/// Links every Parquet file below `from` to its place below `to`.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            link(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            fs::hard_link(&path, to.join(name))?;
        }
    }
    Ok(())
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
