//! Old days go once the exports are larger than they may be.
//!
//! The oldest days of the raw readings (`telemetry`, `late`) go first, and only when none of these is left to go those of
//! the other streams, which say in few bytes what came of them. Records of quarantine have a bound of their own. Never
//! removed, whatever the size: days as near to the newest as corrections reach, and the newest day of each stream. When
//! nothing more may go the exports stay larger than their bound, which is logged, and told by `andon_export_bytes`.
//!
//! A day is removed file by file, after its epoch is shown: what a crash leaves of it goes with the next look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::ToSpan;
use jiff::civil::Date;

use super::Cut;
use crate::parquet::failure::file_failed;
use crate::sink::SinkError;

/// Streams whose days go first.
const RAW: [&str; 2] = ["telemetry", "late"];
const QUARANTINE: &str = "quarantine";
/// Looked at again after the bound has been filled by so much anew.
const LOOKS: u64 = 64;

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Bytes of all streams but quarantine; none: all of it is kept.
    pub bytes_max: Option<u64>,
    /// Bytes of stream `quarantine`.
    pub quarantine_bytes_max: Option<u64>,
    /// Days before the newest one that stay whatever their size.
    pub days_min: u32,
}

/// A day of a stream.
#[derive(Debug)]
struct Day {
    stream: String,
    /// None of rows that have no time, or one that no calendar has: these stay.
    date: Option<Date>,
    folder: PathBuf,
    bytes: u64,
}

impl Cut {
    /// Bytes were staged: a look at what is there may be due.
    pub(super) fn has_grown(&mut self, bytes: u64) {
        self.grown_bytes = self.grown_bytes.saturating_add(bytes);
    }

    /// Removes old days until the rest is within its bounds. What cannot be removed now is tried again with the next look.
    pub(super) fn retain_days(&mut self) -> Result<(), SinkError> {
        let Retention { bytes_max, quarantine_bytes_max, days_min } = self.retention;
        let Some(least) = [bytes_max, quarantine_bytes_max].into_iter().flatten().min() else {
            return Ok(());
        };
        if self.grown_bytes < least / LOOKS {
            return Ok(());
        }
        self.grown_bytes = 0;
        let days = self.days()?;
        let newest = days.iter().filter_map(|day| day.date).max();
        let kept_from = newest.and_then(|newest| newest.checked_sub(i64::from(days_min).days()).ok());
        let mut newest_of: BTreeMap<String, Date> = BTreeMap::new();
        for day in &days {
            let newest = newest_of.entry(day.stream.clone()).or_default();
            *newest = day.date.map_or(*newest, |date| date.max(*newest));
        }
        let may_go = |day: &Day| {
            day.date.is_some_and(|date| {
                kept_from.is_some_and(|kept_from| date < kept_from)
                    && newest_of.get(&day.stream) != Some(&date)
            })
        };
        let (quarantine, exports): (Vec<Day>, Vec<Day>) =
            days.into_iter().partition(|day| day.stream == QUARANTINE);
        self.reduce("exports", exports, bytes_max, may_go)?;
        self.reduce("quarantine", quarantine, quarantine_bytes_max, may_go)
    }

    fn reduce(
        &mut self,
        what: &'static str,
        mut days: Vec<Day>,
        bytes_max: Option<u64>,
        may_go: impl Fn(&Day) -> bool,
    ) -> Result<(), SinkError> {
        let mut bytes: u64 = days.iter().map(|day| day.bytes).sum();
        days.sort_by_key(|day| (!RAW.contains(&day.stream.as_str()), day.date));
        let mut days = days.into_iter().filter(|day| may_go(day));
        while let Some(bytes_max) = bytes_max
            && bytes > bytes_max
        {
            let Some(day) = days.next() else {
                tracing::warn!(
                    what,
                    bytes,
                    bytes_max,
                    "larger than they may be, and no day of them may go yet"
                );
                break;
            };
            self.remove_day(&day)?;
            bytes -= day.bytes;
            metrics::counter!("andon_export_removed_bytes_total", "what" => what).increment(day.bytes);
            tracing::info!(folder = %day.folder.display(), bytes = day.bytes, "removed a day: {what} are at their bound");
        }
        metrics::gauge!("andon_export_bytes", "what" => what).set(bytes as f64);
        Ok(())
    }

    fn remove_day(&mut self, day: &Day) -> Result<(), SinkError> {
        for site in self.names(&day.folder)? {
            let site = day.folder.join(site);
            for file in self.names(&site)? {
                self.remove(&site.join(file))?;
            }
            // Or a power cut could leave the files and not the folder in which they are.
            self.storage.sync_folder(&site).map_err(file_failed(&site))?;
            self.remove(&site)?;
        }
        self.storage.sync_folder(&day.folder).map_err(file_failed(&day.folder))?;
        self.remove(&day.folder)?;
        let of_stream = self.folder.join(&day.stream);
        self.storage.sync_folder(&of_stream).map_err(file_failed(&of_stream))?;
        let below = day.folder.strip_prefix(&self.folder).unwrap_or(&day.folder).to_owned();
        self.tails.retain(|_, tail| !Path::new(&tail.file).starts_with(&below));
        Ok(())
    }

    /// All days of all streams.
    fn days(&self) -> Result<Vec<Day>, SinkError> {
        let mut days = Vec::new();
        for stream in self.names(&self.folder)?.into_iter().filter(|name| !name.starts_with('.')) {
            let of_stream = self.folder.join(&stream);
            for date in self.names(&of_stream)?.into_iter().filter(|name| name.starts_with("date=")) {
                let folder = of_stream.join(&date);
                let mut bytes = 0;
                for site in self.names(&folder)? {
                    let site = folder.join(site);
                    for file in self.names(&site)? {
                        let path = site.join(file);
                        let file = self.storage.open(&path).map_err(file_failed(&path))?;
                        bytes += file.len().map_err(file_failed(&path))?;
                    }
                }
                let date = date.strip_prefix("date=").and_then(|date| date.parse().ok());
                days.push(Day { stream: stream.clone(), date, folder, bytes });
            }
        }
        Ok(days)
    }
}
