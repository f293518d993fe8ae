//! Rows of several batches as one block, in message order.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Float64Array, Int64Array, MapArray};
use ingest::readings::{NONE, Readings};
use rustc_hash::FxHashMap;

use super::super::merge::{Merge, Place};
use super::batch::Batch;
use crate::engine::past::{Asides, Joined, NO_RUN, PastRows, Shop};

/// The rows at `places`.
pub(super) fn rows(merge: &Merge<Batch>, places: &[Place], shop: &Shop) -> PastRows {
    let most = places.iter().map(|place| place.batch as usize + 1).max().unwrap_or(0);
    let mut of_number: Vec<Option<&Batch>> = vec![None; most];
    for place in places {
        of_number[place.batch as usize].get_or_insert_with(|| merge.batch(place.batch));
    }
    let gathering = Gathering { batches: &of_number, places };
    let mut readings = Readings {
        message: gathering.each(|batch, row| batch.message.values()[row]),
        index: gathering.each(|batch, row| batch.index[row]),
        ts_ms: gathering.each(|batch, row| batch.ts.values()[row]),
        arrived_ms: gathering.each(|batch, row| batch.arrived.values()[row]),
        series: gathering.each(|batch, row| batch.series[row]),
        boot: gathering.integers(|batch| batch.boot.as_ref()),
        seq: gathering.integers(|batch| batch.seq.as_ref()),
        value: gathering.floats(|batch| batch.value.as_ref()),
        unit: match gathering.any(|batch| batch.unit.is_some()) {
            true => gathering.each(|batch, row| batch.unit.as_ref().map_or(0, |unit| unit[row])),
            false => vec![0; places.len()],
        },
        text: vec![0; places.len()],
        tags: vec![0; places.len()],
        texts: Vec::new(),
        tag_sets: Vec::new(),
    };
    gathering.texts(&mut readings);
    gathering.tags(&mut readings);
    let lateness = gathering.each(|batch, row| batch.lateness[row]);
    PastRows::new(readings, lateness, gathering.joined(), shop)
}

struct Gathering<'a> {
    batches: &'a [Option<&'a Batch>],
    places: &'a [Place],
}

impl<'a> Gathering<'a> {
    #[inline]
    fn batch(&self, place: Place) -> &'a Batch {
        self.batches[place.batch as usize].expect("the batch of each place is there")
    }

    fn any(&self, has: impl Fn(&Batch) -> bool) -> bool {
        self.batches.iter().flatten().any(|batch| has(batch))
    }

    #[inline]
    fn each<T>(&self, of: impl Fn(&Batch, usize) -> T) -> Vec<T> {
        self.places.iter().map(|&place| of(self.batch(place), place.row as usize)).collect()
    }

    fn integers(&self, of: impl Fn(&Batch) -> Option<&Int64Array>) -> Vec<i64> {
        if !self.any(|batch| of(batch).is_some()) {
            return vec![NONE; self.places.len()];
        }
        self.each(|batch, row| {
            of(batch).filter(|column| column.is_valid(row)).map_or(NONE, |column| column.value(row))
        })
    }

    fn floats(&self, of: impl Fn(&Batch) -> Option<&Float64Array>) -> Vec<f64> {
        if !self.any(|batch| of(batch).is_some_and(|column| column.null_count() < column.len())) {
            return vec![f64::NAN; self.places.len()];
        }
        self.each(|batch, row| {
            of(batch).filter(|column| column.is_valid(row)).map_or(f64::NAN, |column| column.value(row))
        })
    }

    fn texts(&self, readings: &mut Readings) {
        if !self.any(|batch| batch.text.as_ref().is_some_and(|text| text.null_count() < text.len())) {
            return;
        }
        for (at, &place) in self.places.iter().enumerate() {
            let text = self.batch(place).text.as_ref().filter(|text| text.is_valid(place.row as usize));
            if let Some(text) = text {
                readings.texts.push(text.value(place.row as usize).into());
                readings.text[at] = number(readings.texts.len());
            }
        }
    }

    fn tags(&self, readings: &mut Readings) {
        if !self.any(|batch| batch.tags.as_ref().is_some_and(|tags| tags.null_count() < tags.len())) {
            return;
        }
        let mut known: FxHashMap<String, u32> = FxHashMap::default();
        for (at, &place) in self.places.iter().enumerate() {
            let row = place.row as usize;
            let tags = self.batch(place).tags.as_ref().filter(|tags| tags.is_valid(row));
            let Some(tags) = tags else { continue };
            readings.tags[at] = *known.entry(tag_set(tags, row)).or_insert_with_key(|set| {
                readings.tag_sets.push(set.as_str().into());
                number(readings.tag_sets.len())
            });
        }
    }

    fn asides(&self) -> Asides {
        let mut asides = Asides::default();
        for (row, &place) in self.places.iter().enumerate() {
            let (batch, of_batch) = (self.batch(place), place.row as usize);
            let name = |at: usize| batch.asides[at].as_ref().and_then(|names| names[of_batch].as_deref());
            let of_rows = [&mut asides.expected_pset, &mut asides.expected_resource, &mut asides.asset_bay];
            for (at, of_rows) in of_rows.into_iter().enumerate() {
                if let Some(name) = name(at) {
                    of_rows.set(row, name);
                }
            }
            let due = batch.calibration_due.as_ref().filter(|due| due.is_valid(of_batch));
            if let Some(due) = due {
                asides.set_due(row, due.value(of_batch));
            }
        }
        asides
    }

    fn joined(&self) -> Joined {
        let mut joined = Joined {
            run: vec![NO_RUN; self.places.len()],
            spec_min: self.floats(|batch| batch.spec_min.as_ref()),
            spec_max: self.floats(|batch| batch.spec_max.as_ref()),
            runs: Vec::new(),
            asides: self.asides(),
        };
        if self.any(|batch| batch.run.is_some()) {
            let mut known: FxHashMap<(u32, u32), u32> = FxHashMap::default();
            let runs = &mut joined.runs;
            for (run, &place) in joined.run.iter_mut().zip(self.places) {
                let batch = self.batch(place);
                let of_batch = batch.run.as_ref().map_or(NO_RUN, |run| run[place.row as usize]);
                if of_batch != NO_RUN {
                    *run = *known.entry((place.batch, of_batch)).or_insert_with(|| {
                        runs.push(batch.runs[of_batch as usize].clone());
                        number(runs.len() - 1)
                    });
                }
            }
        }
        joined
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("a block has far fewer rows")
}

/// As the decoder writes a tag set: keys sorted, no spaces.
fn tag_set(tags: &MapArray, row: usize) -> String {
    let entries = tags.value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let pairs: BTreeMap<&str, &str> =
        (0..entries.len()).map(|at| (keys.value(at), values.value(at))).collect();
    serde_json::to_string(&pairs).expect("texts are JSON")
}
