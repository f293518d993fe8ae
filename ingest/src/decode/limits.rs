//! How much messages may make us keep.

#[cfg(doc)]
use crate::readings::Reason;

/// Bounds of what messages may make us keep. What is beyond is rejected and counted by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Larger messages are [`Reason::TooLarge`].
    pub message_bytes_max: usize,
    /// Readings of further series of a site are [`Reason::TooManySeries`].
    pub series_per_site_max: usize,
    /// The same for all sites together, and for bays.
    pub series_max: usize,
    /// Messages on further distinct topics are [`Reason::TooManySeries`].
    pub channels_max: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        DecodeLimits {
            message_bytes_max: 1 << 20,
            series_per_site_max: 100_000,
            series_max: 1_000_000,
            channels_max: 1_000_000,
        }
    }
}
