//! Names as numbers: (site, bay, tool, metric) is interned once, at decoding.

use rustc_hash::FxHashMap;

/// What a series measures and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Series {
    pub site: Box<str>,
    /// Empty where the reading belongs to the site as a whole.
    pub bay: Box<str>,
    /// Empty where the reading belongs to the bay as a whole.
    pub tool: Box<str>,
    pub metric: Box<str>,
}

/// All series seen, numbered 0, 1, 2 … in the order of the journal. Bays are numbered alike.
#[derive(Clone, Debug, Default)]
pub struct SeriesTable {
    all: Vec<Series>,
    bay_of: Vec<u32>,
    numbers: FxHashMap<Series, u32>,
    bays: Vec<(Box<str>, Box<str>)>,
    bay_numbers: FxHashMap<(Box<str>, Box<str>), u32>,
}

impl SeriesTable {
    /// The number of a series; a new one for new names.
    pub fn intern(&mut self, series: Series) -> u32 {
        if let Some(&number) = self.numbers.get(&series) {
            return number;
        }
        let number = u32::try_from(self.all.len()).expect("series are bounded by configuration");
        let bay = self.intern_bay(&series.site, &series.bay);
        self.all.push(series.clone());
        self.bay_of.push(bay);
        self.numbers.insert(series, number);
        number
    }

    /// The number of a series, if it has one.
    #[must_use]
    pub fn find(&self, series: &Series) -> Option<u32> {
        self.numbers.get(series).copied()
    }

    /// Whether a tool has any series: one look at each, for what people ask.
    #[must_use]
    pub fn has_tool(&self, site: &str, tool: &str) -> bool {
        self.all.iter().any(|series| &*series.site == site && &*series.tool == tool)
    }

    /// The number of a bay (site, bay), if it has one.
    #[must_use]
    pub fn find_bay(&self, site: &str, bay: &str) -> Option<u32> {
        self.bay_numbers.get(&(Box::from(site), Box::from(bay))).copied()
    }

    /// The number of a bay (site, bay); a new one for new names.
    pub fn intern_bay(&mut self, site: &str, bay: &str) -> u32 {
        let key = (Box::from(site), Box::from(bay));
        if let Some(&number) = self.bay_numbers.get(&key) {
            return number;
        }
        let number = u32::try_from(self.bays.len()).expect("bays are bounded by configuration");
        self.bays.push(key.clone());
        self.bay_numbers.insert(key, number);
        number
    }

    /// The names of series `number`.
    #[must_use]
    pub fn get(&self, number: u32) -> &Series {
        &self.all[number as usize]
    }

    /// All series, by number.
    #[must_use]
    pub fn all(&self) -> &[Series] {
        &self.all
    }

    /// Bay number of each series.
    #[must_use]
    pub fn bay_of(&self) -> &[u32] {
        &self.bay_of
    }

    /// All bays as (site, bay), by number.
    #[must_use]
    pub fn bays(&self) -> &[(Box<str>, Box<str>)] {
        &self.bays
    }
}
