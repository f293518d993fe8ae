//! A way out, and the contract that makes a repeat harmless.

use async_trait::async_trait;
use ingest::time::{Epoch, Offset};

use crate::emission::Emission;
use crate::parquet::StreamSettings;

/// Per epoch: `write`*, `prepare`, then (once the checkpoint is safe) `commit`. After a restart the newest
/// checkpoint's epoch is committed again with its receipt, then all later emissions come again. Later epochs may be
/// written and prepared while a commit waits; commits come in order. A call that ends in a passing error left
/// the sink as it was, and is made again.
#[async_trait]
pub trait Sink: Send {
    /// Name in errors, metrics and checkpoints.
    fn name(&self) -> &str;
    /// Takes rows in. Nothing of them is seen yet, unless the sink says otherwise at its head.
    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError>;
    /// Makes the epoch's rows durable, yet unseen. The receipt goes into the checkpoint. `resume_at` is the first journal
    /// entry behind the epoch, for stores that say how far they have come.
    async fn prepare(&mut self, epoch: Epoch, resume_at: Offset) -> Result<Receipt, SinkError>;
    /// Shows the epoch's rows. Doing so twice is the same as once.
    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError>;
    /// The receipt of this epoch will not be committed: that of a later one, which is prepared already, speaks for its rows
    /// as well. What was kept for this receipt alone may go.
    async fn supersede(&mut self, _epoch: Epoch) -> Result<(), SinkError> {
        Ok(())
    }
    /// Rows of these streams may come from now on, or with these columns. A sink that takes whatever comes needs
    /// not know.
    async fn extend(&mut self, _streams: &[StreamSettings]) -> Result<(), SinkError> {
        Ok(())
    }
    /// The input has ended, nothing follows. A sink that shows rows only now does so here.
    async fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// What a commit needs, as text (JSON); written into the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt(pub String);

/// Why a sink could not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Trying again can help: a full disk, a store that is down.
    #[error("sink `{sink}` cannot write to {target} now: {reason}")]
    Unavailable { sink: String, target: String, reason: String },
    /// Trying again cannot help.
    #[error("sink `{sink}` refused {what}: {reason}")]
    Refused { sink: String, what: String, reason: String },
}

impl SinkError {
    /// Whether trying the same call again can help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, SinkError::Unavailable { .. })
    }
}
