//! The machine stops between any two changes of the file system; each row is there exactly once afterwards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ingest::storage::{CrashStorage, PowerCut, Storage};

use super::*;

const FOLDER: &str = "/export";

/// Rows an epoch, by stream and site: files fill up, grow by little and by much, and some epochs bring nothing.
const EPOCHS: [&[(&str, &str, usize)]; 8] = [
    &[("telemetry", "bern", 20), ("telemetry", "genf", 2)],
    &[("telemetry", "bern", 3)],
    &[],
    &[("telemetry", "bern", 45), ("late", "bern", 1)],
    &[("telemetry", "genf", 1), ("late", "bern", 1)],
    &[("telemetry", "bern", 1)],
    &[("telemetry", "bern", 8), ("late", "genf", 3)],
    &[("telemetry", "genf", 30)],
];

fn open(storage: &CrashStorage) -> Result<ParquetSink, SinkError> {
    let mut settings = settings(Path::new(FOLDER), Show::AtCut);
    settings.file_rows_max = 25;
    // Small enough that rows are staged ahead of the cut as well.
    settings.pending_bytes_max = 1_500;
    ParquetSink::on(Arc::new(storage.clone()), settings)
}

/// The emissions of an epoch (from 1): rows are numbered through all epochs.
fn emissions(epoch: u64) -> Vec<Emission> {
    let before =
        EPOCHS[..epoch as usize - 1].iter().copied().flatten().map(|(_, _, count)| count).sum::<usize>();
    let mut first = before;
    let mut emissions = Vec::new();
    for (stream, site, count) in EPOCHS[epoch as usize - 1] {
        for part in 0..count.div_ceil(5) {
            let of_part = 5.min(count - part * 5);
            emissions.push(emission(stream, rows((first + part * 5) as u64, &vec![*site; of_part])));
        }
        first += count;
    }
    emissions
}

/// What a process that ends leaves to the next: the newest checkpoint.
#[derive(Default)]
struct Checkpoint {
    epoch: Epoch,
    receipt: Receipt,
}

/// When epochs are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commits {
    AtOnce,
    /// An epoch late.
    Later,
    /// At the end. Two wait; what is between them is superseded.
    AtTheEnd,
}

use Commits::{AtOnce, AtTheEnd, Later};

/// Starts, shows the newest checkpoint again, and goes on to the last epoch.
async fn run(storage: &CrashStorage, checkpoint: &mut Checkpoint, commits: Commits) -> Result<(), SinkError> {
    let mut sink = open(storage)?;
    if checkpoint.epoch > Epoch(0) {
        sink.commit(checkpoint.epoch, &checkpoint.receipt).await?;
    }
    let mut waiting: Vec<(Epoch, Receipt)> = Vec::new();
    for epoch in checkpoint.epoch.0 + 1..=EPOCHS.len() as u64 {
        for emission in emissions(epoch) {
            sink.write(&emission).await?;
        }
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await?;
        *checkpoint = Checkpoint { epoch: Epoch(epoch), receipt: receipt.clone() };
        waiting.push((Epoch(epoch), receipt));
        if commits == AtTheEnd && waiting.len() > 2 {
            sink.supersede(waiting.remove(1).0).await?;
        }
        let late = match commits {
            _ if epoch == EPOCHS.len() as u64 => 0,
            AtOnce => 0,
            Later => 1,
            AtTheEnd => 2,
        };
        while waiting.len() > late {
            let (epoch, receipt) = waiting.remove(0);
            sink.commit(epoch, &receipt).await?;
        }
    }
    Ok(())
}

/// Row ids that readers see, by stream.
fn shown(storage: &CrashStorage) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, bytes) in storage.files() {
        let below = path.strip_prefix(FOLDER).expect("in the folder").display().to_string();
        if let Some((stream, _)) = below.split_once('/').filter(|(stream, _)| *stream != cut::STAGING) {
            seen.entry(stream.to_owned()).or_default().extend(ids(&read(bytes)));
        }
    }
    seen.values_mut().for_each(|ids| ids.sort_unstable());
    seen
}

