//! `andon test`: the scenarios that stand beside rules.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CommandError;
use super::output::Output;
use crate::config::{Config, Mistake};
use crate::scenario::{RunError, Scenario, Way};

/// Run the scenarios beside rules: messages in, exceptions out.
///
/// A scenario is a text `NAME.txt` in the folder of the rules. What it expects stands in lines that begin with `out`,
/// each after the line that brings it about, with the columns that matter; `--update` writes all of them. Shown are
/// exceptions, what views say, and what goes to quarantine.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "A scenario, config/rules/coolant_hot.txt:
  # Ten seconds too hot raise, a minute below clears.
  rules coolant_hot
  in 10:00:01 lyon/bay-01/mill-1 temperature 97 unit=Cel
  tick 10:00:02
  in 10:00:45 lyon/bay-01/mill-1 temperature 80 unit=Cel
  in 10:03:00 lyon/bay-01/mill-1 temperature 80 unit=Cel
  tick 10:03:01
  out exceptions rule=coolant_hot tool=mill-1 raised=10:00:10 state=active value=97
  out exceptions rule=coolant_hot tool=mill-1 cleared=10:01:50 state=cleared
Its lines:
  # …                                             what it shows
  rules NAME…                                     which rules and views run; all, if absent
  in TIME SITE/BAY/TOOL METRIC VALUE [NAME=VALUE]  a reading; names: at (arrival), seq, boot, unit, any other is a tag
  step TIME SITE/BAY JOB STEP EVENT [NAME=VALUE]   a step event; names: at, seq, technician
  raw TIME TOPIC PAYLOAD                           any message, such as a job card; @10:00:00 in it becomes ms since 1970
  tick TIME [TIME]                                 a second has passed, or all from the first to the last
  cut, end                                         an epoch ends; no more input
  out STREAM COLUMN=VALUE…                         what is expected
Examples:
  andon test --config config/andon.toml
  andon test --config config/andon.toml --update config/rules/coolant_hot.txt")]
