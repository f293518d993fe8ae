//! What goes when the exports are larger than they may be, and what never does.

use ingest::storage::{CrashStorage, PowerCut};

use super::*;

const DAY_MIN: u64 = 24 * 60;

/// A settings of `bytes_max` for all streams, where the newest `days_min` days stay.
fn bounded(folder: &Path, retention: Retention) -> ParquetSettings {
    let mut settings = settings(folder, Show::AtCut).keeping(retention);
    for name in ["usage", "quarantine"] {
        settings.streams.push(StreamSettings {
            name: name.to_owned(),
            schema: schema(),
            time_column: "ts".to_owned(),
        });
    }
    settings
}

/// Twenty rows of each stream on a day, counted from the first.
async fn day(sink: &mut ParquetSink, number: u64) -> Receipt {
    for stream in ["telemetry", "late", "usage", "quarantine"] {
        sink.write(&emission(stream, rows(number * DAY_MIN, &["bern"; 20]))).await.expect("writes");
    }
    let epoch = Epoch(number + 1);
    let receipt = sink.prepare(epoch, Offset(1)).await.expect("prepares");
    sink.commit(epoch, &receipt).await.expect("commits");
    receipt
}

/// Days of a stream that are there, by their date.
fn days(folder: &Path, stream: &str) -> Vec<String> {
    let below = format!("{stream}/date=");
    let names = files(folder)
        .into_keys()
        .filter_map(|name| name.strip_prefix(&below).map(|name| name[..10].to_owned()));
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn bytes(folder: &Path, is_counted: impl Fn(&str) -> bool) -> u64 {
    let counted = files(folder).into_iter().filter(|(name, _)| name.contains("date=") && is_counted(name));
    counted.map(|(_, bytes)| bytes.len() as u64).sum()
}

/// Bytes of a day of a stream.
async fn day_bytes() -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = ParquetSink::new(bounded(folder.path(), Retention::default())).expect("opens");
    day(&mut sink, 0).await;
    bytes(folder.path(), |name| name.starts_with("usage"))
}

#[tokio::test]
async fn the_oldest_days_of_raw_readings_go_first_and_then_those_of_the_other_streams() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = day_bytes().await;
    // Room for about thirteen days of streams: nine of usage and two of each of the raw ones.
    let retention = Retention { bytes_max: Some(13 * one), quarantine_bytes_max: None, days_min: 1 };
    let mut sink = ParquetSink::new(bounded(folder.path(), retention)).expect("opens");
    for number in 0..8 {
        day(&mut sink, number).await;
    }
    let at_8 = days(folder.path(), "telemetry");
    assert!(at_8.len() < 8 && at_8.last().is_some_and(|day| day == "2026-11-29"), "{at_8:?}");
    assert_eq!(days(folder.path(), "usage").len(), 8, "nothing of it needs to go yet");
    assert_eq!(days(folder.path(), "quarantine").len(), 8, "it is no part of the bound");
    for number in 8..20 {
        day(&mut sink, number).await;
        let size = bytes(folder.path(), |name| !name.starts_with("quarantine"));
        assert!(size <= 13 * one + 3 * one, "{size} bytes after day {number}");
    }
    assert_eq!(
        days(folder.path(), "telemetry").len(),
        2,
        "the newest, and the one before it that corrections reach"
    );
    assert_eq!(days(folder.path(), "late").len(), 2);
    let usage = days(folder.path(), "usage");
    assert!((7..=10).contains(&usage.len()), "{usage:?}");
    assert_eq!(usage.last().map(String::as_str), Some("2026-12-11"));
}

