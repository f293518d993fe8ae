//! Which rules want which rows: looked up once a row by its series, however many rules there are.
//!
//! Series that the same rules want are a set, and rows are sorted by set. Rules that want the same sets are a class: what
//! comes to them is put together once.

use std::collections::BTreeMap;

use arrow::array::BooleanArray;
use rustc_hash::FxHashMap;

/// Rows handed out to the rules in whose scope their series is.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By series: number of its set.
    set_of: Vec<u32>,
    numbers: FxHashMap<Box<[u32]>, u32>,
    /// By set: places of its rows among those handed out last.
    places: Vec<Vec<u32>>,
    /// By rule: its class, if it wants any series.
    class_of: Vec<Option<usize>>,
    classes: Vec<Class>,
    /// A bit for each row. Kept for its memory.
    bits: Vec<u64>,
}

/// What some rules want.
#[derive(Debug)]
struct Class {
    /// Ascending.
    sets: Vec<u32>,
    /// Places of its rows, where it wants several sets.
    merged: Vec<u32>,
}

impl Routes {
    /// For rules `0..rules`.
    pub(super) fn new(rules: usize) -> Self {
        Routes { class_of: vec![None; rules], ..Routes::default() }
    }

    /// Takes in `fresh` further series: for each rule that wants any, its number and which of them.
    pub(super) fn follow(&mut self, fresh: usize, wanted: &[(usize, BooleanArray)]) {
        let before = self.numbers.len();
        for row in 0..fresh {
            let rules = wanted.iter().filter(|(_, within)| within.value(row)).map(|(rule, _)| *rule as u32);
            let next = u32::try_from(self.numbers.len()).expect("no more sets than series");
            self.set_of.push(*self.numbers.entry(rules.collect()).or_insert(next));
        }
        if self.numbers.len() > before {
            self.places.resize(self.numbers.len(), Vec::new());
            self.classify();
        }
    }

    fn classify(&mut self) {
        let mut sets_of = vec![Vec::new(); self.class_of.len()];
        let mut sets: Vec<(&Box<[u32]>, u32)> =
            self.numbers.iter().map(|(rules, set)| (rules, *set)).collect();
        sets.sort_unstable_by_key(|(_, set)| *set);
        for (rules, set) in sets {
            rules.iter().for_each(|rule| sets_of[*rule as usize].push(set));
        }
        let mut classes = BTreeMap::new();
        for (class, sets) in self.class_of.iter_mut().zip(sets_of) {
            let next = classes.len();
            *class = (!sets.is_empty()).then(|| *classes.entry(sets).or_insert(next));
        }
        let mut classes: Vec<(Vec<u32>, usize)> = classes.into_iter().collect();
        classes.sort_unstable_by_key(|(_, class)| *class);
        self.classes = classes.into_iter().map(|(sets, _)| Class { sets, merged: Vec::new() }).collect();
    }

    /// Whether no rule wants any series.
    pub(super) fn is_idle(&self) -> bool {
        self.classes.is_empty()
    }

    /// Hands the rows of `series` out. Whether any went to a rule.
    pub(super) fn split(&mut self, series: &[u32]) -> bool {
        let Routes { set_of, places, classes, bits, .. } = self;
        places.iter_mut().for_each(Vec::clear);
        for (place, series) in (0..).zip(series) {
            places[set_of[*series as usize] as usize].push(place);
        }
        let mut any = false;
        for class in classes {
            class.merged.clear();
            let of_sets = class.sets.iter().map(|set| places[*set as usize].as_slice());
            let of_sets: Vec<&[u32]> = of_sets.filter(|places| !places.is_empty()).collect();
            any |= !of_sets.is_empty();
            if class.sets.len() > 1 {
                merge(&of_sets, series.len(), bits, &mut class.merged);
            }
        }
        any
    }

    /// How many classes there are.
    pub(super) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Number of the class of `rule`; rules of a class get the same rows. None if it wants no series.
    pub(super) fn class_of(&self, rule: usize) -> Option<usize> {
        self.class_of[rule]
    }

    /// Places of the rows that went to `rule`, ascending.
    pub(super) fn of(&self, rule: usize) -> &[u32] {
        match self.class_of[rule].map(|class| &self.classes[class]) {
            None => &[],
            Some(Class { sets, .. }) if sets.len() == 1 => &self.places[sets[0] as usize],
            Some(Class { merged, .. }) => merged,
        }
    }
}

/// The places of several sets, ascending.
fn merge(sets: &[&[u32]], rows: usize, bits: &mut Vec<u64>, merged: &mut Vec<u32>) {
    let count: usize = sets.iter().map(|places| places.len()).sum();
    merged.reserve(count);
    if let [only] = sets {
        return merged.extend_from_slice(only);
    }
    if count == rows {
        return merged.extend((0..).take(rows));
    }
    bits.clear();
    bits.resize(rows.div_ceil(64), 0);
    for place in sets.iter().copied().flatten() {
        bits[*place as usize / 64] |= 1 << (place % 64);
    }
    for (first, word) in (0..).step_by(64).zip(bits) {
        while *word != 0 {
            merged.push(first + word.trailing_zeros());
            *word &= *word - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_to_each_rule_that_wants_its_series_and_to_no_other() {
        let mut routes = Routes::new(4);
        assert!(routes.is_idle());
        let within = |bits: &[bool]| BooleanArray::from(bits.to_vec());
        let twice = within(&[true, true]);
        routes.follow(2, &[(0, within(&[true, false])), (2, twice.clone()), (3, twice)]);
        routes.follow(1, &[(0, within(&[false])), (2, within(&[false])), (3, within(&[false]))]);
        assert!(routes.split(&[1, 0, 2, 0]));
        let all = [&[1, 3][..], &[], &[0, 1, 3], &[0, 1, 3]];
        assert_eq!([0, 1, 2, 3].map(|rule| routes.of(rule)), all);
        assert!(!routes.split(&[2]));
        assert_eq!([0, 1, 2, 3].map(|rule| routes.of(rule)), [&[0_u32; 0][..]; 4]);
        let many: Vec<u32> = (0..1000).map(|row| row % 3).collect();
        assert!(routes.split(&many));
        assert_eq!(routes.of(2), (0..1000).filter(|row| row % 3 < 2).collect::<Vec<u32>>());
        assert_eq!(routes.of(0), (0..1000).step_by(3).collect::<Vec<u32>>());
    }
}
