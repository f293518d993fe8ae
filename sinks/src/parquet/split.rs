//! Rows of an emission, sorted into partitions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType, UInt32Type};
use arrow::error::ArrowError;

use super::place::{Partition, day_of};

/// Cuts `fitted` by day of `time` and by `site`, columns of the same rows. Rows keep their order.
pub(super) fn split(
    stream: usize,
    time: &ArrayRef,
    site: Option<&ArrayRef>,
    fitted: &RecordBatch,
) -> Result<Vec<(Partition, RecordBatch)>, ArrowError> {
    let time = cast(time, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
    let days = Days::of(&time);
    let sites = Sites::of(site, fitted.num_rows())?;
    let partition = |row: usize| Partition { stream, day: days.at(row), site: sites.at(row) };
    if fitted.num_rows() == 0 {
        return Ok(Vec::new());
    }
    if days.is_constant() && sites.is_constant() {
        return Ok(vec![(partition(0), fitted.clone())]);
    }
    let mut groups: Vec<Group> = Vec::new();
    // The newest group of each key; keyless rows come last.
    let mut by_key = vec![usize::MAX; sites.names.len() + 1];
    for row in 0..fitted.num_rows() {
        let (day, key) = (days.at(row), sites.key(row));
        let slot = &mut by_key[key.map_or(sites.names.len(), |key| key as usize)];
        let is_known = groups.get(*slot).is_some_and(|group| group.day == day);
        if !is_known {
            let found = groups.iter().position(|group| group.day == day && group.key == key);
            *slot = found.unwrap_or(groups.len());
            if found.is_none() {
                groups.push(Group { day, key, rows: Vec::new() });
            }
        }
        groups[*slot].rows.push(row as u32);
    }
    let mut parts: BTreeMap<Partition, Vec<u32>> = BTreeMap::new();
    for group in groups {
        match parts.entry(partition(group.rows[0] as usize)) {
            Entry::Vacant(free) => {
                free.insert(group.rows);
            }
            // Two keys of a dictionary may mean the same name.
            Entry::Occupied(mut taken) => {
                taken.get_mut().extend(group.rows);
                taken.get_mut().sort_unstable();
            }
        }
    }
    parts
        .into_iter()
        .map(|(partition, rows)| {
            let (first, count) = (rows[0] as usize, rows.len());
            let is_slice = rows[count - 1] as usize + 1 - first == count;
            let batch = if is_slice {
                fitted.slice(first, count)
            } else {
                take_record_batch(fitted, &UInt32Array::from(rows))?
            };
            Ok((partition, batch))
        })
        .collect()
}

/// Rows of one day and one key.
struct Group {
    day: Option<i64>,
    key: Option<u32>,
    rows: Vec<u32>,
}

/// UTC days of a time column.
struct Days<'a>(&'a arrow::array::PrimitiveArray<TimestampMillisecondType>);

impl<'a> Days<'a> {
    fn of(time: &'a ArrayRef) -> Self {
        Days(time.as_primitive())
    }

    fn at(&self, row: usize) -> Option<i64> {
        self.0.is_valid(row).then(|| day_of(self.0.value(row)))
    }

    fn is_constant(&self) -> bool {
        if self.0.null_count() > 0 {
            return self.0.null_count() == self.0.len();
        }
        let bounds = self
            .0
            .values()
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), ms| (low.min(*ms), high.max(*ms)));
        day_of(bounds.0) == day_of(bounds.1)
    }
}

/// Sites of the rows: a key each, and a name a key.
struct Sites {
    keys: UInt32Array,
    names: StringArray,
}

impl Sites {
    fn of(site: Option<&ArrayRef>, rows: usize) -> Result<Self, ArrowError> {
        let Some(site) = site else {
            return Ok(Sites { keys: UInt32Array::new_null(rows), names: StringArray::new_null(0) });
        };
        let kind = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
        let site = if *site.data_type() == kind { ArrayRef::clone(site) } else { cast(site, &kind)? };
        let site = site.as_dictionary::<UInt32Type>();
        Ok(Sites { keys: site.keys().clone(), names: site.values().as_string::<i32>().clone() })
    }

    fn key(&self, row: usize) -> Option<u32> {
        self.keys.is_valid(row).then(|| self.keys.value(row))
    }

    fn at(&self, row: usize) -> Option<String> {
        let key = self.key(row)? as usize;
        let is_named = self.names.is_valid(key) && !self.names.value(key).is_empty();
        is_named.then(|| self.names.value(key).to_owned())
    }

    fn is_constant(&self) -> bool {
        match self.keys.null_count() {
            0 => self.keys.values().windows(2).all(|pair| pair[0] == pair[1]),
            nulls => nulls == self.keys.len(),
        }
    }
}
