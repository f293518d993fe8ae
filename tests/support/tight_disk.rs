//! A small disk of a test's own, that can be filled.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, unmounted when dropped.
pub(crate) struct TightDisk(PathBuf);

impl TightDisk {
    /// Mounts one of `size` on the folder. `None`, with a line that says so, where that is not allowed.
    pub(crate) fn mount(folder: &Path, size: &str) -> Option<TightDisk> {
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        match mounted {
            Ok(output) if output.status.success() => Some(TightDisk(folder.to_owned())),
            Ok(output) => {
                let error = String::from_utf8_lossy(&output.stderr);
                eprintln!("skipped: a small disk cannot be mounted, which takes root: {}", error.trim());
                None
            }
            Err(error) => {
                eprintln!("skipped: a small disk cannot be mounted: {error}");
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all room there is.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        for block in [vec![0; 1 << 20], vec![0; 4096]] {
            while file.write(&block).is_ok_and(|written| written > 0) {}
        }
    }

    /// Gives it back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }
}

impl Drop for TightDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
