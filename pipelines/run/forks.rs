//! What regions took in and the log does not have finds its way to whoever leads, see [`crate::mirror::forks`].
//!
//! Both ends are looked after as long as the service runs: one that follows hands its own over, one that leads takes what
//! is there. A service that does not lead takes no commands, so it is asked in vain until it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingest::entry::Intake;
use ingest::entry::command::Order;
use ingest::storage::{DiskStorage, Storage};
use sinks::desk::{Desk, Wish};

use crate::config::Config;
use crate::mirror::forks::{Fork, hand_over};
use crate::mirror::{self, MirrorError, Store, StoreError};

/// How often one looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Pause before an order that nobody takes now is given again.
const RETRY: Duration = Duration::from_millis(200);
/// So often, then the mirror is looked at anew.
const TRIES: u32 = 10;

/// Looks after forks.
pub(super) struct Forks {
    store: Arc<dyn Store>,
    storage: Arc<dyn Storage>,
    journal: PathBuf,
    desk: Desk,
}

impl Forks {
    /// None where there is no mirror.
    pub(super) fn of(config: &Config, desk: &Desk) -> Result<Option<Forks>, StoreError> {
        let Some(settings) = &config.mirror else { return Ok(None) };
        let store = mirror::store(settings)?;
        let journal = config.journal.folder.clone();
        Ok(Some(Forks { store, storage: Arc::new(DiskStorage), journal, desk: desk.clone() }))
    }

    /// Until the runtime ends.
    pub(super) async fn run(self) {
        let mut trouble = String::new();
        loop {
            match self.look().await {
                Ok(()) => trouble.clear(),
                // A mirror that is away is told by others; anything else once.
                Err(error) if !error.is_passing() && error.to_string() != trouble => {
                    tracing::warn!(%error, "a fork is not handed over");
                    trouble = error.to_string();
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self) -> Result<(), MirrorError> {
        let is_there = self.journal.is_dir();
        let handed = if is_there { hand_over(&*self.store, &*self.storage, &self.journal).await? } else { 0 };
        if handed > 0 {
            tracing::info!(
                files = handed,
                "what this region took in and the log does not have is in the mirror"
            );
        }
        while let Some(fork) = Fork::oldest(&*self.store).await? {
            if !self.take(&fork).await {
                break;
            }
            fork.remove(&*self.store).await?;
        }
        Ok(())
    }

    /// Whether all of it is in our journal, and in the mirror.
    async fn take(&self, fork: &Fork) -> bool {
        for (order, messages) in &fork.orders {
            if !self.ask(order, messages).await {
                return false;
            }
            metrics::counter!("andon_mirror_rejoined_messages_total")
                .increment(u64::from(messages.messages()));
        }
        true
    }

    /// Whether an order was answered, whatever the answer.
    async fn ask(&self, order: &Order, messages: &Intake) -> bool {
        for _ in 0..TRIES {
            let reply = self.desk.ask(Wish::Order(order.clone(), messages.clone())).await;
            match reply.status {
                503 => tokio::time::sleep(RETRY).await,
                200 => return true,
                status => {
                    tracing::warn!(key = order.key, status, answer = %reply.body, "of a fork, refused");
                    return true;
                }
            }
        }
        false
    }
}
