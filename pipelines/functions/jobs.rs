//! All jobs, and what follows from where their vehicles stand: found anew for those alone that have changed, however many
//! more are known.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::inference::{Outlook, Watch};
use super::job::{Job, JobKey};

/// Jobs by site and name. They are changed by [`Jobs::get_mut`] alone, which remembers whose outlook that may alter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Jobs {
    all: BTreeMap<JobKey, Job>,
    /// Follows from the jobs; none yet after a checkpoint.
    #[serde(skip)]
    outlook: Option<Outlook>,
    /// Handed out to be changed since the outlook was found: none that is not known.
    #[serde(skip)]
    changed: BTreeSet<JobKey>,
}

impl Deref for Jobs {
    type Target = BTreeMap<JobKey, Job>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Jobs {
    pub(super) fn get_mut(&mut self, key: &JobKey) -> Option<&mut Job> {
        let job = self.all.get_mut(key)?;
        if !self.changed.contains(key) {
            self.changed.insert(key.clone());
        }
        Some(job)
    }

    pub(super) fn insert(&mut self, key: JobKey, job: Job) {
        self.changed.insert(key.clone());
        self.all.insert(key, job);
    }

    pub(super) fn remove(&mut self, key: &JobKey) {
        self.all.remove(key);
        self.changed.remove(key);
        if let Some(outlook) = &mut self.outlook {
            outlook.put(key, None);
        }
    }

    /// Where vehicles stand as things are, to look at while jobs are changed; to be given back to [`Jobs::keep`].
    pub(super) fn take_outlook(&mut self) -> Outlook {
        let changed = std::mem::take(&mut self.changed);
        match self.outlook.take() {
            Some(mut outlook) => {
                changed.iter().for_each(|key| outlook.put(key, self.all.get(key)));
                outlook
            }
            None => {
                let mut outlook = Outlook::default();
                self.all.iter().for_each(|(key, job)| outlook.put(key, Some(job)));
                outlook
            }
        }
    }

    pub(super) fn keep(&mut self, outlook: Outlook) {
        self.outlook = Some(outlook);
    }

    /// What to look for as things stand: a function of what a checkpoint holds. The same place as before, if it is the
    /// same.
    pub(super) fn watch(&mut self) -> Arc<Watch> {
        let mut outlook = self.take_outlook();
        let watch = outlook.watch();
        self.keep(outlook);
        watch
    }
}
