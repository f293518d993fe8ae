//! Several sinks behind one call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::time::{Epoch, Offset};

use super::{Answer, Answers, Delivery, DeliveryState, Shared};
use crate::emission::Emission;
use crate::parquet::StreamSettings;
use crate::sink::{Receipt, SinkError};

/// Which streams a sink gets.
#[derive(Clone, Debug)]
pub enum Route {
    All,
    Streams(BTreeSet<String>),
}

/// All sinks of a process.
#[derive(Debug, Default)]
pub struct Fanout {
    deliveries: Vec<(Delivery, Route)>,
}

/// Ends all waiting of a [`Fanout`], from any thread: for Ctrl-C while a disk is full.
#[derive(Clone, Debug)]
pub struct Stopper(Vec<Arc<Shared>>);

impl Stopper {
    /// Calls that wait return with an error; what is not committed comes again from the journal.
    pub fn stop(&self) {
        for shared in &self.0 {
            shared.stop();
        }
    }
}

impl Fanout {
    /// Adds a sink; names must differ, since receipts go by them.
    pub fn add(&mut self, delivery: Delivery, route: Route) {
        self.deliveries.push((delivery, route));
    }

    /// Hands rows to each sink that takes their stream; blocks while one of them is full.
    pub fn write(&self, emission: &Emission) -> Result<(), SinkError> {
        for (delivery, route) in &self.deliveries {
            let is_taken = match route {
                Route::All => true,
                Route::Streams(streams) => streams.contains(&*emission.stream),
            };
            if is_taken {
                delivery.write(emission.clone())?;
            }
        }
        Ok(())
    }

    /// Rows of these streams may come from now on, to those who take all streams.
    pub fn extend(&self, streams: &[StreamSettings]) -> Result<(), SinkError> {
        self.deliveries.iter().try_for_each(|(delivery, _)| delivery.extend(streams))
    }

    /// The receipts of this epoch will not be committed.
    pub fn supersede(&self, epoch: Epoch) -> Result<(), SinkError> {
        self.deliveries.iter().try_for_each(|(delivery, _)| delivery.supersede(epoch))
    }

    /// All rows so far are durable in all sinks when the answers are there: a receipt by sink.
    #[must_use]
    pub fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Answers<Receipt> {
        self.ask(|delivery| Some(delivery.prepare(epoch, resume_at)))
    }

    /// The epoch is shown by all sinks when the answers are there. A sink that has no receipt is new and has nothing to
    /// show.
    #[must_use]
    pub fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Answers<()> {
        for name in receipts.keys() {
            if !self.deliveries.iter().any(|(delivery, _)| delivery.name() == name) {
                tracing::warn!(
                    sink = name,
                    epoch = epoch.0,
                    "a checkpoint has a receipt of a sink that is not configured"
                );
            }
        }
        self.ask(|delivery| Some(delivery.commit(epoch, receipts.get(delivery.name())?.clone())))
    }

    /// The input has ended; all sinks have everything written when it returns.
    pub fn finish(&self) -> Result<(), SinkError> {
        self.ask(|delivery| Some(delivery.finish())).wait().map(|_| ())
    }

    /// Why not ready, a fragment each: `parquet: …: no space; make room there, waiting`.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let reason = |(delivery, _): &(Delivery, Route)| match delivery.state() {
            DeliveryState::Working => None,
            DeliveryState::Waiting(reason) => Some(reason),
            DeliveryState::Ended(error) => Some(error.to_string()),
        };
        self.deliveries.iter().filter_map(reason).collect()
    }

    /// For another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.deliveries.iter().map(|(delivery, _)| Arc::clone(&delivery.shared)).collect())
    }

    /// Asks all sinks: they work at the same time.
    fn ask<T>(&self, ask: impl Fn(&Delivery) -> Option<Result<Answer<T>, SinkError>>) -> Answers<T> {
        let asked = |(delivery, _): &(Delivery, Route)| Some((delivery.name().to_owned(), ask(delivery)?));
        Answers::of(self.deliveries.iter().filter_map(asked))
    }
}
