//! Channel by channel: what has not come, and what became of what has.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::json;
use sinks::channels::{ChannelQuery, Device, Devices, Gap, Gaps, Missing, Sums};

use crate::commands::CommandError;
use crate::commands::output::print_line;
use crate::commands::service::{self, escaped};

/// Which lines are asked for.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// Channels whose topic holds this alone.
    #[arg(long, value_name = "PART", requires = "page")]
    topic: Option<String>,
    /// Lines to pass over: the next page.
    #[arg(long, default_value_t = 0, requires = "page")]
    skip: u32,
    /// Lines of a page, at most 1000.
    #[arg(long, default_value_t = sinks::channels::LINES, requires = "page")]
    limit: u32,
}

impl PageArgs {
    fn query(&self) -> ChannelQuery {
        ChannelQuery { topic: self.topic.clone(), skip: Some(self.skip), limit: Some(self.limit) }
    }
}

/// Prints which sequence numbers have not come.
pub(super) fn gaps(url: &str, args: &PageArgs, as_json: bool) -> Result<ExitCode, CommandError> {
    let page: Gaps = service::get(url, &path("gaps", &args.query()))?;
    print_line(if as_json { json!(page).to_string() } else { gaps_text(&page) })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the sums of each channel. Exit code 1 where some do not add up.
pub(super) fn devices(url: &str, args: &PageArgs, as_json: bool) -> Result<ExitCode, CommandError> {
    let page: Devices = service::get(url, &path("devices", &args.query()))?;
    print_line(if as_json { json!(page).to_string() } else { devices_text(&page) })?;
    Ok(if page.at_odds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn path(what: &str, ChannelQuery { topic, skip, limit }: &ChannelQuery) -> String {
    let topic = topic.iter().map(|topic| format!("&topic={}", escaped(topic))).collect::<String>();
    let (skip, limit) = (skip.unwrap_or(0), limit.unwrap_or(sinks::channels::LINES));
    format!("/api/v1/status/{what}?skip={skip}&limit={limit}{topic}")
}

fn gaps_text(page: &Gaps) -> String {
    let Missing { missing, ranges, channels, forgotten } = page.missing;
    let mut out =
        format!("{missing} sequence numbers have not come, in {ranges} stretches of {channels} channels\n");
    if forgotten > 0 {
        let _ = writeln!(out, "{forgotten} more were missing when there were too many stretches to be told");
    }
    for Gap { topic, boot, first, last, missing } in &page.gaps {
        let boot = boot.map(|boot| format!(" boot {boot}")).unwrap_or_default();
        let numbers = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let _ = writeln!(out, "{missing:>8}  {topic}{boot}: {numbers}");
    }
    end(out, page.next_skip)
}

fn devices_text(page: &Devices) -> String {
    let mut out = format!("{} channels; their sums {}\n", page.channels, add_up(page.at_odds == 0));
    let _ = writeln!(out, "all of them\n{}", sums_text(&page.all));
    if page.elsewhere != Sums::default() {
        let _ =
            writeln!(out, "no channel: topics that are unknown, or too many\n{}", sums_text(&page.elsewhere));
    }
    for Device { topic, sums, adds_up, missing } in &page.devices {
        let odds = if *adds_up { "" } else { "  DOES NOT ADD UP" };
        let gaps = if *missing > 0 { format!("  {missing} have not come") } else { String::new() };
        let _ = writeln!(out, "{topic}{odds}{gaps}\n{}", sums_text(sums));
    }
    end(out, page.next_skip)
}

fn add_up(is_so: bool) -> &'static str {
    if is_so { "add up" } else { "DO NOT ADD UP: please report this with the journal" }
}

fn sums_text(sums: &Sums) -> String {
    let Sums { messages, decoded, undecodable, readings, applied, duplicates, quarantined, .. } = sums;
    let Sums {
        on_time, corrections, late, events, events_applied, event_duplicates, events_quarantined, ..
    } = sums;
    let mut out = format!("  messages {messages:>10} = {decoded} decoded + {undecodable} undecodable");
    if *readings > 0 {
        let _ = write!(
            out,
            "\n  readings {readings:>10} = {applied} applied + {duplicates} duplicates + {quarantined} quarantined\
             \n  applied  {applied:>10} = {on_time} on time + {corrections} corrections + {late} late"
        );
    }
    if *events > 0 {
        let _ = write!(
            out,
            "\n  events   {events:>10} = {events_applied} applied + {event_duplicates} duplicates + \
             {events_quarantined} quarantined"
        );
    }
    out
}

fn end(mut out: String, next_skip: Option<u32>) -> String {
    if let Some(skip) = next_skip {
        let _ = write!(out, "more with --skip {skip}");
    }
    out.trim_end().to_owned()
}
