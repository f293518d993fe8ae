//! A shift: from one time of the clock on the wall to another.

use std::str::FromStr;

use jiff::civil::Time;

/// `"06:00-14:00"`; `"22:00-06:00"` ends on the day after, `"06:00-06:00"` goes around the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub from: Time,
    pub to: Time,
}

/// Why a text is no shift.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shift")]
pub struct ShiftError(String);

impl FromStr for Shift {
    type Err = ShiftError;

    fn from_str(text: &str) -> Result<Self, ShiftError> {
        let times = text.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
        times.map(|(from, to)| Shift { from, to }).ok_or_else(|| ShiftError(text.to_owned()))
    }
}

/// `HH:MM`; midnight may be written 24:00 at the end.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |digits: &str| {
        let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<i8>().ok().filter(|_| is_two)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    if (hour, minute) == (24, 0) { Some(Time::midnight()) } else { Time::new(hour, minute, 0, 0).ok() }
}

impl Shift {
    /// Whether both are at work at some minute of a day.
    #[must_use]
    pub fn overlaps(self, other: Shift) -> bool {
        let minute = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
        let length = |shift: Shift| match (minute(shift.to) - minute(shift.from)).rem_euclid(24 * 60) {
            0 => 24 * 60,
            minutes => minutes,
        };
        let after = |one: Shift, other: Shift| (minute(other.from) - minute(one.from)).rem_euclid(24 * 60);
        after(self, other) < length(self) || after(other, self) < length(other)
    }
}
