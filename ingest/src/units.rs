//! Units as UCUM codes, their aliases and dimensions.
//!
//! Codes are read by their grammar ([`ucum`]), so `N.m`, `kW.h` and `mm/s2` need no entry anywhere. What
//! people write instead (`Nm`, `kWh`, `°C`) are [`aliases`] of codes. Codes in use are numbered 1, 2, 3 …
//! in the order in which they are first seen; 0 is "no unit".

use rustc_hash::FxHashMap;

pub use conversion::Conversion;
use ucum::Unit;

mod aliases;
mod conversion;
mod symbols;
#[cfg(test)]
mod tests;
mod ucum;

/// How many distinct units there may be; readings with further ones are rejected as unknown.
pub const UNITS_MAX: usize = 4096;

/// Why a unit cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("unit \"{text}\" is no UCUM code and no alias; see ucum.org, or add it to [units] aliases")]
    Unknown { text: String },
    #[error("unit alias \"{alias}\" stands for \"{code}\", which is no UCUM code; see ucum.org")]
    AliasOfUnknown { alias: String, code: String },
    #[error("there are already {UNITS_MAX} distinct units; \"{text}\" has no room")]
    Full { text: String },
}

/// The units in use and the aliases.
#[derive(Clone, Debug)]
pub struct Units {
    aliases: FxHashMap<Box<str>, Box<str>>,
    /// By number; the first is "none".
    codes: Vec<Box<str>>,
    units: Vec<Unit>,
    numbers: FxHashMap<Box<str>, u16>,
}

impl Units {
    /// The shipped aliases and `aliases` (alias, UCUM code), which win over shipped ones and over UCUM.
    ///
    /// # Errors
    /// The first alias that stands for something that is no UCUM code.
    pub fn new(aliases: &[(String, String)]) -> Result<Self, UnitError> {
        let mut all: FxHashMap<Box<str>, Box<str>> =
            aliases::SHIPPED.iter().map(|(alias, code)| ((*alias).into(), (*code).into())).collect();
        for (alias, code) in aliases {
            let error = || UnitError::AliasOfUnknown { alias: alias.clone(), code: code.clone() };
            // An alias of a shipped alias is meant as its code.
            let code = match ucum::parse(code) {
                Some(_) => code.as_str(),
                None => all.get(code.as_str()).map(|code| &**code).ok_or_else(error)?,
            };
            all.insert(alias.as_str().into(), code.into());
        }
        Ok(Units {
            aliases: all,
            codes: vec![Box::from("")],
            units: vec![Unit::ONE],
            numbers: FxHashMap::default(),
        })
    }

    /// The same aliases, with no unit in use.
    pub(crate) fn emptied(&self) -> Self {
        Units {
            aliases: self.aliases.clone(),
            codes: vec![Box::from("")],
            units: vec![Unit::ONE],
            numbers: FxHashMap::default(),
        }
    }

    /// The UCUM code that `text` means: itself, or what it is an alias of.
    #[must_use]
    pub fn resolve<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        let text = text.trim();
        match self.aliases.get(text) {
            Some(code) => Some(code),
            None => ucum::parse(text).map(|_| text),
        }
    }

    /// The number of the unit that `text` means (code or alias); a new one where it is first seen.
    ///
    /// # Errors
    /// It is unknown, or there are [`UNITS_MAX`] already.
    pub fn intern(&mut self, text: &str) -> Result<u16, UnitError> {
        let unknown = || UnitError::Unknown { text: text.to_owned() };
        let code: Box<str> = self.resolve(text).ok_or_else(unknown)?.into();
        if let Some(&number) = self.numbers.get(&code) {
            return Ok(number);
        }
        let unit = ucum::parse(&code).ok_or_else(unknown)?;
        let full = || UnitError::Full { text: text.to_owned() };
        let number = u16::try_from(self.codes.len()).map_err(|_| full())?;
        if self.codes.len() > UNITS_MAX {
            return Err(full());
        }
        self.codes.push(code.clone());
        self.units.push(unit);
        self.numbers.insert(code, number);
        Ok(number)
    }

    /// The number of a UCUM code in use; 0 where it is not (yet).
    #[must_use]
    pub fn number(&self, code: &str) -> u16 {
        self.numbers.get(code).copied().unwrap_or(0)
    }

    /// The UCUM code of a number; empty for 0 and for numbers that were never given out.
    #[must_use]
    pub fn code(&self, number: u16) -> &str {
        self.codes.get(usize::from(number)).map_or("", |code| code)
    }

    /// The codes in use, by number; the first, of number 0, is empty.
    #[must_use]
    pub fn codes(&self) -> &[Box<str>] {
        &self.codes
    }

    /// How values in unit `from` become values in unit `to` (numbers); `None` if they measure different
    /// things, or if either is 0.
    #[must_use]
    pub fn conversion(&self, from: u16, to: u16) -> Option<Conversion> {
        let known = |number: u16| self.units.get(usize::from(number)).filter(|_| number != 0);
        Conversion::between(known(from)?, known(to)?)
    }

    /// As [`Units::conversion`], for texts (codes or aliases).
    #[must_use]
    pub fn conversion_of(&self, from: &str, to: &str) -> Option<Conversion> {
        let (from, to) = (self.resolve(from)?, self.resolve(to)?);
        Conversion::between(&ucum::parse(from)?, &ucum::parse(to)?)
    }
}
