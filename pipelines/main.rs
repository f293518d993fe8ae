//! `andon`: the binary.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pipelines::commands::{
    CommandError, audit, backtest, backup, check, demo, explain, import, quarantine, query, replay, restore,
    run, simulate, standby, status, test, trace,
};

/// Telemetry stream processor for workshops: MQTT in; exceptions, usage, live boards and Parquet out.
#[derive(Debug, Parser)]
#[command(
    name = "andon",
    version,
    max_term_width = 110,
    after_help = "Examples:
  andon demo                                   a whole workshop in one process, board on http://127.0.0.1:8080
  andon check --config config/andon.toml       every mistake in a configuration at once
  andon test --config config/andon.toml        the scenarios beside its rules
  andon run --config config/andon.toml         the service
  andon replay --config config/andon.toml --input shift.ndjson --out out
Exit codes: 0 ok, 1 failed, 2 usage, 78 configuration."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Replay(replay::ReplayArgs),
    Backtest(backtest::BacktestArgs),
    Simulate(simulate::SimulateArgs),
    Query(query::QueryArgs),
    Explain(explain::ExplainArgs),
    Trace(trace::TraceArgs),
    Import(import::ImportArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    Status(status::StatusArgs),
    Standby(standby::StandbyArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    match dispatch(&arguments.command) {
        Ok(code) => code,
        Err(error) => {
            if !matches!(error, CommandError::Closed) {
                // Stderr may be closed as well; the exit code says it all the same.
                let _ = writeln!(std::io::stderr(), "andon: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(command: &Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Demo(args) => run::demo(args),
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(args),
        Command::Test(args) => test::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Backtest(args) => backtest::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Query(args) => query::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Import(args) => import::run(args),
        Command::Audit(command) => audit::run(command),
        Command::Quarantine(command) => quarantine::run(command),
        Command::Status(args) => status::run(args),
        Command::Standby(args) => standby::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Restore(args) => restore::run(args),
    }
}

/// Logs to stderr: text on a terminal, JSON lines in a pipe. `ANDON_LOG` sets the level, such as `debug`.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ANDON_LOG").unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new(
            "warn,andon=info,pipelines=info,ingest=info,sinks=info,rumqttd=off",
        )
    });
    // A log that nobody reads any more must not end the thread that writes it.
    let logs = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.with_target(false).init();
    } else {
        logs.json().init();
    }
}
