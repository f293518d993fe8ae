//! Groups as dense numbers, found by their keys.

mod combinations;

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

pub(crate) use combinations::Combinations;

/// Stands for "in no group".
pub(crate) const OUTSIDE: u32 = u32::MAX;

/// A table of groups that rows make takes no more than so many: what does not fit in memory is told, and not kept.
pub(crate) const GROUPS_MAX: usize = 100_000;

/// Keys and their numbers: 0, 1, 2 … by first sight. Keys are kept as bytes that sort as the keys do.
#[derive(Debug)]
pub(crate) struct GroupTable {
    converter: Arc<RowConverter>,
    kinds: Arc<[DataType]>,
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
    /// The same in the types in which they are emitted.
    emitted: Vec<Option<ArrayRef>>,
    /// A hash of each key; as `order`, of those there were.
    digests: Vec<[u8; 16]>,
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

    fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..).take(self.len()).map(|group| self.get(group))
    }
}

fn hash_of(key: &[u8]) -> u64 {
    FxBuildHasher.hash_one(key)
}

impl GroupTable {
    /// For keys of the types in `schema`; names in dictionaries are taken out of them.
    pub(crate) fn new(schema: &Schema) -> Result<Self> {
        let kinds: Arc<[DataType]> = schema.fields().iter().map(|field| flat(field.data_type())).collect();
        let converter = RowConverter::new(kinds.iter().cloned().map(SortField::new).collect())?;
        Ok(Self::with(Arc::new(converter), kinds))
    }

    fn with(converter: Arc<RowConverter>, kinds: Arc<[DataType]>) -> Self {
        GroupTable {
            converter,
            kinds,
            numbers: HashTable::new(),
            keys: Keys::default(),
            closers: Vec::new(),
            order: Vec::new(),
            ranks: Vec::new(),
            columns: Vec::new(),
            emitted: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// An empty one for the same keys.
    pub(crate) fn fresh(&self) -> Self {
        Self::with(Arc::clone(&self.converter), Arc::clone(&self.kinds))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many columns its keys have.
    pub(crate) fn width(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn closers(&self) -> &[u32] {
        &self.closers
    }

    /// A hash of each key, by number. After [`GroupTable::settle`].
    pub(crate) fn digests(&self) -> &[[u8; 16]] {
        &self.digests
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
        if self.kinds.is_empty() {
            return Ok((0..rows).map(|row| self.number(groups_max, &[], || closer_of(row))).collect());
        }
        let flat: Result<Vec<ArrayRef>, _> =
            columns.iter().zip(self.kinds.iter()).map(|(column, kind)| cast(column, kind)).collect();
        let encoded = self.converter.convert_columns(&flat?)?;
        let mut number = |row: usize| self.number(groups_max, encoded.row(row).data(), || closer_of(row));
        Ok((0..rows).map(&mut number).collect())
    }

    fn number(&mut self, groups_max: usize, key: &[u8], closer: impl FnOnce() -> u32) -> u32 {
        let (keys, hash) = (&self.keys, hash_of(key));
        if let Some(&number) = self.numbers.find(hash, |&number| keys.get(number) == key) {
            return number;
        }
        if keys.len() >= groups_max {
            return OUTSIDE;
        }
        let number = u32::try_from(keys.len()).expect("fewer groups than rows in memory");
        self.numbers.insert_unique(hash, number, |&number| hash_of(keys.get(number)));
        self.keys.push(key);
        self.closers.push(closer());
        number
    }

    /// Sorts the groups that are new since the last call.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.ranks.len() == self.keys.len() && self.columns.len() == self.kinds.len() {
            return Ok(());
        }
        let mut order: Vec<u32> = (0..).take(self.keys.len()).collect();
        order.sort_unstable_by(|&a, &b| self.keys.get(a).cmp(self.keys.get(b)));
        for key in self.keys.iter().skip(self.digests.len()) {
            let digest = *blake3::hash(key).as_bytes();
            self.digests.push(std::array::from_fn(|place| digest[place]));
        }
        self.ranks = vec![0; order.len()];
        for (rank, &group) in (0..).zip(&order) {
            self.ranks[group as usize] = rank;
        }
        self.order = order;
        self.emitted = vec![None; self.kinds.len()];
        if !self.kinds.is_empty() {
            let parser = self.converter.parser();
            self.columns = self.converter.convert_rows(self.keys.iter().map(|key| parser.parse(key)))?;
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

    /// The keys of all groups by number, without dictionaries. After [`GroupTable::settle`].
    pub(crate) fn plain_columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Key number `key` of `groups`, without a dictionary. After [`GroupTable::settle`].
    pub(crate) fn plain_column(&self, key: usize, groups: &UInt32Array) -> Result<ArrayRef> {
        Ok(take(&self.columns[key], groups, None)?)
    }

    /// Key number `key` of `groups`, as `kind`. After [`GroupTable::settle`].
    pub(crate) fn column(&mut self, key: usize, groups: &UInt32Array, kind: &DataType) -> Result<ArrayRef> {
        let column = match &mut self.emitted[key] {
            Some(column) if column.data_type() == kind => column,
            place => place.insert(cast(&self.columns[key], kind)?),
        };
        Ok(take(column, groups, None)?)
    }
}

fn flat(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        other => other.clone(),
    }
}
