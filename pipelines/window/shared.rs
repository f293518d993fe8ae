//! Slides that several queries share: rows are folded once, and what a slide comes to goes to each of them.
//!
//! They fold the same rows into the same groups, and their windows, which need not be the same, consist of slides of one
//! length. Rows of a slide that has ended, which come late, are each query's own affair. Sums are exact, so it makes no
//! difference to any result.

use std::sync::Arc;

use ingest::series::SeriesTable;

use super::merging::Part;
use super::pane::Pane;
use super::panes::PaneOperator;
use super::{Frontier, Input, WindowError, WindowOperator};
use crate::plan::windowed::together::StatesAmong;
use crate::plan::{WindowKind, WindowPlan, Windows};

/// The slides of some queries that have not ended.
#[derive(Debug)]
pub(crate) struct SharedSlides {
    /// Has slides and no windows.
    operator: PaneOperator,
    members: Vec<Member>,
    /// How many series members have followed.
    series: usize,
}

/// A query.
#[derive(Debug)]
struct Member {
    among: StatesAmong,
    /// By group of the slides: its own.
    groups: Vec<u32>,
}

/// A slide that has ended.
#[derive(Debug)]
pub(crate) struct Slide {
    start_ms: i64,
    pane: Box<Pane>,
    /// Its groups that have rows, and how many.
    present: Vec<(usize, u64)>,
}

impl SharedSlides {
    /// Of `plans` that share slides.
    ///
    /// # Errors
    /// DataFusion cannot build one of the plan's expressions.
    pub(crate) fn new(plans: &[&WindowPlan]) -> Result<Self, WindowError> {
        let (plan, among) = WindowPlan::together(plans).map_err(WindowError::State)?;
        let WindowKind::Fixed(windows) = plan.kind else { unreachable!("others have no slides") };
        let slides = Windows { size_ms: windows.slide_ms, ..windows };
        let operator = PaneOperator::new(Arc::new(plan), slides, 0).map_err(WindowError::State)?;
        let members = among.into_iter().map(|among| Member { among, groups: Vec::new() }).collect();
        Ok(SharedSlides { operator, members, series: 0 })
    }

    /// Indices of the stream's columns that it wants, in its order.
    pub(crate) fn columns(&self) -> &[usize] {
        self.operator.plan.columns()
    }

    /// Folds rows, but for those of slides that end by `ended_ms`: their places, which each member is to push by itself.
    ///
    /// # Errors
    /// See [`WindowError`]; no row fails.
    pub(crate) fn push(
        &mut self,
        input: &Input<'_>,
        table: &SeriesTable,
        ended_ms: i64,
    ) -> Result<Vec<u32>, WindowError> {
        if input.ts_ms.is_empty() {
            return Ok(Vec::new());
        }
        self.operator.fold_slides(input, table, ended_ms)
    }

    /// Whether members are to follow.
    pub(crate) fn are_behind(&mut self) -> bool {
        let known = self.operator.of_series.of_series().len();
        std::mem::replace(&mut self.series, known) < known
    }

    /// Lets a member take in what is new in `table`.
    ///
    /// # Errors
    /// Its keys cannot be evaluated on the names.
    pub(crate) fn follow(
        &mut self,
        member: usize,
        operator: &mut WindowOperator,
        table: &SeriesTable,
    ) -> Result<(), WindowError> {
        let WindowOperator::Panes(own) = operator else { unreachable!("others have no slides") };
        let plan = Arc::clone(&own.plan);
        own.of_series.follow(&plan, table, &mut own.closers).map_err(WindowError::State)?;
        let groups = &mut self.members[member].groups;
        groups.resize(self.operator.of_series.groups.len(), 0);
        for (&shared, &own) in self.operator.of_series.of_series().iter().zip(own.of_series.of_series()) {
            if let Some(group) = groups.get_mut(shared as usize) {
                *group = own;
            }
        }
        Ok(())
    }

    /// Takes the slides out that end by `until_ms`.
    pub(crate) fn take(&mut self, until_ms: i64) -> Vec<Slide> {
        let plan = Arc::clone(&self.operator.plan);
        let present = |slide: &Pane| {
            let rows = (0..slide.len()).map(|group| (group, slide.rows_of(&plan.states, group)));
            rows.filter(|(_, rows)| *rows > 0).collect()
        };
        let taken = self.operator.take_slides(until_ms).into_iter();
        taken.map(|(start_ms, pane)| Slide { start_ms, present: present(&pane), pane }).collect()
    }

    /// Gives a member its part of slides.
    ///
    /// # Errors
    /// See [`WindowError::State`].
    pub(crate) fn give(
        &self,
        member: usize,
        slides: &[Slide],
        operator: &mut WindowOperator,
    ) -> Result<(), WindowError> {
        let WindowOperator::Panes(own) = operator else { unreachable!("others have no slides") };
        let Member { among, groups } = &self.members[member];
        for Slide { start_ms, pane, present } in slides {
            let part = Part { slide: pane, present, among, groups };
            own.take_part(*start_ms, &part).map_err(WindowError::State)?;
        }
        Ok(())
    }

    /// Keeps the memory of slides.
    pub(crate) fn keep(&mut self, slides: Vec<Slide>) {
        slides.into_iter().for_each(|slide| self.operator.keep_spare(*slide.pane));
    }
}

impl WindowOperator {
    /// The highest watermark that closed a window; `i64::MIN` for none, and where no slides are.
    pub(crate) fn ended_ms(&self) -> i64 {
        match self {
            WindowOperator::Panes(panes) => panes.closers.highest(),
            WindowOperator::Spans(_) => i64::MIN,
        }
    }

    /// What [`WindowOperator::ended_ms`] will be once it is closed to `frontier`.
    pub(crate) fn ends_ms(&self, frontier: &Frontier<'_>) -> i64 {
        match self {
            WindowOperator::Panes(panes) => panes.closers.ahead(frontier),
            WindowOperator::Spans(_) => i64::MIN,
        }
    }
}
