//! Steps, cards and how far jobs have come, in a checkpoint.

use std::sync::Arc;

use ingest::readings::JobCard;

use super::doubles::Doubles;
use super::promises::Promises;
use super::{BaySteps, CardKey, Progress, Steps};

/// [`Steps`] in a checkpoint.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct StepsParts {
    bays: Vec<BaySteps>,
    /// (site, ordinal, card).
    cards: Vec<(Box<str>, u64, JobCard)>,
    progress: Vec<(CardKey, Progress)>,
    /// None in states of before.
    #[serde(default)]
    promises: Option<Promises>,
    #[serde(default)]
    doubles: Doubles,
}

impl Steps {
    /// As it is written to checkpoints: JSON cannot have pairs as keys.
    pub(in crate::engine) fn to_parts(&self) -> StepsParts {
        let cards = self.cards.iter();
        let cards = cards.map(|((site, _), (message, card))| (site.clone(), *message, card.as_ref().clone()));
        let progress = self.progress.iter().map(|(key, progress)| (key.clone(), progress.clone()));
        StepsParts {
            bays: self.bays.clone(),
            cards: cards.collect(),
            progress: progress.collect(),
            promises: Some(self.promises.clone()),
            doubles: self.doubles.clone(),
        }
    }

    /// From [`Steps::to_parts`].
    pub(in crate::engine) fn from_parts(parts: StepsParts) -> Self {
        let cards = parts.cards.into_iter();
        let cards =
            cards.map(|(site, message, card)| ((site, card.job.as_str().into()), (message, Arc::new(card))));
        let mut steps = Steps {
            bays: parts.bays,
            cards: cards.collect(),
            progress: parts.progress.into_iter().collect(),
            promises: Promises::default(),
            doubles: parts.doubles,
        };
        match parts.promises {
            Some(promises) => steps.promises = promises.restored(),
            None => steps.look_at_promises_anew(),
        }
        steps
    }
}
