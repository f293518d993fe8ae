//! What a bay will do next, and when.

use std::collections::VecDeque;

use super::catalogue::Part;

/// Something that people do at a bay.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// The office publishes the next job's card.
    TakeIn,
    /// The vehicle comes in.
    Arrive,
    /// A technician is found for the step.
    Assign,
    Start,
    /// The lift goes to a height in metres.
    Raise(f64),
    /// `joint` counts from 0; `again`: after a bad one.
    Tighten {
        joint: u32,
        again: bool,
    },
    /// A shot from the dispenser.
    Dispense {
        grade: &'static str,
        litres: f64,
    },
    /// A part is booked by hand.
    Book(&'static Part),
    Pause,
    Resume,
    Finish,
    /// The vehicle leaves.
    Depart,
}

/// Acts in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Agenda(VecDeque<(i64, Act)>);

impl Agenda {
    pub(super) fn next_us(&self) -> Option<i64> {
        self.0.front().map(|(at_us, _)| *at_us)
    }

    pub(super) fn pop(&mut self) -> Option<Act> {
        self.0.pop_front().map(|(_, act)| act)
    }

    /// Adds an act after all that are not later.
    pub(super) fn add(&mut self, at_us: i64, act: Act) {
        let place = self.0.partition_point(|(other_us, _)| *other_us <= at_us);
        self.0.insert(place, (at_us, act));
    }

    /// Adds an act, yet before the step is finished.
    pub(super) fn add_within_step(&mut self, at_us: i64, act: Act) {
        let finish = self.0.iter().position(|(_, act)| matches!(act, Act::Finish)).unwrap_or(self.0.len());
        let place = self.0.iter().take(finish).take_while(|(other_us, _)| *other_us <= at_us).count();
        let bound_us = self.0.get(finish).map_or(i64::MAX, |(finish_us, _)| *finish_us);
        self.0.insert(place, (at_us.min(bound_us), act));
    }
}
