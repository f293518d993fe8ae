//! What a rule with `silent_after` or `held_after` makes of rows as they arrive.

use ingest::readings::Readings;

use super::super::exceptions::{Exceptions, Says};
use super::super::rule_row::RuleRow;
use super::arrival::OnArrival;
use super::heard::{Heard, LastRow};
use super::listening::Listening;
use super::silence_rule::{KEYS_PER_SITE_MAX, NO_KEY, SilenceRule, Watched};
use super::usual::Usual;

impl SilenceRule {
    /// A row has arrived that is expected, if its series is, of a rule that must look at rows. `number` is that of this
    /// rule. Gives 1 if it is of a key beyond the bound.
    pub(super) fn hear(
        &mut self,
        number: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        let key = self.key_of[readings.series[row] as usize];
        if key == NO_KEY {
            return 0;
        }
        match &mut self.keys[key as usize].heard {
            // It goes on to hold.
            Some(_) if self.patience.is_held => 0,
            Some(heard) if !heard.is_open => {
                *heard = Heard::of(readings, row);
                if self.usual.get_mut(key as usize).is_some_and(|usual| usual.hear(readings.arrived_ms[row]))
                {
                    self.next_ms = i64::MIN;
                }
                0
            }
            _ => self.hear_anew(number, key as usize, readings, row, said),
        }
    }

    /// A row of a series that is looked at has arrived and does not match: nothing is held any more.
    pub(super) fn hear_other(
        &mut self,
        number: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) {
        let key = self.key_of[readings.series[row] as usize];
        if !self.patience.is_held || key == NO_KEY {
            return;
        }
        let Watched { key, site, heard, .. } = &mut self.keys[key as usize];
        let Some(before) = heard.take() else { return };
        if before.is_open {
            let arrived_ms = readings.arrived_ms[row];
            said.push((
                readings.message[row],
                OnArrival::Heard { rule: number, key: key.clone(), arrived_ms },
            ));
        }
        if let Some(known) = self.known_of_site.get_mut(site) {
            *known -= 1;
        }
    }

    /// The same of a rule that expects whole series, whose last row is noted: says something if its key was awaited.
    pub(super) fn hear_awaited(
        &mut self,
        number: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
        listening: &mut Listening,
    ) -> u64 {
        let key = self.key_of[readings.series[row] as usize] as usize;
        if key == NO_KEY as usize || !self.keys[key].is_awaited() {
            return 0;
        }
        let unwatched = self.hear_anew(number, key, readings, row, said);
        if unwatched == 0 {
            listening.await_(&self.keys[key].series, false);
        }
        unwatched
    }

    #[cold]
    fn hear_anew(
        &mut self,
        number: usize,
        place: usize,
        readings: &Readings,
        row: usize,
        said: &mut Vec<(u64, OnArrival)>,
    ) -> u64 {
        let Watched { key, site, heard, .. } = &mut self.keys[place];
        let now = Heard::of(readings, row);
        let LastRow { message, arrived_ms, .. } = now.last;
        if heard.is_some() {
            said.push((message, OnArrival::Heard { rule: number, key: key.clone(), arrived_ms }));
        } else {
            let known = self.known_of_site.entry(site.clone()).or_default();
            if *known >= KEYS_PER_SITE_MAX {
                return 1;
            }
            *known += 1;
        }
        if let Some(usual) = self.usual.get_mut(place) {
            match heard {
                None => *usual = Usual::first(arrived_ms),
                // Where whole series are expected it is counted when the block is full.
                Some(_) if !self.plan.rows().matches_by_series() => {
                    usual.hear(arrived_ms);
                }
                Some(_) => {}
            }
        }
        self.next_ms = self.next_ms.min(arrived_ms.saturating_add(self.patience.silent_after_ms));
        *heard = Some(now);
        0
    }

    /// Lets it have its effect that a key was heard.
    pub(super) fn apply(&self, key: &str, arrived_ms: i64, exceptions: &mut Exceptions) {
        let row = RuleRow { ts_ms: arrived_ms, ..RuleRow::default() };
        exceptions.judge(&self.life, key, Says::Right, &row);
    }
}
