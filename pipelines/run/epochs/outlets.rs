//! What epochs ask of the sinks.

use std::collections::BTreeMap;

use ingest::time::{Epoch, Offset};
use sinks::deliver::Fanout;
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
    /// Makes the epoch's rows durable, yet unseen.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<BTreeMap<String, Receipt>, SinkError>;
    /// Shows the epoch's rows.
    ///
    /// # Errors
    /// What trying again cannot help.
    fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Result<(), SinkError>;
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

    fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<BTreeMap<String, Receipt>, SinkError> {
        Fanout::prepare(self, epoch, resume_at)
    }

    fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Result<(), SinkError> {
        Fanout::commit(self, epoch, receipts)
    }

    fn extend(&self, streams: &[StreamSettings]) -> Result<(), SinkError> {
        Fanout::extend(self, streams)
    }
}