fn expected(epochs: u64) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::from([("late".to_owned(), Vec::new()), ("telemetry".to_owned(), Vec::new())]);
    for emission in (1..=epochs).flat_map(emissions) {
        all.entry(emission.stream.to_string()).or_default().extend(ids(&[emission.rows]));
    }
    all.values_mut().for_each(|ids| ids.sort_unstable());
    all
}

#[tokio::test]
async fn a_stream_that_readers_have_seen_has_a_file_at_any_moment() {
    let mut seen = BTreeSet::new();
    for call in 1.. {
        let storage = CrashStorage::new(call);
        storage.cut_power_at(call, PowerCut::KeepAll);
        let is_over = run(&storage, &mut Checkpoint::default(), AtOnce).await.is_ok();
        let now: BTreeSet<String> = shown(&storage).into_keys().collect();
        assert!(seen.is_subset(&now), "before operation {call} readers see {now:?}, and saw {seen:?} before");
        seen = now;
        if is_over {
            break;
        }
    }
    assert_eq!(Vec::from_iter(seen), ["late", "telemetry"]);
}

#[tokio::test]
async fn a_stop_between_any_two_steps_leaves_each_row_once() {
    let cuts = [(PowerCut::KeepAll, 1), (PowerCut::LoseUnsynced, 1), (PowerCut::KeepSome, 4)];
    for (cut, seeds) in cuts {
        for (seed, commits) in
            (0..seeds).flat_map(|seed| [AtOnce, Later, AtTheEnd].map(|commits| (seed, commits)))
        {
            let mut stops = 0;
            for call in 1.. {
                let story = format!("{cut:?} at operation {call}, commits {commits:?}, seed {seed}");
                let storage = CrashStorage::new(seed * 7919 + call);
                let mut checkpoint = Checkpoint::default();
                storage.cut_power_at(call, cut);
                let ended = run(&storage, &mut checkpoint, commits).await;
                if ended.is_ok() {
                    break;
                }
                assert!(storage.is_cut(), "{story}: {ended:?}");
                stops += 1;
                storage.restart();
                for (stream, ids) in shown(&storage) {
                    let mut once = ids.clone();
                    once.dedup();
                    assert_eq!(once, ids, "{story} shows rows of {stream} twice");
                }
                run(&storage, &mut checkpoint, commits).await.expect("goes on");
                assert_eq!(shown(&storage), expected(8), "{story}");
                let left: Vec<PathBuf> = storage.files().into_iter().map(|(path, _)| path).collect();
                let staged = left.iter().filter(|path| path.starts_with("/export/.staging")).count();
                assert_eq!(staged, 1, "only the marker stays in staging: {left:?}");
            }
            assert!(stops > 100, "the test stopped in {stops} places");
        }
    }
}

