//! What could not be used, and why.

/// What could not be used, and why: a row of stream `quarantine`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reject {
    pub message: u64,
    pub arrived_ms: i64,
    /// Cut at 1 KiB.
    pub topic: Box<str>,
    /// The raw message, or the raw element of an array, cut at 64 KiB. Empty where rows before it brought more of the
    /// same message than it is worth.
    pub payload: Box<[u8]>,
    /// One word for counting, such as `not_json` or `ts_ahead`.
    pub reason: Reason,
    /// What was wrong, on what, in a sentence fragment.
    pub detail: String,
    /// The one reading of `payload` that was refused, where the others were not.
    pub metric: Option<Box<str>>,
}

/// Why something went to quarantine. The names are the `reason` column and the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Reason {
    /// The topic matches no pattern. The whole message is undecodable, as with the next four.
    UnknownTopic,
    /// The payload is no JSON.
    NotJson,
    /// The payload is JSON, yet no object and no array of objects.
    WrongShape,
    /// The payload is larger than the configured bound.
    TooLarge,
    /// A line of a recording that is no recording line.
    NotARecordingLine,
    /// A required field is absent or has the wrong type.
    BadField,
    /// A value is NaN or infinite.
    NonFiniteValue,
    /// The unit is no UCUM code and no alias.
    UnknownUnit,
    /// The unit measures something else than the metric.
    WrongDimension,
    /// Event time is further ahead of arrival than the clock bound.
    TsAhead,
    /// Event time is older than the age bound.
    TsTooOld,
    /// A new series beyond the configured bound of its site.
    TooManySeries,
    /// A step event that fits no step on its bay, such as a finish without a start.
    StepNotStarted,
    /// A booking by hand that belongs to no step.
    NoStep,
    /// A rule's expression failed on the row.
    RuleFailed,
}

impl Reason {
    /// Whether it makes the whole message undecodable (and not one reading quarantined).
    #[must_use]
    pub fn is_undecodable(self) -> bool {
        matches!(
            self,
            Reason::UnknownTopic
                | Reason::NotJson
                | Reason::WrongShape
                | Reason::TooLarge
                | Reason::NotARecordingLine
        )
    }

    /// The name in streams and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UnknownTopic => "unknown_topic",
            Reason::NotJson => "not_json",
            Reason::WrongShape => "wrong_shape",
            Reason::TooLarge => "too_large",
            Reason::NotARecordingLine => "not_a_recording_line",
            Reason::BadField => "bad_field",
            Reason::NonFiniteValue => "non_finite_value",
            Reason::UnknownUnit => "unknown_unit",
            Reason::WrongDimension => "wrong_dimension",
            Reason::TsAhead => "ts_ahead",
            Reason::TsTooOld => "ts_too_old",
            Reason::TooManySeries => "too_many_series",
            Reason::StepNotStarted => "step_not_started",
            Reason::NoStep => "no_step",
            Reason::RuleFailed => "rule_failed",
        }
    }
}