#[tokio::test]
async fn quarantine_has_a_bound_of_its_own_and_days_that_corrections_reach_stay_however_large() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention =
        Retention { bytes_max: Some(1), quarantine_bytes_max: Some(7 * day_bytes().await / 2), days_min: 4 };
    let mut sink = ParquetSink::new(bounded(folder.path(), retention)).expect("opens");
    let mut newest = Receipt::default();
    for number in 0..10 {
        newest = day(&mut sink, number).await;
    }
    for stream in ["telemetry", "late", "usage"] {
        assert_eq!(days(folder.path(), stream).len(), 5, "{stream}: the newest day and four before it");
    }
    assert_eq!(days(folder.path(), "quarantine").len(), 5, "as many are protected");
    drop(sink);
    // With a shorter reach the next start removes more, with none all but the newest day.
    let retention = Retention { days_min: 0, ..retention };
    let mut sink = ParquetSink::new(bounded(folder.path(), retention)).expect("opens");
    sink.commit(Epoch(10), &newest).await.expect("shown again");
    day(&mut sink, 10).await;
    assert_eq!(days(folder.path(), "telemetry"), ["2026-12-02"]);
    assert_eq!(days(folder.path(), "quarantine").len(), 3);
}

#[tokio::test]
async fn a_straggler_of_a_day_that_is_gone_is_shown_and_goes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention { bytes_max: Some(1), quarantine_bytes_max: None, days_min: 1 };
    let mut sink = ParquetSink::new(bounded(folder.path(), retention)).expect("opens");
    for number in 0..4 {
        day(&mut sink, number).await;
    }
    assert_eq!(days(folder.path(), "late"), ["2026-11-24", "2026-11-25"]);
    sink.write(&emission("late", rows(7, &["bern"]))).await.expect("writes");
    let receipt = sink.prepare(Epoch(5), Offset(1)).await.expect("prepares");
    sink.commit(Epoch(5), &receipt).await.expect("commits");
    sink.commit(Epoch(5), &receipt).await.expect("once more is the same");
    day(&mut sink, 5).await;
    assert_eq!(days(folder.path(), "late"), ["2026-11-27"], "the day before the newest is a day off");
}

/// Four days, of which the third is the first to send one away; after a stop all that was not shown comes again.
async fn four_days(storage: &CrashStorage, shown: &mut (u64, Receipt)) -> Result<(), SinkError> {
    let retention = Retention { bytes_max: Some(1), quarantine_bytes_max: Some(1), days_min: 1 };
    let mut sink = ParquetSink::on(Arc::new(storage.clone()), bounded(Path::new("/export"), retention))?;
    if shown.0 > 0 {
        sink.commit(Epoch(shown.0), &shown.1).await?;
    }
    for number in shown.0..4 {
        let rows = rows(number * DAY_MIN, &["bern", "genf"]);
        sink.write(&emission("telemetry", rows)).await?;
        let receipt = sink.prepare(Epoch(number + 1), Offset(1)).await?;
        *shown = (number + 1, receipt.clone());
        sink.commit(Epoch(number + 1), &receipt).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stop_at_any_step_while_days_go_leaves_those_that_are_kept() {
    let mut stops = 0;
    for call in 1.. {
        for cut in [PowerCut::KeepAll, PowerCut::LoseUnsynced, PowerCut::KeepSome] {
            let (storage, mut shown) = (CrashStorage::new(call), (0, Receipt::default()));
            storage.cut_power_at(call, cut);
            if four_days(&storage, &mut shown).await.is_ok() {
                assert!(stops > 100, "the test stopped in {stops} places");
                return;
            }
            stops += 1;
            storage.restart();
            four_days(&storage, &mut shown).await.expect("goes on");
            let dates = storage.files().into_iter().filter_map(|(path, _)| {
                let below = path.strip_prefix("/export/telemetry").ok()?.to_str()?.strip_prefix("date=")?;
                Some(below[..10].to_owned())
            });
            let dates: std::collections::BTreeSet<String> = dates.collect();
            let kept = ["2026-11-24", "2026-11-25"].map(str::to_owned);
            // The last commit may have been the one that was stopped: then the next looks.
            assert!(dates.is_superset(&kept.into()), "{cut:?} at {call}: {dates:?}");
        }
    }
}
