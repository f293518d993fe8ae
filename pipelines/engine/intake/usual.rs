//! Messages as most are: each of one reading, which is new and of a time that can be. Nothing of them is dropped or moved,
//! so one pass is enough; `applied` takes in the others, and comes to the same.

use super::applied::Taken;
use crate::engine::Engine;
use crate::engine::block::Lateness;
use crate::engine::channels::{Became, HowLate};

impl Engine {
    /// Applies messages that were found to be such.
    pub(super) fn apply_usual(&mut self, taken: &mut Vec<Taken<'_>>) {
        let bounds = self.bounds.uniform().expect("else they are not usual");
        let Engine { decoder, decoded, open, bays, channels, repeats, clock, counts, .. } = self;
        let (readings, rows) = (&decoded.readings, taken.len() as u64);
        let bay_of = decoder.series().bay_of();
        let before = open.bay.len();
        open.bay.extend(readings.series.iter().map(|&series| bay_of[series as usize]));
        open.lateness.reserve(taken.len());
        let of_rows = &open.bay[before..];
        bays.meet(of_rows.iter().copied().max().unwrap_or(0));
        let mut how_late = HowLate::default();
        for ((&bay, element), &Taken { arrived_ms, channel, .. }) in
            of_rows.iter().zip(&decoded.elements).zip(taken.iter())
        {
            let (ts_ms, own) = (element.ts_ms, element.has_time);
            if own {
                clock.note(channel, ts_ms, arrived_ms);
            }
            let watermark_ms = bays.hear(bay, if own { ts_ms } else { i64::MIN }, arrived_ms);
            let lateness = Lateness::of(ts_ms, watermark_ms, || bounds.horizon_ms);
            open.lateness.push(lateness as u8);
            how_late.count(lateness);
            if lateness == Lateness::OnTime {
                channels.usual(repeats, channel, 1);
                continue;
            }
            let became = Became { readings: 1, applied: 1, ..Became::default() };
            let mut its_own = HowLate::default();
            its_own.count(lateness);
            channels.readings(repeats, channel, became, its_own);
        }
        how_late.add_to(counts);
        Became { readings: rows, applied: rows, ..Became::default() }.add_to(counts);
        decoded.elements.clear();
        taken.clear();
    }
}
