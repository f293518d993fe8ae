//! What a message can say beside readings: step events, bookings, job cards, assets.

/// What a message says beside readings.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Event {
    pub message: u64,
    /// Place in the message.
    pub index: u32,
    pub arrived_ms: i64,
    /// Event time; arrival where the message has none and may do without (cards, assets).
    pub ts_ms: i64,
    pub boot: i64,
    pub seq: i64,
    /// XXH3 of the element's raw bytes.
    pub hash: u64,
    pub site: Box<str>,
    pub what: What,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum What {
    Step(StepEvent),
    Booking(Booking),
    Job(JobCard),
    Asset(Asset),
}

/// `workshop/{site}/{bay}/steps`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StepEvent {
    pub bay: Box<str>,
    pub job: Box<str>,
    pub step: Box<str>,
    pub technician: Option<Box<str>>,
    pub event: StepEventKind,
}

/// The event names of the contract, in lower case with underscores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEventKind {
    Assigned,
    Started,
    Paused,
    Resumed,
    Finished,
    Failed,
    Released,
    QaSigned,
    Reworked,
    /// Nobody sends it: work on a step has gone over its standard time.
    #[serde(skip)]
    Overran,
    /// Nobody sends it: a job card is new, or says something else.
    #[serde(skip)]
    Planned,
    /// Nobody sends it: nobody works on a job, and what is left of it does not fit any more before its promise.
    #[serde(skip)]
    Slipped,
    /// Nobody sends it: a job has been worked on at two bays at once for longer than it takes to move it.
    #[serde(skip)]
    Doubled,
}

/// `workshop/{site}/{bay}/usage`: parts and consumables booked by hand.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Booking {
    pub bay: Box<str>,
    pub resource: Box<str>,
    pub quantity: f64,
    /// UCUM code, aliases resolved; empty for none.
    pub unit: Box<str>,
    /// Job and step, if the message names them; else the step active on the bay.
    pub job: Option<Box<str>>,
    pub step: Option<Box<str>>,
    /// The lot (batch, delivery, serial number) that it was of, if the message names it.
    #[serde(default)]
    pub lot: Option<Box<str>>,
}

/// `workshop/{site}/jobs`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct JobCard {
    pub job: String,
    #[serde(default)]
    pub customer: Option<String>,
    /// Where the customer is told how the job goes.
    #[serde(default)]
    pub contact: Option<Contact>,
    #[serde(default)]
    pub vehicle: Option<String>,
    /// RFC 3339 or ms since 1970, as given.
    #[serde(default)]
    pub promised: Option<serde_json::Value>,
    pub steps: Vec<PlannedStep>,
}

/// Where somebody is reached.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contact {
    /// `mail`, or whatever those who carry it know: `sms`, `whatsapp`.
    pub channel: String,
    pub address: String,
}

/// An address is nobody's business: it stands in the journal and in what is told, and in no log.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({}, …)", self.channel)
    }
}

impl Contact {
    const CHANNEL_CHARS_MAX: usize = 32;
    const ADDRESS_CHARS_MAX: usize = 320;

    /// What is wrong with it, as a fragment that does not repeat the address.
    ///
    /// # Errors
    /// A channel that is no word, an address that is empty, too long or holds control characters.
    pub fn check(&self) -> Result<(), String> {
        let Contact { channel, address } = self;
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if channel.is_empty() || channel.len() > Self::CHANNEL_CHARS_MAX || !channel.chars().all(is_word) {
            return Err("its channel is no word of lower-case letters, digits and `_`, such as `mail`".into());
        }
        let chars = address.chars().count();
        if address.trim().is_empty() || chars > Self::ADDRESS_CHARS_MAX || address.contains(char::is_control)
        {
            let max = Self::ADDRESS_CHARS_MAX;
            return Err(format!("its address is empty, longer than {max} characters, or holds line breaks"));
        }
        Ok(())
    }
}

/// A step as the job card plans it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlannedStep {
    pub step: String,
    #[serde(default)]
    pub operation: Option<String>,
    /// Standard time in seconds.
    #[serde(default)]
    pub standard_s: Option<f64>,
    #[serde(default)]
    pub skills: Vec<String>,
    #[serde(default)]
    pub expect: Vec<Expectation>,
    #[serde(default)]
    pub resources: Vec<PlannedResource>,
}

/// What a step is expected to measure.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Expectation {
    pub metric: String,
    #[serde(default)]
    pub min: Option<f64>,
    #[serde(default)]
    pub max: Option<f64>,
    #[serde(default)]
    pub count: Option<u32>,
    #[serde(default)]
    pub joint: Option<String>,
    #[serde(default)]
    pub pset: Option<String>,
    #[serde(default)]
    pub class: Option<String>,
}

/// What a step is planned to use.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlannedResource {
    pub resource: String,
    pub quantity: f64,
    #[serde(default)]
    pub unit: Option<String>,
}

/// `workshop/{site}/assets`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Asset {
    /// Name of the asset; equals `tool` in topics.
    pub asset: String,
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub bay: Option<String>,
    #[serde(default)]
    pub rated: Option<f64>,
    #[serde(default)]
    pub calibration_due: Option<serde_json::Value>,
    #[serde(default)]
    pub limits: Vec<AssetLimit>,
}

/// Limits of an asset's metric: used where the step expects none.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AssetLimit {
    pub metric: String,
    #[serde(default)]
    pub min: Option<f64>,
    #[serde(default)]
    pub max: Option<f64>,
}
