//! What is left of a life, held against what should be.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use ingest::entry::Entry;
use ingest::storage::{CrashStorage, Storage};
use ingest::time::Offset;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pipelines::run::RunError;
use pipelines::run::epochs::Sinks;
use sinks::deliver::Answers;

use super::ledger::Ledger;
use super::life::{Both, chain};
use super::plant::{DATA, Plant};
use super::work::{Kind, Message};

/// A start that found a flipped bit says where it is and what to do.
pub(crate) fn is_a_refusal(error: &RunError) -> Result<(), String> {
    let text = chain(error);
    let names_the_place = text.contains(DATA) || text.contains("ledger");
    let has_a_remedy =
        ["put ", "move ", "remove ", "restart", "start ", "expected", "ledger", "use the version"];
    if names_the_place && has_a_remedy.iter().any(|word| text.contains(word)) {
        return Ok(());
    }
    Err(format!("a flipped bit was refused with neither place nor remedy: {text}"))
}

/// The whole of the journal gives what is shown, byte by byte; if the exports may be split into other files, row by
/// row. Gives the `seq` of all rows, by stream.
pub(crate) fn check(
    plant: &Plant,
    storage: &CrashStorage,
    entries: &[Entry],
    may_split_files: bool,
) -> Result<BTreeMap<String, Vec<i64>>, String> {
    time_never_goes_back(entries)?;
    let undisturbed = CrashStorage::new(0);
    let told = replay(plant, &undisturbed, entries)?;
    same_files(&shown(&undisturbed), &shown(storage), may_split_files)?;
    Ok(told)
}

fn time_never_goes_back(entries: &[Entry]) -> Result<(), String> {
    let mut last_ms = i64::MIN;
    for (entry, offset) in entries.iter().zip(1..) {
        let first_ms = match entry {
            Entry::Intake(intake) => intake.first_arrived_ms(),
            Entry::Tick { first_ms, .. } => Some(*first_ms),
            Entry::Cut { at_ms, .. } => Some(*at_ms),
            Entry::Command(command) => Some(command.at_ms),
            Entry::Configuration { .. } | Entry::Generation { .. } | Entry::Filling { .. } => None,
        };
        if first_ms.is_some_and(|first_ms| first_ms < last_ms) {
            return Err(format!("entry {offset} is before the one before: {entry:?}"));
        }
        last_ms = last_ms.max(entry.at_ms().unwrap_or(last_ms));
    }
    Ok(())
}

/// The same entries, with nothing going wrong: streams with the `seq` of their rows.
fn replay(
    plant: &Plant,
    storage: &CrashStorage,
    entries: &[Entry],
) -> Result<BTreeMap<String, Vec<i64>>, String> {
    let failed = |error: &dyn std::error::Error| format!("the undisturbed run failed: {}", chain(error));
    storage.create_folder(Path::new(DATA)).map_err(|error| failed(&error))?;
    let export = plant.export(storage).map_err(|error| failed(&error))?;
    let ledger = Ledger::open(storage, plant.ledger()).map_err(|error| failed(&error))?;
    let sinks =
        Both { sinks: RefCell::new(vec![Box::new(export), Box::new(ledger)]), storage: storage.clone() };
    let (mut engine, mut out) = (plant.engine(), Vec::new());
    let mut told: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (entry, offset) in entries.iter().zip(1..) {
        engine.apply(entry, &mut out).map_err(|error| failed(&error))?;
        for emission in out.drain(..) {
            told.entry(emission.stream.to_string()).or_default().extend(numbers(&emission.rows));
            sinks.write(&emission).map_err(|error| failed(&error))?;
        }
        if let Entry::Cut { epoch, .. } = entry {
            let receipts = sinks.prepare(*epoch, Offset(offset + 1)).and_then(Answers::wait);
            let receipts = receipts.map_err(|error| failed(&error))?;
            sinks.commit(*epoch, &receipts).map_err(|error| failed(&error))?;
        }
    }
    if !engine.counts().adds_up() {
        return Err(format!("the counts do not add up: {:?}", engine.counts()));
    }
    Ok(told)
}

fn numbers(rows: &RecordBatch) -> Vec<i64> {
    let Some(column) = rows.column_by_name("seq") else { return Vec::new() };
    column.as_primitive::<Int64Type>().iter().flatten().collect()
}

