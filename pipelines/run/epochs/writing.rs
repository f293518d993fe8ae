//! A checkpoint on its way to the disk, while the engine goes on.

use std::sync::Arc;
use std::thread::JoinHandle;

use ingest::time::Epoch;

use crate::background;
use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointFolder};
use crate::run::RunError;

/// Who writes checkpoints.
#[derive(Clone, Copy, Debug)]
pub enum CheckpointWriter {
    /// A thread for each.
    Thread,
    /// Whoever asks, at once; yet one must look so often before it is said to be done.
    Here { looks: fn(Epoch) -> usize },
}

/// What has become of a checkpoint.
#[derive(Debug)]
pub(super) struct Written {
    /// Its file, to be written again if it could not be.
    pub(super) bytes: Vec<u8>,
    /// The same without receipts, which speak of files of this region, if it was asked for.
    pub(super) abroad: Option<Vec<u8>>,
    pub(super) result: Result<(), CheckpointError>,
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub(super) enum Writing {
    Coming(Joined),
    Here { looks: usize, written: Written },
}

/// A thread that writes. Who lets go of it waits until it has: nothing is written behind the back of whoever opens the
/// folder next.
#[derive(Debug)]
pub(super) struct Joined(Option<JoinHandle<Written>>);

impl CheckpointWriter {
    /// Encodes and writes.
    pub(super) fn write(
        self,
        folder: &Arc<CheckpointFolder>,
        checkpoint: Checkpoint,
        is_for_abroad: bool,
    ) -> Result<Writing, RunError> {
        match self {
            CheckpointWriter::Thread => {
                let folder = Arc::clone(folder);
                let thread = std::thread::Builder::new().name("andon-checkpoint".into());
                let handle = thread.spawn(move || {
                    background::step_back();
                    Written::of(&folder, checkpoint, is_for_abroad)
                });
                Ok(Writing::Coming(Joined(Some(handle.map_err(RunError::Threads)?))))
            }
            CheckpointWriter::Here { looks } => {
                let looks = looks(checkpoint.epoch());
                Ok(Writing::Here { looks, written: Written::of(folder, checkpoint, is_for_abroad) })
            }
        }
    }
}

impl Written {
    fn of(folder: &CheckpointFolder, mut checkpoint: Checkpoint, is_for_abroad: bool) -> Written {
        let epoch = checkpoint.epoch;
        let mut write = || {
            let bytes = folder.encode(&checkpoint)?;
            checkpoint.receipts.clear();
            let abroad = is_for_abroad.then(|| folder.encode(&checkpoint)).transpose()?;
            Ok((bytes, abroad))
        };
        match write() {
            Ok((bytes, abroad)) => {
                let result = folder.put_bytes(epoch, &bytes);
                Written { bytes, abroad, result }
            }
            Err(error) => Written { bytes: Vec::new(), abroad: None, result: Err(error) },
        }
    }
}

impl Writing {
    /// Whether [`wait`](Self::wait) would not block.
    pub(super) fn is_done(&mut self) -> bool {
        match self {
            Writing::Coming(Joined(handle)) => handle.as_ref().is_none_or(JoinHandle::is_finished),
            Writing::Here { looks, .. } if *looks > 0 => {
                *looks -= 1;
                false
            }
            Writing::Here { .. } => true,
        }
    }

    /// Blocks until it is done.
    pub(super) fn wait(self) -> Written {
        match self {
            Writing::Coming(mut joined) => {
                let handle = joined.0.take().expect("only this and the end take it");
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            Writing::Here { written, .. } => written,
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            let _ = handle.join();
        }
    }
}
