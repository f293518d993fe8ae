//! Why the service could not go on.

use std::path::PathBuf;

use ingest::journal::JournalError;
use sinks::sink::SinkError;

use crate::checkpoint::CheckpointError;
use crate::engine::EngineError;
use crate::mirror::MirrorError;
use crate::wire;

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("could not start: {0}")]
    Wire(#[from] wire::WireError),
    #[error("could not start: {0}")]
    Board(#[from] sinks::board::ServeError),
    #[error("could not start threads: {0}")]
    Threads(std::io::Error),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error("there is no mirror: set `url` in `[mirror]`")]
    NoMirror,
    #[error(
        "the state at entry {offset} is {ours} here and {theirs} at the leader; keep both journals and report this"
    )]
    Differs { offset: u64, theirs: String, ours: String },
    #[error("could not start to publish: {0}")]
    Publish(#[from] ingest::source::SourceError),
    #[error("the intake stopped: {0}")]
    Intake(#[from] ingest::intake::IntakeError),
    #[error(
        "the journal ends at offset {journal} but the checkpoint goes on at {checkpoint}; the journal in {folder} is \
         not the one that the checkpoint was made from: put the right one back, or move the checkpoints away",
        folder = .folder.display()
    )]
    Mismatch { journal: u64, checkpoint: u64, folder: PathBuf },
}

impl RunError {
    /// Whether trying again can help, once there is room or a lock is given back.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            RunError::Journal(error) => error.is_passing(),
            RunError::Sink(error) => error.is_passing(),
            _ => false,
        }
    }
}
