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
            let linked = link(folder, &still.0).and_then(|linked| Ok((linked, listed(folder)?)));
            let now = fs::read(folder.join(MARKER)).ok()?;
            match linked {
                Ok((linked, listed)) if linked == listed && now == before => return Some(still),
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

/// Links every Parquet file below `from` to its place below `to`.
fn link(from: &Path, to: &Path) -> io::Result<Files> {
    fs::create_dir(to)?;
    let folder = |path: &Path| {
        let below = path.strip_prefix(from).expect("it is below");
        fs::create_dir(to.join(below))
    };
    let file = |path: &Path| {
        let below = path.strip_prefix(from).expect("it is below");
        fs::hard_link(path, to.join(below))
    };
    let mut linked = Files::new();
    walk(from, &folder, &file, &mut linked)?;
    Ok(linked)
}

/// Every Parquet file below `folder`.
fn listed(folder: &Path) -> io::Result<Files> {
    let mut listed = Files::new();
    walk(folder, &|_| Ok(()), &|_| Ok(()), &mut listed)?;
    Ok(listed)
}

/// Does something with the folders and the Parquet files below `from` that are not hidden.
fn walk(
    from: &Path,
    folder: &dyn Fn(&Path) -> io::Result<()>,
    file: &dyn Fn(&Path) -> io::Result<()>,
    found: &mut Files,
) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            folder(&path)?;
            walk(&path, folder, file, found)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            file(&path)?;
            found.insert(path, entry.ino());
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
    fn a_file_that_is_replaced_and_one_that_comes_while_links_are_made_are_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let stream = folder.path().join("late");
        let (part, fresh) = (stream.join("part-000001.parquet"), folder.path().join("fresh"));
        fs::create_dir(&stream).expect("made");
        fs::write(&part, "one").expect("written");
        let linked = link(folder.path(), &folder.path().join(format!("{STILL}0"))).expect("linked");
        assert_eq!(linked, listed(folder.path()).expect("listed"), "nothing has changed");
        fs::write(&fresh, "two").expect("written");
        fs::rename(&fresh, &part).expect("replaced");
        let replaced = listed(folder.path()).expect("listed");
        assert_ne!(linked, replaced);
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
