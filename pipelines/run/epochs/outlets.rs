//! What epochs ask of the sinks.

use std::collections::BTreeMap;

use ingest::time::{Epoch, Offset};
use sinks::deliver::{Answers, Fanout};
use sinks::emission::Emission;
use sinks::parquet::StreamSettings;
use sinks::sink::{Receipt, SinkError};

/// All sinks behind one call, as the contract of [`sinks::sink::Sink`] has it.
pub trait Sinks {
    /// Takes rows in.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn write(&self, emission: &Emission) -> Result<(), SinkError>;
    /// Makes the rows so far durable, yet unseen. They are once the answers are there; rows that are written meanwhile
    /// belong to the next epoch.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<Answers<Receipt>, SinkError>;
    /// Shows the epoch's rows. They are seen once the answers are there.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Result<Answers<()>, SinkError>;
    /// The receipts of this epoch will not be committed: those of a later one speak for its rows as well.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn supersede(&self, epoch: Epoch) -> Result<(), SinkError>;
    /// Rows of these streams may come from now on.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn extend(&self, streams: &[StreamSettings]) -> Result<(), SinkError>;
}

impl Sinks for Fanout {
    fn write(&self, emission: &Emission) -> Result<(), SinkError> {
        Fanout::write(self, emission)
    }

    fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<Answers<Receipt>, SinkError> {
        Ok(Fanout::prepare(self, epoch, resume_at))
    }

    fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Result<Answers<()>, SinkError> {
        Ok(Fanout::commit(self, epoch, receipts))
    }

    fn supersede(&self, epoch: Epoch) -> Result<(), SinkError> {
        Fanout::supersede(self, epoch)
    }

    fn extend(&self, streams: &[StreamSettings]) -> Result<(), SinkError> {
        Fanout::extend(self, streams)
    }
}
