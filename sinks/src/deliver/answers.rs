//! Answers of several sinks, which work at the same time while the engine goes on.

use std::collections::BTreeMap;

use super::Answer;
use crate::sink::SinkError;

/// One of each sink, by its name.
#[derive(Debug)]
pub struct Answers<T> {
    slots: Vec<(String, Slot<T>)>,
    /// So often they are said not to be here, though they are.
    looks: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Coming(Answer<T>),
    Here(Result<T, SinkError>),
}

impl<T> Answers<T> {
    /// Of sinks that have been asked, or would not be.
    pub(super) fn of(asked: impl Iterator<Item = (String, Result<Answer<T>, SinkError>)>) -> Self {
        let slot = |asked: Result<Answer<T>, SinkError>| match asked {
            Ok(answer) => Slot::Coming(answer),
            Err(error) => Slot::Here(Err(error)),
        };
        Answers { slots: asked.map(|(name, asked)| (name, slot(asked))).collect(), looks: 0 }
    }

    /// Of sinks that have answered already.
    #[must_use]
    pub fn here(answers: BTreeMap<String, T>) -> Self {
        Answers::here_after(0, answers)
    }

    /// The same, of sinks that are slow: one must have looked for them so often.
    #[must_use]
    pub fn here_after(looks: usize, answers: BTreeMap<String, T>) -> Self {
        let slots = answers.into_iter().map(|(name, answer)| (name, Slot::Here(Ok(answer))));
        Answers { slots: slots.collect(), looks }
    }

    /// Whether [`wait`](Self::wait) would not block.
    pub fn are_here(&mut self) -> bool {
        if self.looks > 0 {
            self.looks -= 1;
            return false;
        }
        for (_, slot) in &mut self.slots {
            if let Slot::Coming(answer) = slot {
                let Some(answer) = answer.look() else { return false };
                *slot = Slot::Here(answer);
            }
        }
        true
    }

    /// Blocks until all are there, even if one has failed, so that no sink is at work when this returns.
    ///
    /// # Errors
    /// Of the first sink that failed.
    pub fn wait(self) -> Result<BTreeMap<String, T>, SinkError> {
        let answers: Vec<(String, Result<T, SinkError>)> = self
            .slots
            .into_iter()
            .map(|(name, slot)| match slot {
                Slot::Coming(answer) => (name, answer.wait()),
                Slot::Here(answer) => (name, answer),
            })
            .collect();
        answers.into_iter().map(|(name, answer)| Ok((name, answer?))).collect()
    }
}