pub struct TestArgs {
    /// The configuration, with rules/ and their scenarios beside it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Scenarios to run; all beside the rules, if none is named
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Write what comes out into the scenarios, to be looked at
    #[arg(long)]
    pub update: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What came of all scenarios.
#[derive(Debug, Default, serde::Serialize)]
struct Report {
    ok: bool,
    scenarios: Vec<Tested>,
    /// Rules and views that no scenario names.
    untested: BTreeSet<String>,
}

/// What came of one.
#[derive(Debug, serde::Serialize)]
struct Tested {
    file: PathBuf,
    ok: bool,
    updated: bool,
    /// Lines that mean nothing, or lines that came out otherwise.
    mistakes: Vec<Mistake>,
}

/// Runs the command on the process's own output.
///
/// # Errors
/// The configuration is wrong, there is no scenario, or the output cannot be written.
pub fn run(args: &TestArgs) -> Result<ExitCode, CommandError> {
    let config = Config::load_without_secrets(&args.config).map_err(CommandError::Configuration)?;
    let files = if args.scenarios.is_empty() { beside(&config)? } else { args.scenarios.clone() };
    let mut report = Report { ok: true, ..Report::default() };
    report.untested.extend(config.rules.iter().map(|rule| rule.name.clone()));
    for file in files {
        let tested = test(&config, file, args.update, &mut report.untested)?;
        report.ok &= tested.ok;
        report.scenarios.push(tested);
    }
    let mut out = Output::stdout();
    let printed = print(&report, args.json, &mut out);
    out.end("could not print", printed)?;
    Ok(ExitCode::from(u8::from(!report.ok)))
}

/// All scenarios in the folder of the rules, by name.
fn beside(config: &Config) -> Result<Vec<PathBuf>, CommandError> {
    let folders: BTreeSet<&Path> = config.rules.iter().filter_map(|rule| rule.file.parent()).collect();
    let mut files = Vec::new();
    for folder in &folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(folder).map_err(|error| {
            CommandError::failed(&format!("could not read the folder {}", folder.display()), error)
        })?;
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    if files.is_empty() {
        return Err(CommandError::Input {
            what: "there is no scenario beside the rules".to_owned(),
            remedy: "write one as NAME.txt in their folder; `andon test --help` shows how".to_owned(),
        });
    }
    Ok(files)
}

fn test(
    config: &Config,
    file: PathBuf,
    update: bool,
    untested: &mut BTreeSet<String>,
) -> Result<Tested, CommandError> {
    let wrong = |mistakes| Ok(Tested { file: file.clone(), ok: false, updated: false, mistakes });
    let scenario = match Scenario::read(&file) {
        Ok(scenario) => scenario,
        Err(mistakes) => return wrong(mistakes),
    };
    let config = match scenario.config(config) {
        Ok(config) => config,
        Err(mistake) => return wrong(vec![mistake]),
    };
    if scenario.rules.is_some() {
        config.rules.iter().for_each(|rule| _ = untested.remove(&rule.name));
    }
    let failed = |error: RunError| CommandError::failed(&format!("could not run {}", file.display()), error);
    let is_shown = |stream: &str| {
        ["exceptions", "quarantine"].contains(&stream)
            || config.rules.iter().any(|rule| rule.is_view && rule.name == stream)
    };
    let told = scenario.told(&config, is_shown).map_err(failed)?;
    let mut mistakes = if update { Vec::new() } else { differences(&file, &scenario.text, &told) };
    let updated = update && told != scenario.text;
    if updated {
        std::fs::write(&file, &told)
            .map_err(|error| CommandError::failed(&format!("could not write {}", file.display()), error))?;
    }
    // A rule's state must survive a restart at any place.
    let plain = scenario.outcome(&config, Way::default()).map_err(failed)?;
    if plain != scenario.outcome(&config, Way { restored: true, ..Way::default() }).map_err(failed)? {
        let message = "with a restart after each line other rows come out".to_owned();
        let remedy = "this is a mistake of Andon's: report it with the scenario".to_owned();
        mistakes.push(Mistake { file: file.clone(), line: 1, column: 1, message, remedy });
    }
    Ok(Tested { ok: mistakes.is_empty(), updated, mistakes, file })
}

/// Whether a line is what was expected: an expected row need not name all columns.
fn is_said(wanted: &str, found: &str) -> bool {
    if wanted == found || !wanted.starts_with("out ") {
        return wanted == found;
    }
    let found: BTreeSet<&str> = words(found).into_iter().collect();
    words(wanted).iter().all(|word| found.contains(word))
}

/// The words of a line; blanks within quotes part none.
fn words(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = line.split(move |letter: char| {
        is_quoted ^= letter == '"';
        letter == ' ' && !is_quoted
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// Where lines first came out otherwise.
fn differences(file: &Path, expected: &str, told: &str) -> Vec<Mistake> {
    let (expected, told): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), told.lines().collect());
    let same = expected.iter().zip(&told).take_while(|(wanted, found)| is_said(wanted, found)).count();
    if same == expected.len() && same == told.len() {
        return Vec::new();
    }
    let is_out = |line: &&&str| line.starts_with("out ");
    let rest =
        |lines: &[&str]| lines[same..].iter().take_while(is_out).copied().collect::<Vec<_>>().join("\n  ");
    let message = match (rest(&expected), rest(&told)) {
        (wanted, found) if found.is_empty() => format!("expected and not told:\n  {wanted}"),
        (wanted, found) if wanted.is_empty() => format!("told and not expected:\n  {found}"),
        (wanted, found) => format!("expected:\n  {wanted}\n  told:\n  {found}"),
    };
    let remedy = "mend the rule or the scenario; --update writes what comes out".to_owned();
    vec![Mistake { file: file.to_owned(), line: same + 1, column: 1, message, remedy }]
}

fn print(report: &Report, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(report).unwrap_or_default());
    }
    for tested in &report.scenarios {
        let word = match (tested.ok, tested.updated) {
            (false, _) => "FAILED",
            (true, true) => "written",
            (true, false) => "ok",
        };
        writeln!(out, "{word:<8}{}", tested.file.display())?;
        tested.mistakes.iter().try_for_each(|mistake| writeln!(out, "{mistake}"))?;
    }
    let failed = report.scenarios.iter().filter(|tested| !tested.ok).count();
    let count = report.scenarios.len();
    writeln!(out, "{count} {}, {failed} failed", if count == 1 { "scenario" } else { "scenarios" })?;
    if !report.untested.is_empty() {
        let names: Vec<&str> = report.untested.iter().map(String::as_str).collect();
        writeln!(out, "without a scenario: {}", names.join(", "))?;
    }
    Ok(())
}
