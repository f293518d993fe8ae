//! The stretch that each bay was in last: nearly all rows are in it again.

use std::sync::Arc;

use ingest::series::SeriesTable;

use super::{CalendarUnit, Calendars, Stretch};
use crate::window::NO_RUN;

/// Windows of a calendar for the rows of many bays. All of it can be found again.
#[derive(Clone, Debug)]
pub struct CalendarMemo {
    calendars: Arc<Calendars>,
    unit: CalendarUnit,
    /// By bay.
    last: Vec<Option<Stretch>>,
}

impl CalendarMemo {
    /// Of these calendars.
    #[must_use]
    pub fn new(calendars: &Arc<Calendars>, unit: CalendarUnit) -> Self {
        CalendarMemo { calendars: Arc::clone(calendars), unit, last: Vec::new() }
    }

    /// Start and end of the window of each row, [`NO_RUN`] where it is in none.
    pub fn windows_ms(&mut self, bay: &[u32], ts_ms: &[i64], table: &SeriesTable) -> Vec<(i64, i64)> {
        let rows = bay.iter().zip(ts_ms);
        rows.map(|(&bay, &ts_ms)| self.window_ms(bay, ts_ms, table)).collect()
    }

    /// Start and end of the window of a time on a bay, [`NO_RUN`] where it is in none.
    pub fn window_ms(&mut self, bay: u32, ts_ms: i64, table: &SeriesTable) -> (i64, i64) {
        let index = bay as usize;
        if index >= self.last.len() {
            self.last.resize(index + 1, None);
        }
        let holds = |stretch: &Stretch| stretch.start_ms <= ts_ms && ts_ms < stretch.end_ms;
        let stretch = self.last[index].filter(holds).or_else(|| {
            let site = &table.bays()[index].0;
            self.last[index] = self.calendars.of(site).stretch(self.unit, ts_ms);
            self.last[index]
        });
        match stretch {
            Some(Stretch { start_ms, end_ms, is_window: true }) => (start_ms, end_ms),
            _ => NO_RUN,
        }
    }
}
