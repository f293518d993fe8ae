//! How far event time has come, and whose time closes a group.

use std::collections::BTreeMap;

use ingest::series::SeriesTable;
use rustc_hash::FxHashMap;

use crate::plan::key::Closes;

/// Watermarks. `i64::MIN` is before the first row, `i64::MAX` the end of input.
#[derive(Clone, Copy, Debug)]
pub struct Frontier<'a> {
    /// Of each bay, by its number; missing ones have none yet.
    pub bays: &'a [i64],
    /// Of each site: the least of its bays that are not released. Missing ones have none yet.
    pub sites: &'a BTreeMap<Box<str>, i64>,
    /// The least of all. `i64::MAX` stands for every bay and site, too.
    pub overall: i64,
}

impl Frontier<'_> {
    /// As far as it has come already: no time passes.
    #[must_use]
    pub fn still() -> Frontier<'static> {
        Frontier { overall: i64::MIN, ..Frontier::end() }
    }

    /// The end of input: everything closes.
    #[must_use]
    pub fn end() -> Frontier<'static> {
        static NONE: BTreeMap<Box<str>, i64> = BTreeMap::new();
        Frontier { bays: &[], sites: &NONE, overall: i64::MAX }
    }
}

/// What closes groups: bays, sites, or the one overall watermark; numbered, with the highest watermark that
/// was seen of each. It knows all that the frontier speaks of, not only those with groups: which bays had a row or a
/// series when hangs on where the input was cut.
#[derive(Clone, Debug)]
pub(crate) struct Closers {
    kind: Closes,
    /// Numbers of sites, by name.
    sites: FxHashMap<Box<str>, u32>,
    site_names: Vec<Box<str>>,
    seen: Vec<i64>,
    highest: i64,
}

impl Closers {
    pub(crate) fn new(kind: Closes) -> Self {
        let seen = if kind == Closes::Overall { vec![i64::MIN] } else { Vec::new() };
        Closers { kind, sites: FxHashMap::default(), site_names: Vec::new(), seen, highest: i64::MIN }
    }

    pub(crate) fn kind(&self) -> Closes {
        self.kind
    }

    /// What closes a group of that bay. Bays keep their numbers.
    pub(crate) fn of_bay(&mut self, bay: u32, table: &SeriesTable) -> u32 {
        let closer = match self.kind {
            Closes::Overall => 0,
            Closes::Bay => bay,
            Closes::Site => self.of_site(&table.bays()[bay as usize].0),
        };
        self.grow(closer as usize + 1);
        closer
    }

    fn of_site(&mut self, site: &str) -> u32 {
        if let Some(&number) = self.sites.get(site) {
            return number;
        }
        let number = u32::try_from(self.site_names.len()).expect("fewer sites than bays");
        self.sites.insert(site.into(), number);
        self.site_names.push(site.into());
        number
    }

    /// One that is new has seen nothing, or the end with all others.
    fn grow(&mut self, needed: usize) {
        if self.seen.len() < needed {
            let before = if self.is_ended() { i64::MAX } else { i64::MIN };
            self.seen.resize(needed, before);
        }
    }

    fn is_ended(&self) -> bool {
        self.highest == i64::MAX
    }

    /// All closers that there are.
    pub(crate) fn all(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.seen.len()).expect("bays are numbered in u32")
    }

    /// The highest watermark seen of a closer.
    pub(crate) fn seen(&self, closer: u32) -> i64 {
        self.seen.get(closer as usize).copied().unwrap_or(i64::MIN)
    }

    /// The highest of all.
    pub(crate) fn highest(&self) -> i64 {
        self.highest
    }

    /// The highest that there will be once it has advanced.
    pub(crate) fn ahead(&self, frontier: &Frontier) -> i64 {
        if frontier.overall == i64::MAX {
            return i64::MAX;
        }
        let newest = match self.kind {
            Closes::Overall => Some(frontier.overall),
            Closes::Bay => frontier.bays.iter().copied().max(),
            Closes::Site => frontier.sites.values().copied().max(),
        };
        newest.map_or(self.highest, |newest| newest.max(self.highest))
    }

    /// Takes the watermarks over; one that went back stays. Says which spans of time were passed, one for
    /// each closer that moved.
    pub(crate) fn advance(&mut self, frontier: &Frontier) -> Vec<(i64, i64)> {
        let mut passed = Vec::new();
        if frontier.overall == i64::MAX {
            let moved = self.seen.iter_mut().filter(|seen| **seen < i64::MAX);
            passed.extend(moved.map(|seen| (std::mem::replace(seen, i64::MAX), i64::MAX)));
            self.highest = i64::MAX;
            return passed;
        }
        match self.kind {
            Closes::Overall => self.pass(0, frontier.overall, &mut passed),
            Closes::Bay => {
                for (bay, &now) in frontier.bays.iter().enumerate() {
                    self.pass(bay, now, &mut passed);
                }
            }
            Closes::Site => {
                for (site, &now) in frontier.sites {
                    let number = self.of_site(site);
                    self.pass(number as usize, now, &mut passed);
                }
            }
        }
        passed
    }

    fn pass(&mut self, closer: usize, now: i64, passed: &mut Vec<(i64, i64)>) {
        self.grow(closer + 1);
        let seen = &mut self.seen[closer];
        if now > *seen {
            passed.push((*seen, now));
            *seen = now;
            self.highest = self.highest.max(now);
        }
    }

    /// What a snapshot keeps: (site, bay, highest watermark), sorted; empty names where there are none, and at the end of
    /// input, which is the same for all.
    pub(crate) fn by_name(&self, table: &SeriesTable) -> Vec<(String, String, i64)> {
        if self.is_ended() {
            return vec![(String::new(), String::new(), i64::MAX)];
        }
        let moved = self.seen.iter().enumerate().filter(|(_, seen)| **seen > i64::MIN);
        let mut named: Vec<_> = moved
            .map(|(closer, &seen)| match self.kind {
                Closes::Overall => (String::new(), String::new(), seen),
                Closes::Site => (self.site_names[closer].to_string(), String::new(), seen),
                Closes::Bay => {
                    let (site, bay) = &table.bays()[closer];
                    (site.to_string(), bay.to_string(), seen)
                }
            })
            .collect();
        named.sort_unstable();
        named
    }

    /// Takes back what [`Closers::by_name`] gave. Names that `table` does not have are passed over: nothing
    /// can hang on them.
    pub(crate) fn restore(&mut self, named: &[(String, String, i64)], table: &SeriesTable) {
        let bays = bays_by_name(table);
        let site_bay: FxHashMap<&str, u32> =
            (0..).zip(table.bays()).map(|(number, (site, _))| (site.as_ref(), number)).collect();
        for (site, bay, seen) in named {
            if *seen == i64::MAX {
                self.seen.fill(i64::MAX);
                self.highest = i64::MAX;
                return;
            }
            let number = match self.kind {
                Closes::Overall => Some(0),
                Closes::Bay => bays.get(&(site.as_str(), bay.as_str())).copied(),
                Closes::Site => site_bay.get(site.as_str()).copied(),
            };
            if let Some(number) = number {
                let closer = self.of_bay(number, table);
                self.seen[closer as usize] = *seen;
                self.highest = self.highest.max(*seen);
            }
        }
    }
}

/// Numbers of bays, by site and bay.
pub(crate) fn bays_by_name(table: &SeriesTable) -> FxHashMap<(&str, &str), u32> {
    let named = (0..).zip(table.bays());
    named.map(|(number, (site, bay))| ((site.as_ref(), bay.as_ref()), number)).collect()
}