/// What a killed process wrote may be seen by the next, and be gone with the power after all: so it was with the marker,
/// and the epoch before was shown again from files of the one that had begun meanwhile.
#[tokio::test]
async fn a_power_cut_soon_after_a_kill_shows_no_file_in_the_place_of_another() {
    let first = [emission("telemetry", rows(0, &["bern"])), emission("late", rows(1, &["bern"]))];
    let expected: BTreeMap<String, Vec<String>> =
        first.iter().map(|one| (one.stream.to_string(), ids(std::slice::from_ref(&one.rows)))).collect();
    let mut stories = 0;
    for (kill, cut, seed) in
        (1..40).flat_map(|kill| (1..5).flat_map(move |cut| (0..8).map(move |seed| (kill, cut, seed))))
    {
        let storage = CrashStorage::new(seed * 7919 + kill * 61 + cut);
        let mut sink = open(&storage).expect("opens");
        for emission in &first {
            sink.write(emission).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
        storage.cut_power_at(storage.calls() + kill, PowerCut::KeepAll);
        if sink.commit(Epoch(1), &receipt).await.is_ok() {
            continue;
        }
        storage.restart();
        let mut sink = open(&storage).expect("opens again");
        sink.commit(Epoch(1), &receipt).await.expect("shows what is not shown yet");
        sink.write(&emission("late", rows(2, &["genf"]))).await.expect("writes");
        storage.cut_power_at(storage.calls() + cut, PowerCut::KeepSome);
        let _ = sink.prepare(Epoch(2), Offset(1)).await;
        storage.restart();
        let mut sink = open(&storage).expect("opens once more");
        sink.commit(Epoch(1), &receipt).await.expect("shows it again");
        let story =
            format!("killed {kill} operations into showing it, without power {cut} into the next, {seed}");
        assert_eq!(shown(&storage), expected, "{story}");
        stories += 1;
    }
    assert!(stories > 500, "only {stories}");
}

#[tokio::test]
async fn a_machine_that_stops_again_and_again_gets_there() {
    let storage = CrashStorage::new(1);
    let mut checkpoint = Checkpoint::default();
    for attempt in 0.. {
        let cuts = [PowerCut::KeepAll, PowerCut::LoseUnsynced, PowerCut::KeepSome];
        storage.cut_power_at(storage.calls() + 30 + attempt / 8, cuts[attempt as usize % 3]);
        if run(&storage, &mut checkpoint, AtOnce).await.is_ok() {
            break;
        }
        storage.restart();
    }
    assert_eq!(shown(&storage), expected(8));
}

/// Each epoch that waits has a copy of every file that has grown; of those whose receipt nobody will show the copies go.
#[tokio::test]
async fn epochs_that_wait_long_do_not_fill_the_disk() {
    let storage = CrashStorage::new(1);
    let mut settings = settings(Path::new(FOLDER), Show::AtCut);
    settings.file_rows_max = 1_000;
    let mut sink = ParquetSink::on(Arc::new(storage.clone()), settings).expect("opens");
    let staged =
        || storage.files().into_iter().filter(|(path, _)| path.starts_with("/export/.staging")).count();
    let mut newest = None;
    for epoch in 1..=40 {
        sink.write(&emission("telemetry", rows(epoch, &["bern"]))).await.expect("writes");
        if epoch % 7 == 0 {
            sink.write(&emission("late", rows(epoch + 100, &["genf"]))).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
        if let Some((before, _)) = newest.replace((Epoch(epoch), receipt)) {
            sink.supersede(before).await.expect("goes");
        }
        assert!(staged() <= 2, "{} files are staged at epoch {epoch}", staged());
    }
    let (epoch, receipt) = newest.expect("there are some");
    sink.commit(epoch, &receipt).await.expect("commits");
    assert_eq!(shown(&storage)["telemetry"].len(), 40);
    assert_eq!(shown(&storage)["late"].len(), 5);
}

#[tokio::test]
async fn small_epochs_become_full_files() {
    let storage = CrashStorage::new(1);
    run(&storage, &mut Checkpoint::default(), AtOnce).await.expect("runs");
    let sizes: Vec<(String, usize)> = storage
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("/export/telemetry"))
        .map(|(path, bytes)| {
            (
                path.strip_prefix("/export/telemetry/date=2026-11-22")
                    .expect("of noon")
                    .display()
                    .to_string(),
                ids(&read(bytes)).len(),
            )
        })
        .collect();
    let expected = [
        ("site=bern/part-000001.parquet", 25),
        ("site=bern/part-000002.parquet", 25),
        ("site=bern/part-000003.parquet", 25),
        ("site=bern/part-000004.parquet", 2),
        ("site=genf/part-000001.parquet", 25),
        ("site=genf/part-000002.parquet", 8),
    ];
    assert_eq!(sizes, expected.map(|(path, rows)| (path.to_owned(), rows)));
}

#[tokio::test]
async fn nothing_of_an_epoch_is_seen_before_its_commit() {
    let storage = CrashStorage::new(1);
    let mut sink = open(&storage).expect("opens");
    assert_eq!(shown(&storage), expected(0), "streams without rows show their columns");
    for epoch in 1..=4 {
        for emission in emissions(epoch) {
            sink.write(&emission).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
        assert_eq!(shown(&storage), expected(epoch - 1), "epoch {epoch} is prepared");
        sink.commit(Epoch(epoch), &receipt).await.expect("commits");
        assert_eq!(shown(&storage), expected(epoch), "epoch {epoch} is committed");
    }
    let empty = storage.files().into_iter().filter(|(path, _)| path.ends_with("empty.parquet")).count();
    assert_eq!(empty, 0, "both streams have rows, so their empty files are gone");
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let storage = CrashStorage::new(1);
    let mut sink = open(&storage).expect("opens");
    for emission in emissions(1) {
        sink.write(&emission).await.expect("writes");
    }
    storage.set_full(true);
    let error = sink.prepare(Epoch(1), Offset(1)).await.expect_err("the disk is full");
    assert!(error.is_passing());
    assert!(error.to_string().ends_with("no space; make room there"), "{error}");
    storage.set_full(false);
    let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("there is room again");
    sink.commit(Epoch(1), &receipt).await.expect("commits");
    assert_eq!(shown(&storage), expected(1));
}

#[tokio::test]
async fn a_start_from_an_older_checkpoint_shows_no_row_twice() {
    for older in 0..EPOCHS.len() as u64 {
        let storage = CrashStorage::new(1);
        run(&storage, &mut Checkpoint::default(), AtOnce).await.expect("runs");
        // Its files were shown long ago, so nothing of its receipt is left to do.
        let mut checkpoint = Checkpoint { epoch: Epoch(older), receipt: Receipt(r#"{"files":[]}"#.into()) };
        run(&storage, &mut checkpoint, AtOnce).await.expect("the same rows are known for the same");
        assert_eq!(shown(&storage), expected(8), "from epoch {older}");
    }
}

#[tokio::test]
async fn after_an_older_checkpoint_new_epochs_go_on() {
    let storage = CrashStorage::new(1);
    let mut sink = open(&storage).expect("opens");
    for epoch in 1..=4 {
        for emission in emissions(epoch) {
            sink.write(&emission).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
        sink.commit(Epoch(epoch), &receipt).await.expect("commits");
    }
    drop(sink);
    let mut checkpoint = Checkpoint { epoch: Epoch(2), receipt: Receipt(r#"{"files":[]}"#.into()) };
    run(&storage, &mut checkpoint, Later).await.expect("goes on");
    assert_eq!(shown(&storage), expected(8));
}

#[tokio::test]
async fn another_journals_folder_is_refused() {
    let storage = CrashStorage::new(1);
    run(&storage, &mut Checkpoint::default(), AtOnce).await.expect("runs");
    let mut sink = open(&storage).expect("opens");
    sink.write(&emission("telemetry", rows(7_000, &["bern"]))).await.expect("writes");
    let error = sink.prepare(Epoch(1), Offset(1)).await.expect_err("epoch 1 is there with other rows");
    assert!(!error.is_passing());
    assert!(error.to_string().contains("export into an empty folder"), "{error}");
    assert_eq!(shown(&storage), expected(8), "nothing has changed");
}

#[tokio::test]
async fn files_that_somebody_moved_away_do_not_stop_the_export() {
    let storage = CrashStorage::new(1);
    let mut sink = open(&storage).expect("opens");
    for epoch in 1..=2 {
        for emission in emissions(epoch) {
            sink.write(&emission).await.expect("writes");
        }
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
        sink.commit(Epoch(epoch), &receipt).await.expect("commits");
        sink.commit(Epoch(epoch), &receipt).await.expect("commits twice");
        let archived = Path::new("/export/telemetry/date=2026-11-22/site=bern/part-000001.parquet");
        let _ = storage.remove(archived);
        sink.commit(Epoch(epoch), &receipt).await.expect("what was shown once need not be there again");
    }
    let paths: Vec<PathBuf> = storage.files().into_iter().map(|(path, _)| path).collect();
    assert!(
        paths.contains(&PathBuf::from("/export/telemetry/date=2026-11-22/site=bern/part-000002.parquet")),
        "{paths:?}"
    );
}
