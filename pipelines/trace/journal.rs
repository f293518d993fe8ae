//! What the journal and the checkpoints know of a message.

use std::sync::Arc;

use ingest::decode::Decoder;
use ingest::entry::command::What;
use ingest::entry::{Entry, MessageRef};
use ingest::journal::Journal;
use ingest::readings::{Element, NONE};
use ingest::storage::DiskStorage;
use ingest::time::Offset;

use super::{ByCommand, Checkpointed, Decoded, InJournal, Trace};
use crate::checkpoint::CheckpointFolder;
use crate::commands::CommandError;
use crate::config::Config;
use crate::wire;

/// Others of the same content that are named.
const NAMED_MAX: usize = 20;

/// An element of a message, as far as repeats go.
type Print = (i64, i64, i64, u64);

pub(super) fn look(config: &Config, trace: &mut Trace) -> Result<(), CommandError> {
    let failed =
        |error: ingest::journal::JournalError| CommandError::failed("could not read the journal", error);
    let journal = Journal::open_read_only(&config.journal.folder).map_err(failed)?;
    trace.journal_from_message = journal.recovered().first_message;
    let mut decoder =
        wire::decoder(config).map_err(|error| CommandError::failed("could not decode", error))?;
    let mut prints: Vec<Print> = Vec::new();
    for entry in journal.read(journal.first_offset()).map_err(failed)? {
        let (offset, entry) = entry.map_err(failed)?;
        if let (Entry::Cut { epoch, .. }, Some(found)) = (&entry, &mut trace.journal) {
            found.epoch.get_or_insert(epoch.0);
        }
        let Some(messages) = entry.messages() else { continue };
        let end = messages.first_message + u64::from(messages.messages());
        if !(messages.first_message..end).contains(&trace.message) {
            continue;
        }
        let place = usize::try_from(trace.message - messages.first_message).unwrap_or(usize::MAX);
        let message = messages.iter().nth(place).expect("it is among them");
        trace.journal = Some(found(offset, message, &entry));
        decoder.begin_intake();
        trace.decoded = Some(decoded(&mut decoder, message, &mut prints));
    }
    if let Some(topic) = trace.journal.as_ref().map(|found| found.topic.clone()) {
        others(trace, &journal, &mut decoder, (&topic, &prints)).map_err(failed)?;
    }
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), &config.checkpoint.folder, 1);
    let newest = checkpoints.and_then(|checkpoints| checkpoints.newest());
    let newest = newest.map_err(|error| CommandError::failed("could not read the checkpoints", error))?;
    trace.checkpoint = newest.map(|checkpoint| Checkpointed {
        epoch: checkpoint.epoch,
        resume_at: checkpoint.resume_at,
        holds_message: trace.journal.as_ref().map(|found| found.offset < checkpoint.resume_at),
    });
    Ok(())
}

fn found(offset: Offset, message: MessageRef<'_>, entry: &Entry) -> InJournal {
    let order = match entry {
        Entry::Command(command) => command.order().ok(),
        _ => None,
    };
    let command = order.map(|order| ByCommand {
        kind: order.what.kind().to_owned(),
        target: order.what.target().to_owned(),
        origin: if let What::Replay { origin, .. } = order.what { Some(origin) } else { None },
        actor: order.actor,
    });
    InJournal {
        offset: offset.0,
        topic: message.topic.to_owned(),
        arrived_ms: message.arrived_ms,
        payload_bytes: message.payload.len(),
        epoch: None,
        command,
    }
}

fn decoded(decoder: &mut Decoder, message: MessageRef<'_>, prints: &mut Vec<Print>) -> Decoded {
    let mut out = ingest::readings::Decoded::default();
    decoder.decode(message, &mut out);
    prints.extend(out.elements.iter().map(print));
    prints.extend(out.events.iter().map(|event| (event.boot, event.seq, event.ts_ms, event.hash)));
    let rows = &out.readings;
    let reading = |row: usize| {
        let series = decoder.series().get(rows.series[row]);
        let unit = decoder.units().code(rows.unit[row]);
        let said = match (rows.text[row] as usize).checked_sub(1).and_then(|text| rows.texts.get(text)) {
            Some(text) => format!("{text:?}"),
            None => format!("{} {unit}", rows.value[row]),
        };
        let ingest::series::Series { site, bay, tool, metric } = series;
        format!(
            "{} {site}/{bay}/{tool} {metric} = {}",
            super::text::instant(rows.ts_ms[row]),
            said.trim_end()
        )
    };
    Decoded {
        readings: (0..rows.len()).map(reading).collect(),
        events: out.events.iter().map(|event| format!("{:?}", event.what)).collect(),
        rejects: out
            .rejects
            .iter()
            .map(|reject| (reject.reason.as_str().to_owned(), reject.detail.clone()))
            .collect(),
    }
}

fn print(element: &Element) -> Print {
    (element.boot, element.seq, element.ts_ms, element.hash)
}

/// Finds other messages of the topic that say the same, or something else under the same number.
fn others(
    trace: &mut Trace,
    journal: &ingest::journal::ReadOnlyJournal,
    decoder: &mut Decoder,
    (topic, prints): (&str, &[Print]),
) -> Result<(), ingest::journal::JournalError> {
    for entry in journal.read(journal.first_offset())? {
        let (_, entry) = entry?;
        let Some(messages) = entry.messages() else { continue };
        decoder.begin_intake();
        for message in messages.iter().filter(|other| other.topic == topic && other.ordinal != trace.message)
        {
            let mut others = Vec::new();
            decoded(decoder, message, &mut others);
            let repeats = &mut trace.repeats;
            let list = if others.iter().any(|other| prints.contains(other)) {
                if message.ordinal < trace.message {
                    &mut repeats.repeat_of
                } else {
                    &mut repeats.repeated_by
                }
            } else if others.iter().any(|other| is_conflict(other, prints)) {
                &mut repeats.conflicts
            } else {
                continue;
            };
            if list.len() < NAMED_MAX {
                list.push(message.ordinal);
            }
        }
    }
    Ok(())
}

fn is_conflict(other: &Print, prints: &[Print]) -> bool {
    prints.iter().any(|print| print.1 != NONE && (print.0, print.1) == (other.0, other.1))
}
