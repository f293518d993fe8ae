//! What people ask for, applied at its place in the journal: once for each key, with an answer that is the same each time.
//!
//! A command that makes no sense is refused and changes nothing; the refusal is an answer as any other. Each is a row of
//! stream `commands`. What brings messages is recognised by what it is about, whatever its key: a quarantine record that
//! is mended stays so, and a recording or a fork goes on where it ended.
//!
//! Bounds: the answers of [`KEYS_MAX`] keys, [`RECORDS_MAX`] records and [`RECORDINGS_MAX`] recordings and forks are
//! remembered; beyond, the oldest is forgotten, and the same would be taken for new.

use std::collections::VecDeque;

use ingest::entry::Command;
use ingest::entry::command::{Order, What};
use ingest::time::Offset;
use sinks::emission::Emission;

use super::exceptions::{Exception, Operator, Refusal, SHELVED_S_MAX};
use super::{Engine, EngineError, rows_error, tables};

mod brought;
mod remembered;
mod workshop;

use remembered::Remembered;

const KEYS_MAX: usize = 10_000;
const RECORDS_MAX: usize = 100_000;
const RECORDINGS_MAX: usize = 10_000;
/// Answers that nobody has taken, as in a replay; the oldest is forgotten.
const ANSWERS_MAX: usize = 1_000;

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    /// Of the order.
    pub key: String,
    pub outcome: Outcome,
    /// In words.
    pub detail: String,
    /// Journal offset of the command that was applied or refused.
    pub offset: u64,
    /// Ordinal of the first message that it brought.
    pub message: Option<u64>,
    /// Of a recording: how many of its messages are in.
    pub imported: Option<u64>,
    /// Something is about to leave the house because of it.
    #[serde(skip)]
    pub goes_out: bool,
    site: Option<String>,
    applied: u64,
}

/// Whether a command was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Outcome {
    Applied,
    /// It is about something that is not there.
    Unknown,
    /// It makes no sense as things are.
    Conflict,
    /// It can never be applied as it is.
    Invalid,
}

/// What is remembered of commands.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Commands {
    /// By key: what was asked (its hash) and the answer.
    answers: Remembered<(String, Answer)>,
    /// By row id of the quarantine record that is mended: the message that it became.
    records: Remembered<u64>,
    /// By recording: messages of it that are in. By fork: the ordinal behind those that are in.
    recordings: Remembered<u64>,
    /// Commands so far, so that each has a row id of its own.
    told: u64,
    #[serde(skip)]
    offset: Offset,
    /// Given since the last [`Engine::take_answers`].
    #[serde(skip)]
    given: VecDeque<Answer>,
}

impl Commands {
    /// A line for what is remembered, for the hash of the state. Offsets are left out: a replay has none.
    pub(super) fn state_lines(&self) -> impl Iterator<Item = String> {
        let answers = self.answers.iter();
        let answers =
            answers.map(|(key, (hash, answer))| format!("answer {key} {hash} {:?}", answer.outcome));
        let records = self.records.iter().map(|(record, message)| format!("mended {record} {message}"));
        let recordings = self.recordings.iter();
        let recordings = recordings.map(|(name, messages)| format!("recording {name} {messages}"));
        answers.chain(records).chain(recordings)
    }
}

impl Engine {
    /// Where the next entry stands: commands are answered with it.
    pub fn stands_at(&mut self, offset: Offset) {
        self.commands.offset = offset;
    }

    /// The answers to the commands that were applied since the last call, in their order.
    pub fn take_answers(&mut self) -> impl Iterator<Item = Answer> {
        std::mem::take(&mut self.commands.given).into_iter()
    }

    /// How many messages of a recording are in.
    #[must_use]
    pub fn imported(&self, recording: &str) -> u64 {
        self.commands.recordings.get(recording).copied().unwrap_or(0)
    }

    pub(super) fn command(&mut self, command: &Command, out: &mut Vec<Emission>) -> Result<(), EngineError> {
        let before = self.counts.messages;
        let order = command.order();
        let (answer, is_new) = match &order {
            Ok(order) => self.answer(order, command)?,
            Err(error) => {
                let detail = format!("this version does not know what is asked: {error}");
                (self.new_answer("", Outcome::Invalid, detail), true)
            }
        };
        let brought = u64::from(command.messages.messages());
        self.counts.set_aside += brought - (self.counts.messages - before);
        self.tell_exceptions(out)?;
        self.tell_rejects(out)?;
        self.commands.told += 1;
        if let Ok(order) = &order {
            let message = (brought > 0).then_some(command.messages.first_message);
            let told = tables::AnsweredCommand {
                order,
                at_ms: command.at_ms,
                answer: &answer,
                outcome: match (is_new, answer.outcome) {
                    (false, _) => "repeated",
                    (true, Outcome::Applied) => "applied",
                    (true, _) => "refused",
                },
                site: answer.site.as_deref(),
                message,
                messages: if is_new { answer.applied } else { 0 },
                number: self.commands.told,
            };
            let outcome = (told.outcome, answer.detail.as_str(), told.site);
            // Each step of each item in the audit would be items for the audit's own courier.
            if !matches!(order.what, What::Deliver { progress, .. } if !progress.is_decision()) {
                self.functions.audit_order(order, command.at_ms, outcome);
            }
            let rows = tables::command(&told).map_err(|source| rows_error("commands", source))?;
            out.push(Emission { stream: "commands".into(), rows });
        }
        self.tell_functions(out)?;
        self.commands.given.push_back(answer);
        if self.commands.given.len() > ANSWERS_MAX {
            self.commands.given.pop_front();
        }
        Ok(())
    }

