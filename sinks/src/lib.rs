//! From emissions outwards.
//!
//! The engine hands over [`emission::Emission`]s; each [`sink::Sink`] takes them in on a thread of its own
//! ([`deliver`]) and shows them at a cut. The board shows a [`view::View`].

pub mod emission;

pub mod sink;

pub mod deliver;

pub mod parquet;

pub mod store;

#[cfg(test)]
mod contract;

pub mod view;

pub mod channels;

pub mod latency;

pub mod desk;

pub mod courier;

pub mod board;

pub mod prometheus;
