//! Groups as dense numbers, found by their keys.

mod combinations;
mod keys;

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

pub(crate) use combinations::Combinations;
use keys::EncodedKeys;
pub(crate) use keys::KeyFormat;

/// Stands for "in no group".
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// A table of groups that rows make takes no more than so many: what does not fit in memory is told, and not kept.
pub(crate) const GROUPS_MAX: usize = 100_000;

/// Keys and their numbers: 0, 1, 2 … by first sight. Keys are kept as bytes that sort as the keys do.
#[derive(Debug)]
pub(crate) struct GroupTable {
    format: Arc<KeyFormat>,
    numbers: HashTable<u32>,
    keys: Keys,
    /// Whose watermark closes each group.
    closers: Vec<u32>,
    /// The groups in the order of their keys; those there were when it was last asked for.
    order: Vec<u32>,
    /// Place of each of them in that order.
    ranks: Vec<u32>,
    /// Their keys as columns, without dictionaries.
    columns: Vec<ArrayRef>,
    /// The same in the types of the schema.
    emitted: Vec<Option<ArrayRef>>,
}

/// One behind the other.
#[derive(Debug, Default)]
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn get(&self, group: u32) -> &[u8] {
        let group = group as usize;
        let start = if group == 0 { 0 } else { self.ends[group - 1] };
        &self.bytes[start..self.ends[group]]
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..).take(self.len()).map(|group| self.get(group))
    }
}

fn hash_of(key: &[u8]) -> u64 {
    FxBuildHasher.hash_one(key)
}

impl GroupTable {
    /// For keys of the types in `schema`.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self> {
        Ok(Self::of(Arc::new(KeyFormat::new(schema)?)))
    }

    fn of(format: Arc<KeyFormat>) -> Self {
        GroupTable {
            format,
            numbers: HashTable::new(),
            keys: Keys::default(),
            closers: Vec::new(),
            order: Vec::new(),
            ranks: Vec::new(),
            columns: Vec::new(),
            emitted: Vec::new(),
        }
    }

    /// An empty one for the same keys.
    pub(crate) fn fresh(&self) -> Self {
        Self::of(Arc::clone(&self.format))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The columns of its keys.
    pub(crate) fn schema(&self) -> &Schema {
        self.format.schema()
    }

    pub(crate) fn closers(&self) -> &[u32] {
        &self.closers
    }

    /// The numbers of the groups whose keys are the rows of `columns`, new ones for new keys, which
    /// `closer_of` the row closes.
    pub(crate) fn intern(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        closer_of: impl FnMut(usize) -> u32,
    ) -> Result<Vec<u32>> {
        self.intern_within(usize::MAX, columns, rows, closer_of)
    }

    /// The same, with [`OUTSIDE`] for new keys where there are `groups_max` already.
    pub(crate) fn intern_within(
        &mut self,
        groups_max: usize,
        columns: &[ArrayRef],
        rows: usize,
        mut closer_of: impl FnMut(usize) -> u32,
    ) -> Result<Vec<u32>> {
        let encoded = self.format.encode(columns)?;
        let numbers = (0..rows).map(|row| self.number(groups_max, &encoded, row, || closer_of(row)));
        Ok(numbers.collect())
    }

    fn number(
        &mut self,
        groups_max: usize,
        encoded: &EncodedKeys,
        row: usize,
        closer: impl FnOnce() -> u32,
    ) -> u32 {
        // It is written behind the others, where it stays if it is new.
        let before = self.keys.bytes.len();
        encoded.write(row, &mut self.keys.bytes);
        let (keys, key) = (&self.keys, &self.keys.bytes[before..]);
        let is_it = |&number: &u32| keys.get(number) == key;
        let number = match self.numbers.entry(hash_of(key), is_it, |&number| hash_of(keys.get(number))) {
            Entry::Vacant(place) if keys.len() < groups_max => {
                let number = u32::try_from(keys.len()).expect("fewer groups than rows in memory");
                place.insert(number);
                self.keys.ends.push(self.keys.bytes.len());
                self.closers.push(closer());
                return number;
            }
            Entry::Vacant(_) => OUTSIDE,
            Entry::Occupied(place) => *place.get(),
        };
        self.keys.bytes.truncate(before);
        number
    }

    /// Sorts the groups that are new since the last call.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.ranks.len() == self.keys.len() && self.columns.len() == self.schema().fields().len() {
            return Ok(());
        }
        let mut order: Vec<u32> = (0..).take(self.keys.len()).collect();
        order.sort_unstable_by(|&a, &b| self.keys.get(a).cmp(self.keys.get(b)));
        self.ranks = vec![0; order.len()];
        for (rank, &group) in (0..).zip(&order) {
            self.ranks[group as usize] = rank;
        }
        self.order = order;
        let width = self.schema().fields().len();
        self.emitted = vec![None; width];
        if width > 0 {
            self.columns = self.format.decode(self.keys.iter())?;
        }
        Ok(())
    }

    /// Puts `groups` into the order of their keys. After [`GroupTable::settle`].
    pub(crate) fn sort(&self, groups: &mut Vec<u32>) {
        if groups.len() < self.keys.len() / 8 {
            groups.sort_unstable_by_key(|&group| self.ranks[group as usize]);
            return;
        }
        let mut is_in = vec![false; self.keys.len()];
        groups.iter().for_each(|&group| is_in[group as usize] = true);
        groups.clear();
        groups.extend(self.order.iter().filter(|&&group| is_in[group as usize]));
    }

    /// The place of `group` in the order of keys. After [`GroupTable::settle`].
    pub(crate) fn rank(&self, group: u32) -> u32 {
        self.ranks[group as usize]
    }

    /// Makes room for `groups` more.
    pub(crate) fn reserve(&mut self, groups: usize) {
        self.numbers.reserve(groups, |&number| hash_of(self.keys.get(number)));
        self.keys.ends.reserve(groups);
        self.closers.reserve(groups);
    }

    /// Key number `key` of `groups`, without a dictionary. After [`GroupTable::settle`].
    pub(crate) fn plain_column(&self, key: usize, groups: &UInt32Array) -> Result<ArrayRef> {
        Ok(take(&self.columns[key], groups, None)?)
    }

    /// Key number `key` of `groups`. After [`GroupTable::settle`].
    pub(crate) fn column(&mut self, key: usize, groups: &UInt32Array) -> Result<ArrayRef> {
        Ok(take(self.whole_column(key)?, groups, None)?)
    }

    /// Key number `key` of all groups by number. After [`GroupTable::settle`].
    pub(crate) fn whole_column(&mut self, key: usize) -> Result<&ArrayRef> {
        let place = &mut self.emitted[key];
        if place.is_none() {
            *place = Some(cast(&self.columns[key], self.format.schema().field(key).data_type())?);
        }
        Ok(place.as_ref().expect("it was put there"))
    }
}
