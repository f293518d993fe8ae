//! What decides a rule's state, and what becomes of that state under another configuration.

use std::time::Duration;

use crate::config::RuleSettings;
use crate::plan::{Plan, Stream, WindowKind};

/// Of windows that read what the step join says.
const NOT_KNOWN_AGAIN: &str = "it begins with the next window: the steps of earlier rows are not known again";

/// What decides the state of a rule or view. Its words, severity and delays do not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Nature {
    pub name: String,
    pub is_view: bool,
    /// Of all that the file says.
    version: String,
    /// Of the compiled query: decides windows.
    query: String,
    /// What else decides conditions: how rows are judged, and by what key.
    judged: String,
    keeps: Keeps,
}

/// Which state there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Keeps {
    /// At most conditions.
    Rows,
    /// When each key was heard last, or since when what it says has held.
    Silence { is_held: bool },
    /// Windows, which see readings as they arrive; of so many ms at most.
    Windows { length_ms: i64 },
    /// Windows of rows that are known when their step is certain.
    LateWindows,
}

/// What becomes of a rule's state at a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    BackFilled,
    Empty,
    New,
    Removed,
}

impl Fate {
    /// As `andon check` says it.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fate::Kept => "state kept",
            Fate::BackFilled => "back-filled",
            Fate::Empty => "empty",
            Fate::New => "new",
            Fate::Removed => "removed",
        }
    }
}

/// A rule or view with its fate, and why.
#[derive(Clone, Debug)]
pub(crate) struct Fated<'a> {
    pub nature: &'a Nature,
    pub fate: Fate,
    pub why: &'static str,
}

impl Nature {
    #[must_use]
    pub(crate) fn new(settings: &RuleSettings, plan: &Plan) -> Self {
        let RuleSettings { name, is_view, version, kind, lane, key, latch, clear_when, .. } = settings;
        let is_silence = settings.lasts().is_some();
        let is_held = settings.held_after.is_some();
        let counts_while = settings.counts_while;
        let judged = format!(
            "{lane:?} {kind:?} {key:?} {latch} {clear_when:?} {is_silence} {is_held} {counts_while:?}"
        );
        let (query, keeps) = match plan {
            Plan::Rows(plan) if is_silence => (plan.hash(), Keeps::Silence { is_held }),
            Plan::Rows(plan) => (plan.hash(), Keeps::Rows),
            Plan::Window(window) => {
                let is_late = window.stream() != Stream::Telemetry
                    || plan.uses_step_columns()
                    || *window.kind() == WindowKind::Step;
                let length_ms = window.kind().length_ms();
                (window.hash(), if is_late { Keeps::LateWindows } else { Keeps::Windows { length_ms } })
            }
        };
        Nature {
            name: name.clone(),
            is_view: *is_view,
            version: version.clone(),
            query: query.to_owned(),
            judged,
            keeps,
        }
    }

    /// Whether its windows can be filled from readings as they arrived; how far back they reach.
    #[must_use]
    pub(crate) fn fills(&self) -> Option<Duration> {
        match self.keeps {
            Keeps::Windows { length_ms } => {
                Some(Duration::from_millis(u64::try_from(length_ms).unwrap_or(0)))
            }
            _ => None,
        }
    }

    /// Whether the open conditions of `before` are those of this.
    #[must_use]
    pub(crate) fn judges_like(&self, before: &Nature) -> bool {
        // Who is silent is known by key, whatever the query was.
        let is_silence = self.keeps == before.keeps && matches!(self.keeps, Keeps::Silence { .. });
        is_silence || (self.query == before.query && self.judged == before.judged)
    }

    fn fate(&self, before: &[Nature]) -> (Fate, &'static str) {
        let Some(before) =
            before.iter().find(|known| known.name == self.name && known.is_view == self.is_view)
        else {
            return (
                Fate::New,
                match self.keeps {
                    Keeps::Windows { .. } => "its windows are back-filled as far as the journal goes",
                    Keeps::LateWindows => NOT_KNOWN_AGAIN,
                    Keeps::Silence { .. } => "it watches what it hears from now on",
                    Keeps::Rows => "it looks at rows from now on",
                },
            );
        };
        if before.version == self.version {
            return (Fate::Kept, "");
        }
        let is_same_query = before.query == self.query && before.keeps == self.keeps;
        match (is_same_query, self.judges_like(before), self.keeps) {
            (true, true, _) => (Fate::Kept, "other words or delays"),
            (_, true, Keeps::Silence { .. }) => (Fate::Kept, "of the keys that it still watches"),
            (true, false, Keeps::Windows { .. } | Keeps::LateWindows) => {
                (Fate::Kept, "but open exceptions end (rule_changed): it judges otherwise")
            }
            (_, _, Keeps::Windows { .. }) if self.is_view => (Fate::BackFilled, "as far as the journal goes"),
            (_, _, Keeps::Windows { .. }) => {
                (Fate::BackFilled, "as far as the journal goes; open exceptions end (rule_changed)")
            }
            (_, _, Keeps::LateWindows) if self.is_view => (Fate::Empty, NOT_KNOWN_AGAIN),
            (_, _, Keeps::LateWindows) => (
                Fate::Empty,
                "it begins with the next window: the steps of earlier rows are not known again; open exceptions end \
                 (rule_changed)",
            ),
            _ if self.is_view => (Fate::Empty, "it tells what it sees from now on"),
            _ => (Fate::Empty, "it judges otherwise: open exceptions end (rule_changed)"),
        }
    }
}

/// The fate of all rules and views, by name: of those of `after`, and of those that are there no more.
#[must_use]
pub(crate) fn fates<'a>(before: &'a [Nature], after: &'a [Nature]) -> Vec<Fated<'a>> {
    let stays = after.iter().map(|nature| {
        let (fate, why) = nature.fate(before);
        Fated { nature, fate, why }
    });
    let is_gone = |known: &&Nature| {
        !after.iter().any(|nature| nature.name == known.name && nature.is_view == known.is_view)
    };
    let removed = before.iter().filter(is_gone).map(|nature| {
        let why = if nature.is_view { "" } else { "open exceptions end (rule_removed)" };
        Fated { nature, fate: Fate::Removed, why }
    });
    let mut all: Vec<Fated<'a>> = stays.chain(removed).collect();
    all.sort_by(|one, other| one.nature.name.cmp(&other.nature.name));
    all
}
