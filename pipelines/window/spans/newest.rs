//! Where most rows go: the last span of their group.

use super::super::groups::OUTSIDE;
use super::{Span, SpanKind, SpanOperator};

/// The last span of a group, if nothing was said of it yet. Rows in order touch nothing else of their span, but for its
/// states: the span itself hears of its newest row when another becomes the last, or when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    place: u32,
    start_ms: i64,
    last_ms: i64,
}

impl Newest {
    /// No row goes there.
    pub(super) const NONE: Newest = Newest { place: OUTSIDE, start_ms: i64::MAX, last_ms: i64::MIN };
}

impl SpanOperator {
    /// Sends rows to the last spans of their groups, up to the first that does not belong there, or is in no group: gives
    /// how many there were before it.
    pub(super) fn follow(
        &mut self,
        groups: &[u32],
        ts_ms: &[i64],
        run_start_ms: impl Fn(usize) -> i64,
        places: &mut [u32],
    ) -> usize {
        match self.kind {
            SpanKind::Session { gap_ms } => self.follow_where(groups, ts_ms, places, |newest, _, ts_ms| {
                newest.start_ms <= ts_ms && ts_ms.saturating_sub(gap_ms) < newest.last_ms
            }),
            SpanKind::Step => self
                .follow_where(groups, ts_ms, places, |newest, row, _| newest.start_ms == run_start_ms(row)),
        }
    }

    #[inline]
    fn follow_where(
        &mut self,
        groups: &[u32],
        ts_ms: &[i64],
        places: &mut [u32],
        is_in: impl Fn(&Newest, usize, i64) -> bool,
    ) -> usize {
        for (row, ((&group, &ts_ms), place)) in groups.iter().zip(ts_ms).zip(places).enumerate() {
            let Some(newest) = self.newest.get_mut(group as usize) else { return row };
            if !is_in(newest, row, ts_ms) {
                return row;
            }
            newest.last_ms = newest.last_ms.max(ts_ms);
            *place = newest.place;
        }
        groups.len()
    }

    /// The span at `place`, with its newest row.
    #[inline]
    pub(super) fn span(&self, place: u32) -> Span {
        let span = self.spans[place as usize];
        let newest = self.newest.get(span.group as usize).filter(|newest| newest.place == place);
        let last_ms = newest.map_or(span.last_ms, |newest| newest.last_ms.max(span.last_ms));
        Span { last_ms, ..span }
    }

    /// Lets all spans hear of their newest rows.
    pub(super) fn settle_newest(&mut self) {
        for group in 0..self.newest.len() {
            self.settle_newest_of(group);
        }
    }

    fn settle_newest_of(&mut self, group: usize) {
        let Newest { place, last_ms, .. } = self.newest[group];
        if let Some(span) = self.spans.get_mut(place as usize) {
            span.last_ms = span.last_ms.max(last_ms);
        }
    }

    /// To be called when the last span of a group is another one or begins earlier, or something was said of it.
    pub(super) fn renew(&mut self, group: u32) {
        if group as usize >= self.newest.len() {
            return;
        }
        self.settle_newest_of(group as usize);
        let is_silent = |place: &u32| {
            let mark = self.states.marks.get(*place as usize);
            mark.is_none_or(|mark| mark.revision == 0)
        };
        let last = self.of_group[group as usize].last().copied().filter(is_silent);
        self.newest[group as usize] = last.map_or(Newest::NONE, |place| {
            let Span { start_ms, last_ms, .. } = self.spans[place as usize];
            Newest { place, start_ms, last_ms }
        });
    }
}
