//! When which span is to be looked at.

use std::collections::BTreeMap;

/// Spans by whose watermark closes them, and the second in which they are due. An entry says where to look, not that there
/// is anything: a span that has been put in again, or is none any more, leaves its old entries behind.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// By closer.
    seconds: Vec<BTreeMap<i64, Vec<u32>>>,
}

impl Calendar {
    /// The span at `place` is due when the watermark of `closer` has come to `due_ms`.
    pub(super) fn put(&mut self, closer: u32, due_ms: i64, place: u32) {
        let closer = closer as usize;
        if closer >= self.seconds.len() {
            self.seconds.resize(closer + 1, BTreeMap::new());
        }
        self.seconds[closer].entry(due_ms.div_euclid(1000)).or_default().push(place);
    }

    /// Takes the places whose second has begun by `seen_ms`. Those that turn out not to be due yet are to be put back.
    pub(super) fn take(&mut self, closer: u32, seen_ms: i64) -> Vec<u32> {
        let Some(seconds) = self.seconds.get_mut(closer as usize) else { return Vec::new() };
        let mut places = Vec::new();
        while let Some(first) = seconds.first_entry()
            && *first.key() <= seen_ms.div_euclid(1000)
        {
            places.append(&mut first.remove());
        }
        places
    }
}
