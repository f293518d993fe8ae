//! The next segment, made ready before it is needed.
//!
//! Blocks that are preallocated and were never written become durable only with a turn of the file system's own
//! journal, and that waits for whatever others have written: publishers felt it as tenths of a second without a
//! PUBACK. So a thread writes zeroes over the next segment ahead, slice by slice. Where it is not ready in time, or
//! found no room, the segment is preallocated as before; it takes the room of one segment more than are kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::segment::{self, SegmentHead};
use crate::storage::{Storage, StorageFile};

/// Written and made durable at once; short, since whoever syncs meanwhile may wait for it.
const SLICE_BYTES: u64 = 1 << 20;

/// Between slices: 64 MiB in about a second, which is faster than messages fill them.
const PAUSE: Duration = Duration::from_millis(10);

/// Who makes the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A thread, beside who appends.
    Thread,
    /// Whoever appends, at the moment when a thread would begin: the same operations in the same order each time.
    Here,
}

#[derive(Debug)]
pub(super) struct Spare {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    bytes: u64,
    maker: Maker,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not begun.
    Absent,
    Making {
        thread: JoinHandle<io::Result<()>>,
        is_stopped: Arc<AtomicBool>,
    },
    Ready,
    /// Not tried again before the next segment: a disk that is full would be asked with each entry.
    Failed,
}

impl Spare {
    /// One of `bytes` bytes beside the segments in `folder`; none is made yet.
    pub(super) fn new(storage: Arc<dyn Storage>, folder: &Path, bytes: u64, maker: Maker) -> Self {
        Spare { storage, path: segment::spare_path(folder), bytes, maker, state: State::Absent }
    }

    /// Begins to make it, if there is none.
    pub(super) fn begin(&mut self) {
        if !matches!(self.state, State::Absent) {
            return;
        }
        if self.maker == Maker::Here {
            let filled = fill(&*self.storage, &self.path, self.bytes, || false);
            self.state = if filled.is_ok() { State::Ready } else { State::Failed };
            return;
        }
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (storage, path, bytes) = (Arc::clone(&self.storage), self.path.clone(), self.bytes);
        let is_asked = Arc::clone(&is_stopped);
        let pause = move || {
            std::thread::sleep(PAUSE);
            is_asked.load(Ordering::Relaxed)
        };
        let thread = std::thread::Builder::new().name("next-segment".to_owned());
        self.state = match thread.spawn(move || fill(&*storage, &path, bytes, pause)) {
            Ok(thread) => State::Making { thread, is_stopped },
            Err(_) => State::Failed,
        };
    }

    pub(super) fn is_ready(&mut self) -> bool {
        if matches!(&self.state, State::Making { thread, .. } if thread.is_finished()) {
            self.end();
        }
        matches!(self.state, State::Ready)
    }

    /// Makes a segment of it, where it is ready and has room for `bytes`; then the next may be begun.
    pub(super) fn take(
        &mut self,
        folder: &Path,
        head: &SegmentHead,
        bytes: u64,
    ) -> io::Result<Option<Box<dyn StorageFile>>> {
        if bytes > self.bytes || !self.is_ready() {
            if matches!(self.state, State::Failed) {
                self.state = State::Absent;
            }
            return Ok(None);
        }
        self.state = State::Absent;
        segment::begin_on(&*self.storage, folder, &self.path, head).map(Some)
    }

    /// Waits for the thread.
    fn end(&mut self) {
        let State::Making { thread, .. } = std::mem::replace(&mut self.state, State::Failed) else { return };
        match thread.join() {
            Ok(Ok(())) => self.state = State::Ready,
            Ok(Err(error)) => tracing::debug!(%error, "the next segment is not made ahead"),
            Err(_) => tracing::error!("the thread that makes the next segment ahead has panicked"),
        }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if let State::Making { is_stopped, .. } = &self.state {
            is_stopped.store(true, Ordering::Relaxed);
            self.end();
        }
        if matches!(self.state, State::Ready) {
            // Should it stay, the next opening removes it.
            let _ = self.storage.remove_unsynced(&self.path);
        }
    }
}

/// Writes zeroes over a file of `bytes` bytes, durably; `pause` is taken after each slice and says whether to stop.
fn fill(storage: &dyn Storage, path: &Path, bytes: u64, pause: impl Fn() -> bool) -> io::Result<()> {
    let filled = storage.open_write(path).and_then(|file| {
        file.set_len(0)?;
        file.preallocate(bytes)?;
        let zeroes = vec![0; SLICE_BYTES.min(bytes) as usize];
        let mut position = 0;
        while position < bytes {
            let slice = (bytes - position).min(SLICE_BYTES);
            file.write_at(position, &zeroes[..slice as usize])?;
            file.sync_data()?;
            position += slice;
            if pause() {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    });
    if filled.is_err() {
        let _ = storage.remove_unsynced(path);
    }
    filled
}
