//! What decides a rule's state, and what becomes of that state under another configuration.

use std::time::Duration;

use crate::config::RuleSettings;
use crate::plan::{Plan, Stream, WindowKind};

/// Why windows that read what the step join says cannot be filled.
const NOT_KNOWN_AGAIN: &str = "it begins with the next window: the steps of earlier rows are not known again";
/// What a rule's conditions meet when it judges otherwise.
const ENDS_OPEN: &str = "open exceptions end (rule_changed)";

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
    /// Of windows over readings: how far back they reach. Known of what was compiled, not of what a checkpoint remembers.
    #[serde(skip)]
    past_ms: Option<i64>,
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
    pub why: String,
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
        let past_ms = match plan {
            Plan::Window(window) if window.stream() == Stream::Telemetry => Some(window.kind().length_ms()),
            _ => None,
        };
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
            past_ms,
        }
    }

    /// How far back its windows reach, if exported readings fill them.
    #[must_use]
    pub(crate) fn past_ms(&self) -> Option<i64> {
        self.past_ms
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

    /// Windows that hold nothing yet: what fills them. `exports`: whether readings are exported, with their steps.
    fn beginning(&self, exports: bool) -> (Fate, &'static str) {
        match self.keeps {
            Keeps::Windows { .. } if exports && self.past_ms.is_some() => {
                (Fate::BackFilled, "as far as the journal goes, or the exports")
            }
            Keeps::Windows { .. } => (Fate::BackFilled, "as far as the journal goes"),
            Keeps::LateWindows if exports && self.past_ms.is_some() => {
                (Fate::BackFilled, "as far as the exports go")
            }
            Keeps::LateWindows => (Fate::Empty, NOT_KNOWN_AGAIN),
            Keeps::Silence { .. } => (Fate::Empty, "it watches what it hears from now on"),
            Keeps::Rows if self.is_view => (Fate::Empty, "it tells what it sees from now on"),
            Keeps::Rows => (Fate::Empty, "it looks at rows from now on"),
        }
    }

    fn fate(&self, before: &[Nature], exports: bool) -> (Fate, String) {
        let (beginning, why) = self.beginning(exports);
        let Some(before) =
            before.iter().find(|known| known.name == self.name && known.is_view == self.is_view)
        else {
            return match beginning {
                Fate::BackFilled => (Fate::New, format!("its windows are back-filled {why}")),
                _ => (Fate::New, why.to_owned()),
            };
        };
        if before.version == self.version {
            return (Fate::Kept, String::new());
        }
        let is_same_query = before.query == self.query && before.keeps == self.keeps;
        let (fate, why) = match (is_same_query, self.judges_like(before), self.keeps) {
            (true, true, _) => (Fate::Kept, "other words or delays"),
            (_, true, Keeps::Silence { .. }) => (Fate::Kept, "of the keys that it still watches"),
            (true, false, Keeps::Windows { .. } | Keeps::LateWindows) => {
                return (Fate::Kept, format!("but {ENDS_OPEN}: it judges otherwise"));
            }
            _ if self.is_view => (beginning, why),
            (_, _, Keeps::Windows { .. } | Keeps::LateWindows) => {
                return (beginning, format!("{why}; {ENDS_OPEN}"));
            }
            _ => return (Fate::Empty, format!("it judges otherwise: {ENDS_OPEN}")),
        };
        (fate, why.to_owned())
    }
}

/// The fate of all rules and views, by name: of those of `after`, and of those that are there no more. `exports`: whether
/// readings are exported.
#[must_use]
pub(crate) fn fates<'a>(before: &'a [Nature], after: &'a [Nature], exports: bool) -> Vec<Fated<'a>> {
    let stays = after.iter().map(|nature| {
        let (fate, why) = nature.fate(before, exports);
        Fated { nature, fate, why }
    });
    let is_gone = |known: &&Nature| {
        !after.iter().any(|nature| nature.name == known.name && nature.is_view == known.is_view)
    };
    let removed = before.iter().filter(is_gone).map(|nature| {
        let why = if nature.is_view { "" } else { "open exceptions end (rule_removed)" };
        Fated { nature, fate: Fate::Removed, why: why.to_owned() }
    });
    let mut all: Vec<Fated<'a>> = stays.chain(removed).collect();
    all.sort_by(|one, other| one.nature.name.cmp(&other.nature.name));
    all
}
