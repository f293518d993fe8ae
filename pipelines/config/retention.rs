//! How much of the past is kept on the disk.

use sinks::parquet::Retention;

use super::EngineSettings;
use super::service::TYPED;
use super::setting::Fallback::{Absent, Is};
use super::setting::{Setting, set, size};
use super::values::Values;

pub(super) const JOURNAL: Setting = set(
    "retention.journal",
    size("0B", "1024GiB"),
    Is("\"0B\""),
    "Segments of the journal that neither a restart nor the mirror needs stay up to this size of all segments: for \
     `andon replay --journal`, `andon trace`, and rules that are filled with the past. Beyond it the oldest go; what is \
     needed stays, however large.",
);

pub(super) const CHECKPOINTS: Setting = set(
    "retention.checkpoints",
    size("1MiB", "1024GiB"),
    Is("\"4GiB\""),
    "Fewer than checkpoint.keep are kept where they are larger than this together; the newest two stay, however large.",
);

pub(super) const EXPORTS: Setting = set(
    "retention.exports",
    size("1MiB", "1048576GiB"),
    Absent("\"500GiB\""),
    "Beyond it the oldest days of the exports go: of telemetry and late first, then of the other streams. Days stay that \
     corrections still reach (the longest correction_horizon, lateness and idle_final), and the newest day of each \
     stream, however large. Without it all is kept, until the disk is full.",
);

pub(super) const QUARANTINE: Setting = set(
    "retention.quarantine",
    size("1MiB", "1024GiB"),
    Absent("\"5GiB\""),
    "The same for the records of quarantine, which are no part of the size above. What is gone cannot be replayed.",
);

/// `[retention]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Of the journal's segments, as far as nobody needs them.
    pub journal_bytes: u64,
    pub checkpoints_bytes: u64,
    /// Of all streams but quarantine; none: without bound.
    pub exports_bytes: Option<u64>,
    pub quarantine_bytes: Option<u64>,
}

impl RetentionSettings {
    /// What becomes of old days in the exports of a service with these bounds of event time.
    #[must_use]
    pub fn exports(&self, engine: &EngineSettings) -> Retention {
        const DAY_S: u64 = 86_400;
        let reach = engine.longest_horizon() + engine.longest_lateness() + engine.idle_final;
        // Days are those of UTC, so a reach of an hour may touch two.
        let days = reach.as_secs().div_ceil(DAY_S) + 1;
        Retention {
            bytes_max: self.exports_bytes,
            quarantine_bytes_max: self.quarantine_bytes,
            days_min: u32::try_from(days).unwrap_or(u32::MAX),
        }
    }
}

pub(super) fn read(values: &Values) -> RetentionSettings {
    RetentionSettings {
        journal_bytes: values.size(JOURNAL.path).expect(TYPED),
        checkpoints_bytes: values.size(CHECKPOINTS.path).expect(TYPED),
        exports_bytes: values.size(EXPORTS.path),
        quarantine_bytes: values.size(QUARANTINE.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_a_correction_may_reach_are_kept() {
        let retention = RetentionSettings {
            journal_bytes: 0,
            checkpoints_bytes: 0,
            exports_bytes: Some(1),
            quarantine_bytes: None,
        };
        let mut engine = EngineSettings::default();
        // 24 h, 15 min and 30 s.
        assert_eq!(retention.exports(&engine).days_min, 3);
        let bounds = super::super::BoundSettings {
            correction_horizon: Some(std::time::Duration::from_secs(6 * 86_400)),
            ..super::super::BoundSettings::default()
        };
        engine.kinds.push(("torque_tool".to_owned(), bounds));
        assert_eq!(retention.exports(&engine).days_min, 9);
    }
}
