//! What a checkpoint keeps of the decoder: every number that it gave out, as the names in order.

use super::Decoder;
use crate::series::{Series, SeriesTable};
use crate::units::UnitError;

/// All names with numbers. Serialised into checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DecoderState {
    /// Series, by number.
    pub series: Vec<Series>,
    /// Bays as (site, bay), by number.
    pub bays: Vec<(Box<str>, Box<str>)>,
    /// Topics, by channel number.
    pub channels: Vec<Box<str>>,
    /// UCUM codes, by number from 1.
    pub units: Vec<Box<str>>,
}

/// Why a state cannot be taken back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(
        "the checkpoint's list of {what} names \"{name}\" twice; remove the checkpoint and replay the journal"
    )]
    Repeated { what: &'static str, name: String },
    #[error("the checkpoint has a unit that this version does not know: {0}")]
    Unit(#[from] UnitError),
}

impl Decoder {
    /// The channel of a topic, if it was seen.
    #[must_use]
    pub fn channel_of(&self, topic: &str) -> Option<u32> {
        self.channels.number_of(topic)
    }

    /// Everything that later messages depend on.
    #[must_use]
    pub fn snapshot(&self) -> DecoderState {
        DecoderState {
            series: self.names.series.all().to_vec(),
            bays: self.names.series.bays().to_vec(),
            channels: self.channels.topics().map(Box::from).collect(),
            units: self.names.units.codes()[1..].to_vec(),
        }
    }

    /// Takes a state back, in place of its own. Channels whose topics today's patterns do not match keep
    /// their numbers; messages on them are of an unknown topic.
    ///
    /// # Errors
    /// The state is no snapshot: a name comes twice, or a unit is unknown. Then nothing may be decoded.
    pub fn restore(&mut self, state: &DecoderState) -> Result<(), RestoreError> {
        let mut series = SeriesTable::default();
        for (number, (site, bay)) in state.bays.iter().enumerate() {
            if series.intern_bay(site, bay) as usize != number {
                return Err(RestoreError::Repeated { what: "bays", name: format!("{site}/{bay}") });
            }
        }
        for (number, one) in state.series.iter().enumerate() {
            if series.intern(one.clone()) as usize != number {
                return Err(RestoreError::Repeated { what: "series", name: format!("{one:?}") });
            }
        }
        self.names.restore_units(&state.units)?;
        self.names.restore(series);
        self.channels
            .restore(&state.channels, &self.topics)
            .map_err(|name| RestoreError::Repeated { what: "channels", name })
    }
}