/// Exports and ledger, as their readers see them.
fn shown(storage: &CrashStorage) -> BTreeMap<PathBuf, Bytes> {
    let is_shown = |path: &Path| {
        path.ends_with("ledger")
            || path.starts_with(format!("{DATA}/export")) && !path.to_string_lossy().contains("/.staging/")
    };
    let ledger = |(path, bytes): (PathBuf, Bytes)| match path.ends_with("ledger") {
        true => (path, Bytes::from(Ledger::shown(&bytes))),
        false => (path, bytes),
    };
    storage.files().into_iter().filter(|(path, _)| is_shown(path)).map(ledger).collect()
}

fn same_files(
    undisturbed: &BTreeMap<PathBuf, Bytes>,
    lived: &BTreeMap<PathBuf, Bytes>,
    may_split_files: bool,
) -> Result<(), String> {
    if undisturbed == lived {
        return Ok(());
    }
    let (expected, found) = (rows(undisturbed), rows(lived));
    if expected != found {
        let mut text = "what is shown differs from that of an undisturbed run:".to_owned();
        for stream in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let [mut missing, mut surplus] =
                [&expected, &found].map(|all| all.get(stream).cloned().unwrap_or_default());
            let both = missing.clone();
            missing.retain(|row| !surplus.contains(row));
            surplus.retain(|row| !both.contains(row));
            for (what, rows) in [("lacks", missing), ("has", surplus)] {
                rows.iter().take(4).for_each(|row| text += &format!("\n  {stream} {what} {row}"));
            }
        }
        return Err(text);
    }
    if may_split_files {
        return Ok(());
    }
    let names = |files: &BTreeMap<PathBuf, Bytes>| files.keys().cloned().collect::<BTreeSet<_>>();
    let (expected, found) = (names(undisturbed), names(lived));
    if expected != found {
        return Err(format!("the rows are the same, the files are not: {expected:?} and {found:?}"));
    }
    let differ = undisturbed.iter().filter(|(path, bytes)| lived.get(*path) != Some(bytes));
    let said: Vec<String> = differ
        .map(|(path, bytes)| format!("{}: {} and {}", path.display(), facts(bytes), facts(&lived[path])))
        .collect();
    Err(format!("the rows and names are the same, the bytes are not: {said:#?}"))
}

/// What a file says about itself, and its row groups.
fn facts(bytes: &Bytes) -> String {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a whole file");
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    let facts = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let fact =
        |fact: &parquet::file::metadata::KeyValue| (fact.key != "ARROW:schema").then(|| format!("{fact:?}"));
    format!("row groups of {groups:?}, {:?}", facts.iter().filter_map(fact).collect::<Vec<_>>())
}

/// Rows by stream, as text, sorted.
fn rows(files: &BTreeMap<PathBuf, Bytes>) -> BTreeMap<String, Vec<String>> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, bytes) in files {
        let below = path.strip_prefix(format!("{DATA}/export")).unwrap_or(path);
        let stream = below.components().next().map(|name| name.as_os_str().to_string_lossy().into_owned());
        let of_stream = rows.entry(stream.unwrap_or_default()).or_default();
        if path.ends_with("ledger") {
            of_stream.extend(String::from_utf8_lossy(bytes).lines().map(str::to_owned));
            continue;
        }
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).and_then(|reader| reader.build());
        for batch in reader.expect("a whole file") {
            let batch = batch.expect("readable");
            let value = |column, row| array_value_to_string(column, row).expect("it can be shown");
            let line = |row| batch.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>();
            of_stream.extend((0..batch.num_rows()).map(|row| line(row).join(" | ")));
        }
    }
    rows.values_mut().for_each(|lines| lines.sort_unstable());
    rows
}

/// Every message that was acknowledged is in its stream, once.
pub(crate) fn each_once(
    told: &BTreeMap<String, Vec<i64>>,
    published: &[Rc<Message>],
    acknowledged: &BTreeSet<u64>,
) -> Result<(), String> {
    for (kind, stream) in [(Kind::Reading, "telemetry"), (Kind::Step, "steps")] {
        let numbers = told.get(stream).cloned().unwrap_or_default();
        let once: BTreeSet<i64> = numbers.iter().copied().collect();
        if once.len() != numbers.len() {
            return Err(format!("{stream} has messages more than once: {numbers:?}"));
        }
        let of_kind = published.iter().filter(|message| message.kind == kind);
        for message in of_kind.filter(|message| acknowledged.contains(&message.number)) {
            if !once.contains(&(message.number as i64)) && !is_set_aside(told, message) {
                return Err(format!("{message:?} was acknowledged and is in no {stream}"));
            }
        }
    }
    Ok(())
}

/// A step event that fits no run, such as the end of one whose beginning the broker lost, is in quarantine.
fn is_set_aside(told: &BTreeMap<String, Vec<i64>>, message: &Message) -> bool {
    message.kind == Kind::Step && told.contains_key("quarantine")
}
