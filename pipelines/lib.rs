//! The whole way: journal entries in, rows of streams out.

/// Columns of ten thousand rows come and go every second: the system's allocator gives their pages back and
/// fetches them again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod config;

pub mod schema;

pub mod calendar;

pub mod plan;

pub mod window;

pub mod engine;

pub mod functions;

pub mod checkpoint;

pub mod mirror;

pub mod backup;

pub mod history;

pub mod digest;

pub mod exports;

pub mod analyst;

pub mod wire;

pub mod picture;

pub mod quarantine;

pub mod trace;

pub mod scratch;

pub mod run;

mod background;

pub mod broker;

pub mod simulate;

pub mod scenario;

pub mod backtest;

pub mod explain;

pub mod refill;

pub mod http;

pub mod commands;

#[cfg(test)]
mod tests;
