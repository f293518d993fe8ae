//! Scenarios: a rule's test as text, messages and time in, rows out.
//!
//! | line                                               | what happens                                         |
//! |----------------------------------------------------|------------------------------------------------------|
//! | `# …`                                              | what it shows                                        |
//! | `rules [NAME…]`                                    | which rules and views run; all, if the line is absent |
//! | `in TS site/bay/tool METRIC VALUE [NAME=VALUE]…`   | a reading; names: at, seq, boot, unit, any other a tag |
//! | `step TS site/bay JOB STEP EVENT [NAME=VALUE]…`    | a step event; names: at, seq, technician              |
//! | `raw AT TOPIC PAYLOAD`                             | any message; `@TIME` in it becomes milliseconds       |
//! | `ask AT ACTOR KIND NAME=VALUE…`                    | a command, its members as in the journal; blanks as `_`; a step's brings its event |
//! | `tick TIME [TIME]`                                 | a second has passed, or all from the first to last   |
//! | `cut`                                              | the epoch ends                                       |
//! | `end`                                              | no more input                                        |
//! | `out STREAM COLUMN=VALUE…`                         | expected, after the line that brings it about        |
//!
//! `at` is the arrival, the event's own time where absent. Times are `HH:MM:SS[.mmm]` of one day, `+1d/` before
//! them is the day after.

mod history;
mod parse;
mod run;
mod told;
mod way;

use std::path::{Path, PathBuf};

use ingest::entry::command::Order;
use sinks::view::Counts;

use self::told::counts_line;
use crate::config::{Config, Mistake};

pub use parse::parse_time;
pub use run::{Hashes, Run, RunError};
pub use way::Way;

/// A message, before it is in an entry.
#[derive(Clone, Debug)]
pub struct Message {
    /// Arrival, ms since 1970 UTC.
    pub at_ms: i64,
    pub topic: String,
    pub payload: Vec<u8>,
}

/// What a line does.
#[derive(Clone, Debug)]
pub enum Action {
    Message(Message),
    /// Somebody asks for something, with the message that it brings.
    Command {
        at_ms: i64,
        order: Order,
        message: Option<Message>,
    },
    Tick {
        first_ms: i64,
        last_ms: i64,
    },
    Cut {
        at_ms: i64,
    },
    End,
}

/// Lines, counts, and hashes of rows and state.
pub type Outcome = (Vec<String>, Counts, Hashes);

/// A scenario's lines, and what each does. Lines with `out` are left out.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub path: PathBuf,
    /// The whole text, expected lines and all.
    pub text: String,
    /// The rules and views that run, with the line that names them; none for all.
    pub rules: Option<(usize, Vec<String>)>,
    /// Line as written; no action for remarks and the choice of rules.
    pub lines: Vec<(String, Option<Action>)>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or lines mean nothing: all of them.
    pub fn read(path: &Path) -> Result<Scenario, Vec<Mistake>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Scenario::parse(path, &text),
            Err(error) => Err(vec![mistake(path, 0, error.to_string(), "make it a text that can be read")]),
        }
    }

    /// Takes the text of the file at `path`.
    ///
    /// # Errors
    /// All lines that mean nothing.
    pub fn parse(path: &Path, text: &str) -> Result<Scenario, Vec<Mistake>> {
        let mut scenario =
            Scenario { path: path.to_owned(), text: text.to_owned(), rules: None, lines: Vec::new() };
        let (mut mistakes, mut at_ms) = (Vec::new(), 0);
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with("out ")) {
            if let ("rules", names) = line.split_once(' ').unwrap_or((line, "")) {
                scenario.rules = Some((number, names.split_whitespace().map(str::to_owned).collect()));
            }
            match parse::action(line, at_ms) {
                Ok(action) => {
                    match &action {
                        Some(Action::Message(message)) => at_ms = at_ms.max(message.at_ms),
                        Some(Action::Tick { last_ms, .. }) => at_ms = at_ms.max(*last_ms),
                        Some(Action::Command { at_ms: asked_ms, .. }) => at_ms = at_ms.max(*asked_ms),
                        _ => {}
                    }
                    scenario.lines.push((line.to_owned(), action));
                }
                Err(wrong) => mistakes.push(mistake(path, number, wrong, parse::REMEDY)),
            }
        }
        if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes) }
    }

    /// The configuration with the scenario's rules alone.
    ///
    /// # Errors
    /// It names a rule that is not there.
    pub fn config(&self, config: &Config) -> Result<Config, Mistake> {
        let mut config = config.clone();
        if let Some((number, names)) = &self.rules {
            if let Some(name) = names.iter().find(|name| config.rules.iter().all(|rule| rule.name != **name))
            {
                let remedy = "name rules and views of the folder of rules";
                return Err(mistake(&self.path, *number, format!("there is no rule `{name}`"), remedy));
            }
            config.rules.retain(|rule| names.contains(&rule.name));
        }
        Ok(config)
    }

    /// The scenario with what comes out after each line, of the streams that are shown. Without a line `end` it ends
    /// after the last. `counts` is shown as a stream is.
    ///
    /// # Errors
    /// Only for a mistake of ours.
    pub fn told(&self, config: &Config, is_shown: impl Fn(&str) -> bool) -> Result<String, RunError> {
        let mut run = Run::new(config, Way::default())?;
        let mut text = String::new();
        let show = |run: &mut Run, text: &mut String, is_end: bool| {
            let counts = is_end.then(|| counts_line(&run.counts()));
            for line in run.lines.drain(..).chain(counts) {
                if line.split(' ').nth(1).is_some_and(&is_shown) {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        };
        for (line, action) in &self.lines {
            text.push_str(line);
            text.push('\n');
            if let Some(action) = action {
                run.act(action)?;
                show(&mut run, &mut text, matches!(action, Action::End));
            }
        }
        if !self.actions().any(|action| matches!(action, Action::End)) {
            run.act(&Action::End)?;
            show(&mut run, &mut text, true);
        }
        Ok(text)
    }

    /// All that comes out in some way, sorted; what was counted; the hashes of rows and state.
    ///
    /// # Errors
    /// Only for a mistake of ours.
    pub fn outcome(&self, config: &Config, way: Way) -> Result<Outcome, RunError> {
        let mut run = Run::new(config, way)?;
        self.actions().try_for_each(|action| run.act(action))?;
        run.flush()?;
        let mut lines = std::mem::take(&mut run.lines);
        lines.sort_unstable();
        Ok((lines, run.counts(), run.hashes()?))
    }

    /// What happens, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.lines.iter().filter_map(|(_, action)| action.as_ref())
    }
}

fn mistake(path: &Path, number: usize, message: String, remedy: &str) -> Mistake {
    Mistake { file: path.to_owned(), line: number + 1, column: 1, message, remedy: remedy.to_owned() }
}