    /// The answer, and whether it is one that was not given before.
    fn answer(&mut self, order: &Order, command: &Command) -> Result<(Answer, bool), EngineError> {
        let asked = serde_json::to_string(&order.what).unwrap_or_default();
        let hash = blake3::hash(asked.as_bytes()).to_hex()[..16].to_owned();
        if let Some((known, answer)) = self.commands.answers.get(&order.key) {
            if *known == hash {
                return Ok((answer.clone(), false));
            }
            // Rows do not tell offsets: a replay of the journal says the same.
            let detail = format!(
                "key `{}` was used for another command, answered `{}`; use a new one for each command",
                order.key, answer.detail
            );
            return Ok((self.new_answer(&order.key, Outcome::Invalid, detail), true));
        }
        let answer = self.apply_order(order, command)?;
        // A recording, a fork and a courier know by themselves how far they are, and what is told of them is much.
        let knows_itself = match &order.what {
            What::Import { .. } | What::Rejoin { .. } => true,
            What::Deliver { progress, .. } => !progress.is_decision(),
            _ => false,
        };
        if !knows_itself {
            self.commands.answers.insert(&order.key, (hash, answer.clone()), KEYS_MAX);
        }
        Ok((answer, true))
    }

    fn new_answer(&self, key: &str, outcome: Outcome, detail: String) -> Answer {
        let offset = self.commands.offset.0;
        let key = key.to_owned();
        let (message, imported, goes_out, site) = (None, None, false, None);
        Answer { key, outcome, detail, offset, message, imported, goes_out, site, applied: 0 }
    }

    fn apply_order(&mut self, order: &Order, command: &Command) -> Result<Answer, EngineError> {
        let by = Operator {
            actor: Some(order.actor.clone()),
            reason: order.what.reason().map(str::to_owned),
            since_ms: Some(command.at_ms),
            ..Operator::default()
        };
        let done = match &order.what {
            What::Acknowledge { exception, .. } => self.exceptions.acknowledge(exception, by),
            What::Unshelve { exception, .. } => self.exceptions.unshelve(exception, by),
            What::Shelve { duration_s, .. } if !(1..=SHELVED_S_MAX).contains(duration_s) => {
                let detail = format!("`duration_s` is {duration_s}; shelve for 1 to {SHELVED_S_MAX} s (8 h)");
                return Ok(self.new_answer(&order.key, Outcome::Invalid, detail));
            }
            What::Shelve { exception, duration_s, .. } => {
                let until_ms = command.at_ms.saturating_add(i64::from(*duration_s) * 1000);
                self.exceptions.shelve(exception, Operator { until_ms: Some(until_ms), ..by })
            }
            What::OutOfService { site, tool, .. } | What::ReturnToService { site, tool, .. } => {
                return Ok(self.tool_service(order, (site, tool), by));
            }
            What::Replay { record, metric, .. } => {
                return self.replay(order, record, metric.as_deref(), command);
            }
            What::Import { recording, from } => return self.import(order, recording, *from, command),
            What::Rejoin { fork, from } => return self.rejoin(order, fork, *from, command),
            What::Reset { exception, .. } => return Ok(self.reset(order, exception, by)),
            What::SignOff { .. } | What::Release { .. } | What::PostLine { .. } => {
                return Ok(self.function(order, command.at_ms));
            }
            What::Deliver { .. } => return Ok(self.deliver(order, command.at_ms)),
            What::Step { .. } => return self.step(order, command),
            What::Card { .. } => return self.card(order, command),
        };
        Ok(self.operated(&order.key, done))
    }

    /// A tool goes out of service, or returns.
    fn tool_service(&mut self, order: &Order, (site, tool): (&str, &str), by: Operator) -> Answer {
        let key = &order.key;
        if !self.decoder.series().has_tool(site, tool) && !self.assets.has(site, tool) {
            let detail =
                format!("no tool `{tool}` of site `{site}` has been heard, and no asset is named so");
            return self.new_answer(key, Outcome::Unknown, detail);
        }
        let goes_out = matches!(order.what, What::OutOfService { .. });
        let (done, what) = if goes_out {
            (self.exceptions.take_out(site, tool, by), "is out of service")
        } else {
            (self.exceptions.put_back(site, tool, by), "is in service again")
        };
        match done {
            Ok(()) => {
                let answer = self.new_answer(key, Outcome::Applied, format!("tool `{tool}` {what}"));
                Answer { site: Some(site.to_owned()), ..answer }
            }
            Err(Refusal::Unknown(detail) | Refusal::Conflict(detail)) => {
                self.new_answer(key, Outcome::Conflict, detail)
            }
        }
    }

    fn operated(&self, key: &str, done: Result<Exception, Refusal>) -> Answer {
        match done {
            Ok(exception) => {
                let detail = format!("exception `{}` is {}", exception.id, exception.operator.state.as_str());
                let site = Some(exception.site);
                Answer { site, ..self.new_answer(key, Outcome::Applied, detail) }
            }
            Err(Refusal::Unknown(detail)) => self.new_answer(key, Outcome::Unknown, detail),
            Err(Refusal::Conflict(detail)) => self.new_answer(key, Outcome::Conflict, detail),
        }
    }
}
