//! What the engine hands in: what has happened on a bay, and speaks of steps there.

/// Something that happened on a bay, and is certain.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub site: Box<str>,
    pub bay: Box<str>,
    pub ts_ms: i64,
    /// Message and index.
    pub place: (u64, u32),
    pub sign: Sign,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Sign {
    /// A step was begun, and clocked.
    Started { job: Box<str>, step: Box<str> },
    /// A reading or a booking while no step was.
    Trace(Trace),
}

/// A reading or a booking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub is_booking: bool,
    /// As it names them.
    pub job: Option<Box<str>>,
    pub step: Option<Box<str>>,
    /// Empty for a booking.
    pub metric: Box<str>,
    pub joint: Option<Box<str>>,
    pub pset: Option<Box<str>>,
    pub value: f64,
    /// Resource and unit, if `value` is a quantity that was used.
    pub used: Option<(Box<str>, Box<str>)>,
    /// It comes of work, and not by itself.
    pub is_use: bool,
}
