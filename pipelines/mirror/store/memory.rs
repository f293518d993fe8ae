//! A store of a test: in memory, and away, deaf or slow to say that it has done it, as the test likes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Content and time of each.
type Objects = BTreeMap<String, (Bytes, i64)>;

#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    objects: Mutex<Objects>,
    /// Nothing is done, and each call fails.
    pub(crate) is_away: AtomicBool,
    /// The next `put_new` is done, and its answer is lost.
    pub(crate) loses_answer: AtomicBool,
    clock_ms: std::sync::atomic::AtomicI64,
}

impl MemoryStore {
    fn away(&self) -> StoreError {
        StoreError::Unreachable { place: self.place(), reason: "no route to it".to_owned() }
    }

    fn objects(&self) -> Result<std::sync::MutexGuard<'_, Objects>, StoreError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(self.away());
        }
        Ok(self.objects.lock().expect("no test panics within"))
    }

    /// Names of all objects.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().expect("no test panics within").keys().cloned().collect()
    }

    /// Lets the store's clock go on.
    pub(crate) fn pass_ms(&self, ms: i64) {
        self.clock_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.objects()?.get(name).map(|(content, _)| content.clone()))
    }

    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError> {
        let mut objects = self.objects()?;
        if objects.contains_key(name) {
            return Ok(false);
        }
        objects.insert(name.to_owned(), (content, self.clock_ms.load(Ordering::SeqCst)));
        if self.loses_answer.swap(false, Ordering::SeqCst) { Err(self.away()) } else { Ok(true) }
    }

    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.objects()?.insert(name.to_owned(), (content, self.clock_ms.load(Ordering::SeqCst)));
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.objects()?.remove(name);
        Ok(())
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
        let objects = self.objects()?;
        let behind = objects.iter().filter(|(name, _)| name.starts_with(folder) && name.as_str() > after);
        let found = behind.map(|(name, (_, at_ms))| Found { name: name.clone(), modified_ms: *at_ms });
        Ok(found.take(LIST_MAX).collect())
    }
}
