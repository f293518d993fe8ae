//! What a checkpoint holds of the engine, in the order of its bytes.

use std::borrow::Cow;

use ingest::decode::DecoderState;
use ingest::readings::Reject;
use sinks::view::Counts;

use super::super::balances::Balances;
use super::super::bays::Bays;
use super::super::bounds::ToolsHeard;
use super::super::channels::Channels;
use super::super::clock::ClockCheck;
use super::super::commands::Commands;
use super::super::exceptions::Exceptions;
use super::super::hold::Hold;
use super::super::ledger::Unassigned;
use super::super::overdue::Overdue;
use super::super::repeats::Repeats;
use super::super::rules::{SilenceState, WindowState};
use super::super::switch::filling::Filling;
use super::super::switch::nature::Nature;
use super::super::told::Told;
use super::super::usage::{KeptLots, Usage};
use crate::functions::Functions;

/// Borrowed from the engine where it is written.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct State<'a> {
    pub version: u32,
    /// The text of the configuration that applies.
    pub configuration: Cow<'a, str>,
    pub natures: Cow<'a, [Nature]>,
    pub last_message: u64,
    pub decoder: DecoderState,
    pub counts: Counts,
    pub repeats: Cow<'a, Repeats>,
    pub channels: Cow<'a, Channels>,
    pub overdue: Cow<'a, Overdue>,
    pub clock: Cow<'a, ClockCheck>,
    pub bays: Cow<'a, Bays>,
    pub tools_heard: Cow<'a, ToolsHeard>,
    #[serde(with = "ingest::packed")]
    pub steps: Vec<u8>,
    #[serde(with = "ingest::packed")]
    pub assets: Vec<u8>,
    pub hold: Cow<'a, Hold>,
    #[serde(with = "ingest::packed")]
    pub bookings: Vec<u8>,
    pub usage: Cow<'a, Usage>,
    pub balances: Cow<'a, Balances>,
    pub exceptions: Cow<'a, Exceptions>,
    pub commands: Cow<'a, Commands>,
    pub functions: Cow<'a, Functions>,
    pub belated: Cow<'a, Repeats>,
    /// Of rows that a window could not fold in when the open block was closed for this.
    pub rejects: Cow<'a, [Reject]>,
    pub windows: Vec<WindowState>,
    pub silences: SilenceState,
    pub at_ms: i64,
}

/// Behind the others, since version 15.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Past<'a> {
    pub told: Cow<'a, Told>,
    pub filling: Cow<'a, Option<Filling>>,
}

/// Behind the others.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Ledger<'a> {
    pub lots: Vec<KeptLots<'a>>,
    pub unassigned: Cow<'a, Unassigned>,
}
