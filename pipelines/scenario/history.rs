//! New windows of a run filled with what it has told so far, as a service fills them with its exports.

use std::path::Path;

use ingest::entry::{Change, Entry};
use sinks::emission::Emission;
use sinks::parquet::{ParquetSettings, ParquetSink, Show};
use sinks::sink::Sink;

use super::run::{Run, RunError};
use super::told;
use crate::analyst::OpenError;
use crate::config::Config;
use crate::{analyst, exports, refill};

/// What windows are filled with.
const STREAMS: [&str; 2] = ["telemetry", "steps"];

/// Why what was told cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Query(#[from] datafusion::error::DataFusionError),
}

impl Run {
    /// Keeps what it tells from now on, so that new windows can be filled with it.
    pub fn keep_told(&mut self) {
        self.told = Some(Vec::new());
    }

    /// Another configuration applies, without a break; new windows wait for what was told.
    ///
    /// # Errors
    /// As [`Run::act`].
    pub fn change_and_wait(&mut self, config: &Config) -> Result<(), RunError> {
        self.flush()?;
        let change = Some(Change { readings_from: None, waits_for_history: true });
        self.apply(&Entry::Configuration { engine: String::new(), text: config.text.clone(), change })
    }

    /// Rules and views whose windows still wait.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        self.engine.filling().map(|filling| filling.rules.clone()).unwrap_or_default()
    }

    /// Writes what was told to `folder`, which is empty, and fills the windows that wait for it; false as long as something
    /// they wait for has not been told.
    ///
    /// # Errors
    /// As [`Run::act`], and if the folder cannot be written or read.
    pub fn fill(&mut self, config: &Config, folder: &Path) -> Result<bool, RunError> {
        self.flush()?;
        let Some(filling) = self.engine.filling().cloned() else { return Ok(true) };
        if !self.engine.has_told_until(filling.until_message) {
            return Ok(false);
        }
        self.export_to(folder)?;
        let (filled, _) = refill::read(&filling, config, folder, || false)?;
        let windows = filled.encode()?.into();
        self.apply(&Entry::Filling { until_message: filling.until_message, windows })?;
        Ok(true)
    }

    /// Writes what was told to `folder`, which is empty, and asks it: rows as lines. Readings that came too late for any window
    /// are left out.
    ///
    /// # Errors
    /// If the folder cannot be written or read, or the query is none.
    pub fn ask(&self, config: &Config, folder: &Path, sql: &str) -> Result<Vec<String>, RunError> {
        self.export_to(folder)?;
        let batches = runtime()?.block_on(async {
            let context = analyst::open(folder, &config.calendars).await?;
            let in_time = context.sql("SELECT * FROM telemetry WHERE lateness <> 'late'").await?.into_view();
            context.deregister_table("telemetry")?;
            context.register_table("telemetry", in_time)?;
            Ok::<_, AskError>(context.sql(sql).await?.collect().await?)
        })?;
        let emissions = batches.into_iter().map(|rows| Emission { stream: "asked".into(), rows });
        let lines = emissions.flat_map(|emission| {
            (0..emission.rows.num_rows()).map(move |row| told::line(&emission, row)).collect::<Vec<_>>()
        });
        Ok(lines.collect::<Result<_, _>>()?)
    }

    fn export_to(&self, folder: &Path) -> Result<(), RunError> {
        let mut streams = exports::streams(&self.engine);
        streams.retain(|stream| STREAMS.contains(&&*stream.name));
        let mut sink = ParquetSink::new(ParquetSettings::new(folder, Show::AtEnd, streams))?;
        runtime()?.block_on(async {
            for emission in self.told.iter().flatten() {
                sink.write(emission).await?;
            }
            sink.finish().await
        })?;
        Ok(())
    }

    pub(super) fn keep_what_is_told(&mut self) {
        if let Some(told) = &mut self.told {
            told.extend(self.out.iter().filter(|emission| STREAMS.contains(&&*emission.stream)).cloned());
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Action, Message, Way};

    const AT_MS: i64 = 1_772_445_600_000;

    /// With or without views over minutes and steps.
    fn config(has_views: bool) -> Config {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        std::fs::create_dir(folder.path().join("rules")).expect("a folder");
        write("andon.toml", "[engine]\nlateness = \"1s\"\n");
        write("metrics.toml", "[metrics.torque]\nunit = \"N.m\"\n");
        let over = "SELECT ts, site, bay, tool, value FROM telemetry WHERE value > 900";
        write("rules/over.toml", &format!("rule = \"over\"\nseverity = \"low\"\nsql = \"{over}\"\n"));
        let windows =
            [("minutes", "tumble(telemetry, ts, INTERVAL '1 minute')"), ("by_step", "per_step(telemetry)")];
        for (name, windows) in windows.iter().filter(|_| has_views) {
            let sql = format!(
                "SELECT site, bay, window_start, window_end, count(*) AS times FROM {windows} \
                 GROUP BY site, bay, window_start, window_end"
            );
            let text = format!("view = \"{name}\"\nsql = \"{sql}\"\n");
            write(&format!("rules/{name}.toml"), &text);
        }
        Config::load(&folder.path().join("andon.toml")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    fn reading(second: i64) -> Action {
        reading_of(second, second)
    }

    fn reading_of(at_second: i64, second: i64) -> Action {
        let (at_ms, ts_ms) = (AT_MS + at_second * 1_000, AT_MS + second * 1_000);
        let payload = format!(r#"{{"ts":{ts_ms},"metric":"torque","value":80}}"#).into_bytes();
        Action::Message(Message { at_ms, topic: "workshop/lyon/bay-01/tq-1/telemetry".into(), payload })
    }

    fn step(at_second: i64, second: i64, event: &str) -> Action {
        let (at_ms, ts_ms) = (AT_MS + at_second * 1_000, AT_MS + second * 1_000);
        let payload = format!(r#"{{"ts":{ts_ms},"job":"J1","step":"S1","event":"{event}"}}"#).into_bytes();
        Action::Message(Message { at_ms, topic: "workshop/lyon/bay-01/steps".into(), payload })
    }

    fn until(run: &mut Run, from_second: i64, to_second: i64) {
        let (first_ms, last_ms) = (AT_MS + from_second * 1_000, AT_MS + to_second * 1_000);
        run.act(&Action::Tick { first_ms, last_ms }).expect("it goes on");
        run.act(&Action::Cut { at_ms: last_ms }).expect("it goes on");
    }

    /// A reading in the first minute, the view, and another reading in that minute.
    fn changed_within_a_minute() -> Run {
        let mut run = Run::new(&config(false), Way::default()).expect("a run");
        run.keep_told();
        run.act(&reading(10)).expect("it goes on");
        until(&mut run, 11, 30);
        run.change_and_wait(&config(true)).expect("it goes on");
        run.act(&reading(40)).expect("it goes on");
        until(&mut run, 41, 200);
        assert_eq!(run.waiting(), ["by_step", "minutes"]);
        assert_eq!(said(&run), [] as [&str; 0], "who waits says nothing");
        run
    }

    /// One more minute with a reading, and what ends it.
    fn a_later_minute(run: &mut Run) {
        for second in [3_700, 3_800] {
            run.act(&reading(second)).expect("it goes on");
            until(run, second + 1, second + 90);
        }
    }

    fn said(run: &Run) -> Vec<&str> {
        let finals = run.lines.iter().filter(|line| line.contains("final=true"));
        finals.filter_map(|line| line.strip_prefix("out minutes ")).collect()
    }

    #[test]
    fn a_window_of_which_the_exports_lack_a_reading_is_never_shown() {
        for is_whole in [true, false] {
            let (mut run, folder) = (changed_within_a_minute(), tempfile::tempdir().expect("a folder"));
            if !is_whole {
                run.keep_told();
            }
            assert!(run.fill(&config(true), folder.path()).expect("it is filled"));
            assert_eq!(run.waiting(), [] as [&str; 0]);
            a_later_minute(&mut run);
            let said = said(&run);
            let of_first = said.iter().filter(|line| line.contains("times=2")).count();
            assert_eq!((of_first, said.len()), if is_whole { (1, 2) } else { (0, 1) }, "{said:?}");
        }
    }

    #[test]
    fn windows_wait_for_an_hour_at_most_and_go_without_what_cannot_be_read() {
        let last = |run: &mut Run| {
            a_later_minute(run);
            assert_eq!(run.waiting(), [] as [&str; 0]);
            let said = said(run);
            assert!(said.len() == 1 && said[0].contains("times=1"), "only the whole window: {said:?}");
        };
        let mut run = changed_within_a_minute();
        until(&mut run, 201, 3_600);
        assert_eq!(run.waiting(), ["by_step", "minutes"]);
        last(&mut run);
        let mut run = changed_within_a_minute();
        run.apply(&Entry::Filling { until_message: 1, windows: Vec::new().into() }).expect("it goes on");
        assert_eq!(run.waiting(), [] as [&str; 0]);
        last(&mut run);
    }

    /// The exports tell the end of a step beside readings that had been told of it before: they stay in its window.
    #[test]
    fn a_filled_window_keeps_the_readings_of_a_step_that_ended_late() {
        let mut run = Run::new(&config(false), Way::default()).expect("a run");
        run.keep_told();
        let act = |run: &mut Run, action| run.act(&action).expect("it goes on");
        act(&mut run, step(1, 1, "started"));
        for second in [30, 60, 90] {
            act(&mut run, reading(second));
            until(&mut run, second + 1, second + 20);
        }
        act(&mut run, step(111, 40, "finished"));
        run.change_and_wait(&config(true)).expect("it goes on");
        until(&mut run, 112, 150);
        let folder = tempfile::tempdir().expect("a folder");
        assert!(run.fill(&config(true), folder.path()).expect("it is filled"));
        // It may be corrected.
        act(&mut run, reading_of(151, 20));
        until(&mut run, 152, 200);
        run.act(&Action::End).expect("it goes on");
        let said: Vec<&String> = run.lines.iter().filter(|line| line.contains("out by_step ")).collect();
        // The reading at 90 seconds had not been told when the end came.
        assert!(said.last().is_some_and(|line| line.contains("times=3")), "{said:?}");
    }
}
