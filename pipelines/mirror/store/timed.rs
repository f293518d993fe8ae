//! A store whose silence is an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Found, Store, StoreError};

/// Gives up on a store that does not answer.
#[derive(Debug)]
pub(crate) struct Timed {
    store: Arc<dyn Store>,
    patience: Duration,
}

impl Timed {
    pub(crate) fn new(store: Arc<dyn Store>, patience: Duration) -> Self {
        Timed { store, patience }
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let done = tokio::time::timeout(self.patience, call).await;
        done.unwrap_or_else(|_| {
            let reason = format!("no answer within {} ms", self.patience.as_millis());
            Err(StoreError::Unreachable { place: self.place(), reason })
        })
    }
}

#[async_trait]
impl Store for Timed {
    fn place(&self) -> String {
        self.store.place()
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.within(self.store.get(name)).await
    }

    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError> {
        self.within(self.store.put_new(name, content)).await
    }

    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.within(self.store.put(name, content)).await
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.within(self.store.remove(name)).await
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
        self.within(self.store.list(folder, after)).await
    }
}
