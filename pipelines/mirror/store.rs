//! Objects in another region: the few operations that a mirror needs of its store.

mod bucket;
mod folder;
#[cfg(test)]
pub(crate) mod memory;
mod timed;

use async_trait::async_trait;
use bytes::Bytes;

pub use bucket::BucketStore;
pub use folder::FolderStore;
pub(crate) use timed::Timed;

/// Objects by name (`/` between folders). An object is there whole or not at all, and durable once the call that
/// makes it returns.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// The content of an object, if it is there.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Makes an object unless one of that name is there: whether it was made. After an error it may have been.
    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError>;

    /// Makes or replaces an object.
    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError>;

    /// Removes an object; fine where there is none.
    async fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// Objects below `folder` (which ends with `/`) whose name is greater than `after`, in the order of their names;
    /// at most a thousand of them.
    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError>;
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    /// When it was made, by the store's own clock, ms since 1970 UTC.
    pub modified_ms: i64,
}

/// Why the store could not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Trying again can help.
    #[error("the mirror {place} is not reachable: {reason}")]
    Unreachable { place: String, reason: String },
    /// Somebody must do something.
    #[error("the mirror {place} refuses: {reason}")]
    Refused { place: String, reason: String },
}

/// Objects of a list.
pub(crate) const LIST_MAX: usize = 1_000;

/// All objects below `folder` behind `after`.
pub(crate) async fn list_all(store: &dyn Store, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
    let mut all: Vec<Found> = Vec::new();
    loop {
        let after = all.last().map_or(after, |found| found.name.as_str()).to_owned();
        let page = store.list(folder, &after).await?;
        let is_last = page.len() < LIST_MAX;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
