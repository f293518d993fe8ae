//! From a cut to an epoch that others see, while the engine goes on.
//!
//! ```text
//! cut ─► state copied, sinks asked to prepare ─► their receipts ─► checkpoint ─► mirrored ─► sinks asked to commit ─► shown
//! ```
//!
//! One epoch is on the way to its checkpoint at a time, and one on the way from there: a cut that comes while the epoch
//! before is still on its way waits for that, so memory holds one copy of the state. Rows that are told meanwhile wait in the sinks' queues, which are
//! bounded. Nothing is shown before its checkpoint is durable.

use std::collections::BTreeMap;

use ingest::journal::{Hold, JournalError};
use ingest::time::{Epoch, Offset};
use sinks::deliver::Answers;
use sinks::sink::Receipt;

use super::writing::{Writing, Written};
use super::{Epochs, Sinks, Wait};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::run::RunError;
use crate::run::abroad::{Abroad, Unshown, wait_to_show};

/// An epoch whose rows are being made durable.
#[derive(Debug)]
pub(super) struct Closing {
    epoch: Epoch,
    resume_at: Offset,
    /// State as of the cut.
    engine: Vec<u8>,
    receipts: Answers<Receipt>,
    /// Where a mirror compares: hash of the state, and text of the configuration that applied.
    compared: Option<(String, String)>,
}

/// An epoch whose checkpoint is being written.
#[derive(Debug)]
pub(super) struct Keeping {
    epoch: Epoch,
    resume_at: Offset,
    receipts: BTreeMap<String, Receipt>,
    writing: Writing,
    compared: Option<(String, String)>,
}

/// An epoch that is being shown.
#[derive(Debug)]
pub(super) struct Showing {
    epoch: Epoch,
    resume_at: Offset,
    done: Answers<()>,
    /// While a backup is made nothing is shown, and while something is shown no backup begins.
    _held: Hold,
}

impl<S: Sinks> Epochs<S> {
    /// Begins to make an epoch safe.
    pub(super) fn cut(&mut self, epoch: Epoch, wait: Wait<'_>) -> Result<(), RunError> {
        self.make_safe(wait)?;
        let resume_at = self.applied.next();
        let is_compared = self.abroad.as_ref().is_some_and(|abroad| abroad.is_compared(epoch));
        let (engine, compared) = if is_compared {
            let (engine, hash) = self.engine.snapshot_and_hash()?;
            (engine, Some((hash, self.engine.config().text.clone())))
        } else {
            (self.engine.snapshot()?, None)
        };
        let receipts = self.sinks.prepare(epoch, resume_at)?;
        self.closing = Some(Closing { epoch, resume_at, engine, receipts, compared });
        Ok(())
    }

    /// Goes on with what the sinks have answered. Never waits for them.
    ///
    /// # Errors
    /// What trying again cannot help.
    pub fn go_on(&mut self, wait: Wait<'_>) -> Result<(), RunError> {
        if self.closing.as_mut().is_some_and(|closing| closing.receipts.are_here()) {
            self.write()?;
        }
        if self.keeping.as_mut().is_some_and(|keeping| keeping.writing.is_done()) {
            self.kept(wait)?;
        }
        while self.showing.as_mut().is_none_or(|showing| showing.done.are_here()) {
            self.shown(wait)?;
            if !self.begin_to_show()? {
                break;
            }
        }
        Ok(())
    }

    /// Waits until all epochs that were cut are safe, and all that may be are shown.
    ///
    /// # Errors
    /// What trying again cannot help, or the sinks are told to stop.
    pub fn settle(&mut self, wait: Wait<'_>) -> Result<(), RunError> {
        self.make_safe(wait)?;
        loop {
            self.shown(wait)?;
            if !self.begin_to_show()? {
                return Ok(());
            }
        }
    }

    /// Waits until the epoch that was cut is safe, if one is not yet.
    fn make_safe(&mut self, wait: Wait<'_>) -> Result<(), RunError> {
        self.write()?;
        self.kept(wait)
    }

