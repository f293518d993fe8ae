//! Commands that bring messages: a record of quarantine that is mended, a piece of a recording, a stretch of a fork.

use ingest::entry::Command;
use ingest::entry::command::Order;

use super::{Answer, Outcome, RECORDINGS_MAX, RECORDS_MAX};
use crate::engine::belated::{Lane, Taken};
use crate::engine::{Engine, EngineError};

impl Engine {
    /// A quarantined message is tried again. What cannot be used this time either leaves all as it was.
    pub(super) fn replay(
        &mut self,
        order: &Order,
        record: &str,
        metric: Option<&str>,
        command: &Command,
    ) -> Result<Answer, EngineError> {
        if let Some(message) = self.commands.records.get(record) {
            let detail = format!("record `{record}` is replayed already, as message {message}");
            return Ok(self.new_answer(&order.key, Outcome::Conflict, detail));
        }
        let taken = self.take_belated(&command.messages, 0, &Lane::Replay { metric }, command.at_ms)?;
        let message = command.messages.first_message;
        if taken.is_nothing() {
            let why = taken.refused.unwrap_or_else(|| "it holds no reading and no event".to_owned());
            let detail = format!("record `{record}` still cannot be used: {why}");
            return Ok(self.new_answer(&order.key, Outcome::Conflict, detail));
        }
        self.commands.records.insert(record, message, RECORDS_MAX);
        self.counts.replayed += 1;
        let detail = format!("record `{record}` is message {message}: {}", taken.said());
        let applied = u64::from(command.messages.messages());
        let answer = self.new_answer(&order.key, Outcome::Applied, detail);
        Ok(Answer { message: Some(message), applied, ..answer })
    }

    /// The next piece of a recording.
    pub(super) fn import(
        &mut self,
        order: &Order,
        recording: &str,
        from: u64,
        command: &Command,
    ) -> Result<Answer, EngineError> {
        let known = self.imported(recording);
        if from > known {
            let detail =
                format!("the piece begins after {from} messages, and {known} are in; send that one first");
            let answer = self.new_answer(&order.key, Outcome::Conflict, detail);
            return Ok(Answer { imported: Some(known), ..answer });
        }
        let brought = u64::from(command.messages.messages());
        let is_in = (known - from).min(brought);
        let skipped = usize::try_from(is_in).unwrap_or(usize::MAX);
        let taken = self.take_belated(&command.messages, skipped, &Lane::Import, command.at_ms)?;
        let Taken { messages, .. } = taken;
        self.counts.imported += messages;
        let imported = known.max(from + brought);
        self.commands.recordings.insert(recording, imported, RECORDINGS_MAX);
        let detail = if messages == 0 { "all of it is in already".to_owned() } else { taken.said() };
        let answer = self.new_answer(&order.key, Outcome::Applied, detail);
        let message = (messages > 0).then_some(command.messages.first_message + is_in);
        Ok(Answer { message, imported: Some(imported), applied: messages, ..answer })
    }

    /// The next messages of a fork. Whoever hands them over takes the answer for the word that they are safe, so it waits
    /// for the mirror.
    pub(super) fn rejoin(
        &mut self,
        order: &Order,
        fork: &str,
        from: u64,
        command: &Command,
    ) -> Result<Answer, EngineError> {
        let name = format!("fork {fork}");
        let known = self.imported(&name);
        let brought = u64::from(command.messages.messages());
        let is_in = known.saturating_sub(from).min(brought);
        let skipped = usize::try_from(is_in).unwrap_or(usize::MAX);
        let taken = self.take_belated(&command.messages, skipped, &Lane::Fork, command.at_ms)?;
        self.commands.recordings.insert(&name, known.max(from + brought), RECORDINGS_MAX);
        let detail = if taken.messages == 0 { "all of it is in already".to_owned() } else { taken.said() };
        let answer = self.new_answer(&order.key, Outcome::Applied, detail);
        let message = (taken.messages > 0).then_some(command.messages.first_message + is_in);
        Ok(Answer { message, applied: taken.messages, goes_out: true, ..answer })
    }
}
