//! From the wire to columns: source → intake → journal → decoder. And back to the wire: what Andon itself publishes.
//!
//! Left of the journal the world is random; an [`entry::Entry`] fixes what came, in which order, when.
//! Right of it [`readings`] are a pure function of the entries.

pub mod time;

pub mod config;

pub mod entry;

pub mod source;

pub mod intake;

pub mod publish;

pub mod storage;

pub mod packed;

pub mod journal;

pub mod recording;

pub mod topic;

pub mod units;

pub mod series;

pub mod readings;

pub mod decode;
