//! The newest few of something, by name.

use std::collections::{BTreeMap, VecDeque};

/// Bounded by whoever inserts.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Remembered<T> {
    by_name: BTreeMap<String, T>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Remembered { by_name: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T> Remembered<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.by_name.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)
    }

    /// The oldest goes beyond `max`.
    pub(super) fn insert(&mut self, name: &str, value: T, max: usize) {
        if self.by_name.insert(name.to_owned(), value).is_none() {
            self.order.push_back(name.to_owned());
        }
        while self.order.len() > max
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}
