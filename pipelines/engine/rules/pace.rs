//! How often keys are usually heard, and which bays are open, in a checkpoint.

use super::openings::Opening;
use super::silence_rule::SilenceRule;
use super::silences::Silences;
use super::usual::Usual;

/// What is known of keys and bays beside [`super::SilenceState`].
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::engine) struct PaceState {
    /// (rule, how often its keys are usually heard).
    usual: Vec<(String, Vec<(String, Usual)>)>,
    /// By bay.
    openings: Vec<(u32, Opening)>,
}

impl Silences {
    /// The rest of a snapshot.
    #[must_use]
    pub(in crate::engine) fn pace(&self) -> PaceState {
        let usual = |rule: &SilenceRule| {
            (rule.life.name.to_string(), rule.usual().map(|(key, usual)| (key.to_owned(), usual)).collect())
        };
        let asking = self.rules.iter().filter(|rule| rule.patience.intervals.is_some());
        PaceState { usual: asking.map(usual).collect(), openings: self.openings.snapshot() }
    }

    /// Goes on with it, behind [`Silences::restore`].
    pub(in crate::engine) fn restore_pace(&mut self, state: PaceState) {
        for (name, keys) in state.usual {
            let rule = self.rules.iter_mut().find(|rule| *rule.life.name == *name);
            if let Some(rule) = rule {
                keys.iter().for_each(|(key, usual)| rule.restore_usual(key, *usual));
            }
        }
        if self.any_asks_openings {
            self.openings.restore(state.openings);
        }
    }
}
