//! Which rules want which rows: looked up once a row by its series, however many rules there are.

use arrow::array::BooleanArray;
use rustc_hash::FxHashMap;

/// Rows handed out to the rules in whose scope their series is.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// By series: number of the set of rules that want it.
    set_of: Vec<u32>,
    /// By set: where in `members` its rules begin; and the end of the last.
    starts: Vec<u32>,
    members: Vec<u32>,
    numbers: FxHashMap<Box<[u32]>, u32>,
    /// By rule: places of its rows among those handed out last.
    positions: Vec<Vec<u32>>,
}

impl Routes {
    /// For rules `0..rules`.
    pub(super) fn new(rules: usize) -> Self {
        Routes { positions: vec![Vec::new(); rules], starts: vec![0], ..Routes::default() }
    }

    /// Takes in `fresh` further series: for each rule that wants any, its number and which of them.
    pub(super) fn follow(&mut self, fresh: usize, wanted: &[(usize, BooleanArray)]) {
        for row in 0..fresh {
            let rules = wanted.iter().filter(|(_, within)| within.value(row)).map(|(rule, _)| *rule as u32);
            let rules: Box<[u32]> = rules.collect();
            let next = self.starts.len() - 1;
            let number = *self.numbers.entry(rules).or_insert_with_key(|rules| {
                self.members.extend(rules);
                self.starts.push(u32::try_from(self.members.len()).expect("few rules want many series"));
                u32::try_from(next).expect("no more sets than series")
            });
            self.set_of.push(number);
        }
    }

    /// Whether no rule wants any series.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty()
    }

    /// Hands the rows of `series` out. Whether any went to a rule.
    pub(super) fn split(&mut self, series: &[u32]) -> bool {
        let Routes { set_of, starts, members, positions, .. } = self;
        positions.iter_mut().for_each(Vec::clear);
        for (position, series) in (0_u32..).zip(series) {
            let set = set_of[*series as usize] as usize;
            for &rule in &members[starts[set] as usize..starts[set + 1] as usize] {
                positions[rule as usize].push(position);
            }
        }
        positions.iter().any(|positions| !positions.is_empty())
    }

    /// Places of the rows that went to `rule`, ascending.
    pub(super) fn of(&self, rule: usize) -> &[u32] {
        &self.positions[rule]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_to_each_rule_that_wants_its_series_and_to_no_other() {
        let mut routes = Routes::new(3);
        let within = |bits: &[bool]| BooleanArray::from(bits.to_vec());
        routes.follow(2, &[(0, within(&[true, false])), (2, within(&[true, true]))]);
        routes.follow(1, &[(0, within(&[false])), (2, within(&[false]))]);
        assert!(routes.split(&[1, 0, 2, 0]));
        assert_eq!([routes.of(0), routes.of(1), routes.of(2)], [&[1, 3][..], &[], &[0, 1, 3]]);
        assert!(!routes.split(&[2]));
    }
}