    /// Waits for the receipts of the epoch that is being closed, if one is, and begins to write its checkpoint.
    fn write(&mut self) -> Result<(), RunError> {
        let Some(Closing { epoch, resume_at, engine, receipts, compared }) = self.closing.take() else {
            return Ok(());
        };
        let receipts = receipts.wait()?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let checkpoint = Checkpoint {
            epoch: epoch.0,
            resume_at: resume_at.0,
            version,
            engine,
            receipts: receipts.clone(),
        };
        let is_for_abroad = compared.is_some() && self.abroad.as_ref().is_some_and(Abroad::leads);
        let writing = self.writer.write(&self.checkpoints, checkpoint, is_for_abroad)?;
        self.keeping = Some(Keeping { epoch, resume_at, receipts, writing, compared });
        Ok(())
    }

    /// Waits until the checkpoint that is being written is, if one is.
    fn kept(&mut self, wait: Wait<'_>) -> Result<(), RunError> {
        let Some(Keeping { epoch, resume_at, receipts, writing, compared }) = self.keeping.take() else {
            return Ok(());
        };
        let Written { bytes, abroad: content, result } = writing.wait();
        self.put_again(epoch, &bytes, result, wait)?;
        if let (Some(abroad), Some(compared)) = (&mut self.abroad, compared) {
            abroad.compare(epoch, resume_at, compared, content);
        }
        if let Some(let_go) = wait_to_show(&mut self.unshown, Unshown { epoch, receipts, resume_at }) {
            self.checkpoints.remove(let_go)?;
            self.sinks.supersede(let_go)?;
        }
        Ok(())
    }

    /// Asks the sinks to show the oldest epoch that waits for it, if the mirror has it: nothing that is seen from outside
    /// is ever rolled back. Whether they were asked.
    fn begin_to_show(&mut self) -> Result<bool, RunError> {
        let Some(next) = self.unshown.front() else { return Ok(false) };
        if self.abroad.as_ref().is_some_and(|abroad: &Abroad| abroad.mirrored() < next.resume_at) {
            return Ok(false);
        }
        let held = match self.journal.with(|journal| journal.hold()) {
            Err(JournalError::Held { .. }) => return Ok(false),
            held => held?,
        };
        let Unshown { epoch, receipts, resume_at } = self.unshown.pop_front().expect("it is there");
        let done = self.sinks.commit(epoch, &receipts)?;
        self.showing = Some(Showing { epoch, resume_at, done, _held: held });
        Ok(true)
    }

    /// Waits until the epoch that is being shown is, if one is. What came before its checkpoint is not needed any more.
    fn shown(&mut self, wait: Wait<'_>) -> Result<(), RunError> {
        let Some(Showing { epoch, resume_at, done, _held }) = self.showing.take() else { return Ok(()) };
        done.wait()?;
        if let Some(abroad) = &mut self.abroad {
            abroad.set_shown(resume_at, wait)?;
        }
        self.epoch = epoch;
        self.resumes.push(resume_at);
        self.checkpoints.trim(epoch, self.journal.with(|journal| journal.first_offset()))?;
        if self.resumes.len() > self.keep {
            self.resumes.remove(0);
            let before = self.retained.needless_before(self.resumes[0]);
            // Whole segments only, so at least the newest stays to be replayed by hand.
            let removed = self.journal.with(|journal| journal.trim(before, self.journal_bytes))?;
            metrics::counter!("andon_journal_removed_bytes_total").increment(removed);
        }
        Ok(())
    }

    /// A checkpoint that a full disk has no room for is written again until there is some, which is said. Who asks for
    /// the end need not wait for room: the journal since the checkpoint before is applied again after the next start.
    fn put_again(
        &self,
        epoch: Epoch,
        bytes: &[u8],
        mut result: Result<(), CheckpointError>,
        wait: Wait<'_>,
    ) -> Result<(), RunError> {
        loop {
            match result {
                Ok(()) => return Ok(()),
                Err(CheckpointError::Storage { path, source, .. })
                    if ingest::storage::is_full(&source)
                        && wait(&format!("checkpoints: no space for {}, waiting", path.display())) =>
                {
                    result = self.checkpoints.put_bytes(epoch.0, bytes);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
