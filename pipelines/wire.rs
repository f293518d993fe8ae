//! Configuration to running parts.

use ingest::decode::{DecodeLimits, Decoder};
use ingest::topic::Topics;
use ingest::units::Units;

use crate::config::Config;
use crate::engine::{Engine, EngineError};

/// Why a checked configuration could not be put to work.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("topic patterns: {0}")]
    Topics(#[from] ingest::topic::TopicError),
    #[error("units: {0}")]
    Units(#[from] ingest::units::UnitError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The topics of a configuration.
///
/// # Errors
/// A pattern that is none.
pub fn topics(config: &Config) -> Result<Topics, WireError> {
    Ok(Topics::new(&config.topics)?)
}

/// A fresh decoder.
///
/// # Errors
/// A topic pattern or a unit that does not work; `andon check` finds them before.
pub fn decoder(config: &Config) -> Result<Decoder, WireError> {
    let units = Units::new(&config.unit_aliases)?;
    let limits = DecodeLimits {
        message_bytes_max: config.source.message_bytes_max,
        series_per_site_max: config.engine.series_per_site_max,
        ..DecodeLimits::default()
    };
    Ok(Decoder::new(topics(config)?, &config.metrics, units, limits)?)
}

/// A fresh engine with its decoder.
///
/// # Errors
/// As [`decoder`], or a rule that does not compile.
pub fn engine(config: &Config) -> Result<Engine, WireError> {
    Ok(Engine::new(config, decoder(config)?)?)
}
