//! A file system in memory that knows what a power cut would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::parquet::files::Files;

/// Shared: the test keeps one handle, the sink gets another.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    contents: Vec<Bytes>,
    /// Names as a running process sees them.
    live: BTreeMap<PathBuf, usize>,
    /// Names as they are after a power cut.
    durable: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    /// Changes until the machine stops.
    steps_left: Option<usize>,
    is_full: bool,
}

/// How the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The process ended; what the system was told is there.
    Kill,
    /// Only what was synced is there.
    PowerCut,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the lock")
    }

    /// Every change after the next `steps` fails.
    pub(super) fn stop_after(&self, steps: usize) {
        self.state().steps_left = Some(steps);
    }

    /// Whether a change has failed because of `stop_after`.
    pub(super) fn has_stopped(&self) -> bool {
        self.state().steps_left == Some(0)
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    /// Starts the machine again.
    pub(super) fn restart(&self, after: Stop) {
        let mut state = self.state();
        state.steps_left = None;
        if after == Stop::PowerCut {
            state.live = state.durable.clone();
        }
    }

    /// All files, with their bytes.
    pub(super) fn all(&self) -> Vec<(PathBuf, Bytes)> {
        let state = self.state();
        state.live.iter().map(|(path, content)| (path.clone(), state.contents[*content].clone())).collect()
    }

    pub(super) fn remove(&self, file: &Path) {
        self.state().live.remove(file);
        self.state().durable.remove(file);
    }
}

impl State {
    fn change(&mut self) -> io::Result<()> {
        match &mut self.steps_left {
            Some(0) => Err(io::Error::other("the machine has stopped")),
            Some(1) => {
                self.steps_left = Some(0);
                Err(io::Error::other("the machine stops"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn put(&mut self, file: &Path, bytes: Bytes) {
        // Creating a file that is there empties it: its name keeps meaning the same content.
        match self.live.get(file) {
            Some(content) => self.contents[*content] = bytes,
            None => {
                self.live.insert(file.to_owned(), self.contents.len());
                self.contents.push(bytes);
            }
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for Memory {
    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.folders.contains(folder) {
            state.change()?;
            state.folders.extend(folder.ancestors().map(Path::to_owned));
        }
        Ok(())
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if !state.folders.contains(file.parent().unwrap_or(Path::new(""))) {
            return Err(not_found());
        }
        if state.is_full || state.change().is_err() {
            // A write that fails leaves the file cut off.
            state.put(file, Bytes::copy_from_slice(&bytes[..bytes.len() / 2]));
            return Err(if state.is_full {
                io::ErrorKind::StorageFull.into()
            } else {
                io::Error::other("cut off")
            });
        }
        state.put(file, Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let content = state.live.remove(from).ok_or_else(not_found)?;
        state.live.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove_file(&self, file: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.live.contains_key(file) {
            state.change()?;
            state.live.remove(file);
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let live: Vec<_> = state.live.iter().map(|(path, content)| (path.clone(), *content)).collect();
        state.durable.retain(|path, _| path.parent() != Some(folder));
        state.durable.extend(live.into_iter().filter(|(path, _)| path.parent() == Some(folder)));
        Ok(())
    }

    fn read(&self, file: &Path) -> io::Result<Bytes> {
        let state = self.state();
        let content = state.live.get(file).ok_or_else(not_found)?;
        Ok(state.contents[*content].clone())
    }

    fn read_dir(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let below = state.live.keys().filter_map(|path| path.strip_prefix(folder).ok()?.components().next());
        let names: BTreeSet<String> =
            below.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        Ok(names.into_iter().collect())
    }

    fn exists(&self, file: &Path) -> io::Result<bool> {
        Ok(self.state().live.contains_key(file))
    }
}
