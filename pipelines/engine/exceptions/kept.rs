//! What goes on, so kept that a second costs what time can change in it, however much else is known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Condition, Exception, State};

/// Rule and key.
pub(super) type Slot = (Arc<str>, String);

/// All conditions by rule and key. They are changed by its own methods alone, which remember of which of them time may
/// bring something.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Conditions {
    all: BTreeMap<Slot, Condition>,
    /// Those of which time may bring something, and those that were handed out since that was last looked at. None if it
    /// can be any: after a checkpoint, and when all were handed out.
    #[serde(skip)]
    waiting: Option<BTreeSet<Slot>>,
    /// Of none was heard before it; not known after a checkpoint, nor once another has come.
    #[serde(skip)]
    heard_from_ms: Option<i64>,
}

impl Deref for Conditions {
    type Target = BTreeMap<Slot, Condition>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Conditions {
    pub(super) fn get_mut(&mut self, slot: &Slot) -> Option<&mut Condition> {
        let condition = self.all.get_mut(slot)?;
        note(&mut self.waiting, slot, condition);
        Some(condition)
    }

    pub(super) fn get_or_new(&mut self, slot: &Slot) -> &mut Condition {
        let condition = self.all.entry(slot.clone()).or_insert_with(|| {
            self.heard_from_ms = None;
            Condition::default()
        });
        note(&mut self.waiting, slot, condition);
        condition
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Condition> {
        self.waiting = None;
        self.all.values_mut()
    }

    pub(super) fn remove(&mut self, slot: &Slot) {
        self.all.remove(slot);
    }

    pub(super) fn retain(&mut self, stays: impl FnMut(&Slot, &mut Condition) -> bool) {
        self.all.retain(stays);
    }

    /// Forgets those of which nothing was heard since `before_ms` and that are not open.
    pub(super) fn forget(&mut self, before_ms: i64) {
        // Mostly none is so old, and not each has to be looked at for that.
        if self.heard_from_ms.is_some_and(|from_ms| before_ms <= from_ms) {
            return;
        }
        self.all.retain(|_, condition| {
            condition.open.is_some() || condition.newest_ms.is_none_or(|newest_ms| newest_ms >= before_ms)
        });
        let heard_ms = self.all.values().filter_map(|condition| condition.newest_ms);
        self.heard_from_ms = heard_ms.min().or(Some(i64::MAX));
    }

    /// Those of which time may bring something, in order.
    pub(super) fn waiting(&mut self) -> Vec<Slot> {
        let Conditions { all, waiting, .. } = self;
        let waiting = waiting.get_or_insert_with(|| all.keys().cloned().collect());
        waiting.retain(|slot| {
            all.get_mut(slot).is_some_and(|condition| {
                condition.is_noted = condition.waits_for_time();
                condition.is_noted
            })
        });
        waiting.iter().cloned().collect()
    }

    /// When shelvings end.
    pub(super) fn ends_ms(&self) -> impl Iterator<Item = i64> {
        let noted = self.waiting.as_ref();
        let noted = noted.map(|slots| slots.iter().filter_map(|slot| self.all.get(slot)));
        let all = noted.is_none().then(|| self.all.values());
        let shelved = noted.into_iter().flatten().chain(all.into_iter().flatten());
        shelved.filter_map(|condition| condition.shelved.as_ref()?.until_ms)
    }
}

fn note(waiting: &mut Option<BTreeSet<Slot>>, slot: &Slot, condition: &mut Condition) {
    if let Some(waiting) = waiting
        && !condition.is_noted
    {
        condition.is_noted = true;
        waiting.insert(slot.clone());
    }
}

impl Condition {
    /// Whether time alone may change it, or how it is told.
    fn waits_for_time(&self) -> bool {
        let may_end = |open: &Exception| {
            self.misses_since_ms.is_some()
                || open.state == State::Suppressed
                || open.operator.until_ms.is_some()
        };
        self.shelved.is_some() || self.open.as_ref().is_some_and(may_end)
    }
}

/// Latched exceptions by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Latched {
    all: BTreeMap<String, Exception>,
    by_rule: BTreeSet<Slot>,
    /// When the shelving of which ends.
    ends: BTreeSet<(i64, String)>,
}

impl Deref for Latched {
    type Target = BTreeMap<String, Exception>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Latched {
    /// Keeps an exception as it is now.
    pub(super) fn put(&mut self, exception: Exception) {
        self.remove(&exception.id);
        self.by_rule.insert((Arc::clone(&exception.rule), exception.id.clone()));
        self.ends.extend(exception.operator.until_ms.map(|ms| (ms, exception.id.clone())));
        self.all.insert(exception.id.clone(), exception);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Exception> {
        let exception = self.all.remove(id)?;
        self.by_rule.remove(&(Arc::clone(&exception.rule), id.to_owned()));
        if let Some(ms) = exception.operator.until_ms {
            self.ends.remove(&(ms, id.to_owned()));
        }
        Some(exception)
    }

    /// Those of a rule.
    pub(super) fn of_rule(&self, rule: &Arc<str>) -> impl Iterator<Item = &Exception> {
        let from = (Arc::clone(rule), String::new());
        let ids = self.by_rule.range(from..).take_while(move |(name, _)| name == rule);
        ids.map(|(_, id)| &self.all[id])
    }

    /// When shelvings end, and of which, the next one first.
    pub(super) fn ends(&self) -> &BTreeSet<(i64, String)> {
        &self.ends
    }
}

impl Serialize for Latched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latched = Latched::default();
        let all: BTreeMap<String, Exception> = Deserialize::deserialize(deserializer)?;
        all.into_values().for_each(|exception| latched.put(exception));
        Ok(latched)
    }
}
