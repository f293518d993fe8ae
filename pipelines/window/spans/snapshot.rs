//! Spans as bytes, and back: keys, a row for each span, and the windows that are to be withdrawn.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{Field, Int64Type, UInt32Type};
use datafusion::common::{Result, exec_datafusion_err};
use ingest::series::SeriesTable;

use super::super::closed::OPEN;
use super::super::columns::{Columns, to_ipc};
use super::super::section::{decode_states, key_columns, states_section};
use super::super::snapshot::{Header, RestoreError, closers_of, put_section, take_batch, take_section};
use super::{Span, SpanKind, SpanOperator, Withdrawn};

impl SpanOperator {
    /// See [`super::super::WindowOperator::snapshot`].
    pub(in crate::window) fn encode(&mut self, table: &SeriesTable) -> Result<Vec<u8>> {
        let plan = Arc::clone(&self.plan);
        self.states.grow(self.spans.len());
        self.settle_newest();
        let groups = self.of_rows.as_mut().unwrap_or(&mut self.of_series.groups);
        groups.settle()?;
        let mut places: Vec<u32> = self.of_group.iter().flatten().copied().collect();
        let key = |place: &u32| {
            let span = &self.spans[*place as usize];
            (groups.rank(span.group), span.start_ms)
        };
        places.sort_unstable_by_key(key);
        let mut withdrawn = self.withdrawn.clone();
        withdrawn.sort_unstable_by_key(|one| (groups.rank(one.group), one.start_ms, one.revision));

        // Groups by number of their row: only those that are spoken of.
        let mut kept: Vec<u32> = places.iter().map(|&place| self.spans[place as usize].group).collect();
        kept.extend(withdrawn.iter().map(|one| one.group));
        kept.sort_unstable_by_key(|&group| groups.rank(group));
        kept.dedup();
        let row_of = |group: u32| {
            let row = kept.binary_search_by_key(&groups.rank(group), |&kept| groups.rank(kept));
            u32::try_from(row.expect("it was put there")).expect("groups are numbered in u32")
        };
        let spans = || places.iter().map(|&place| &self.spans[place as usize]);
        let of_spans = [
            number("group", spans().map(|span| row_of(span.group))),
            time("start", spans().map(|span| span.start_ms)),
            time("last", spans().map(|span| span.last_ms)),
            time("ended", spans().map(|span| span.ended_ms)),
        ];
        let of_withdrawn = [
            number("group", withdrawn.iter().map(|one| row_of(one.group))),
            time("start", withdrawn.iter().map(|one| one.start_ms)),
            time("end", withdrawn.iter().map(|one| one.end_ms)),
            number("revision", withdrawn.iter().map(|one| one.revision)),
        ];
        let bay_names: Vec<Option<&(Box<str>, Box<str>)>> = spans()
            .map(|span| table.bays().get(span.bay as usize).filter(|_| self.kind == SpanKind::Step))
            .collect();
        let names = serde_json::to_vec(&bay_names).map_err(|error| exec_datafusion_err!("{error}"))?;
        let header = Header::new(&plan, &self.closers, table, Vec::new()).encode()?;
        let mut bytes = Vec::new();
        put_section(&mut bytes, &header);
        let rows = kept.len();
        let (fields, columns) = key_columns(groups, Some(&UInt32Array::from(kept.clone())))?;
        put_section(&mut bytes, &to_ipc(fields, columns, rows)?);
        put_section(&mut bytes, &names);
        let places = UInt32Array::from(places);
        let of_spans = of_spans.into_iter().unzip();
        let section = states_section(&plan, &mut self.states, &places, of_spans)?;
        put_section(&mut bytes, &section);
        let (fields, columns) = of_withdrawn.into_iter().unzip();
        put_section(&mut bytes, &to_ipc(fields, columns, withdrawn.len())?);
        Ok(bytes)
    }

    /// See [`super::super::WindowOperator::absorb`].
    pub(in crate::window) fn decode(
        &mut self,
        bytes: &[u8],
        table: &SeriesTable,
    ) -> Result<(), RestoreError> {
        let mut rest = bytes;
        let plan = Arc::clone(&self.plan);
        Header::take(&mut rest, &plan, &mut self.closers, table)?;
        let keys = take_batch(&mut rest)?;
        let closers = closers_of(&plan, &mut self.closers, keys.columns(), keys.num_rows(), table)?;
        let groups = self.of_rows.as_mut().unwrap_or(&mut self.of_series.groups);
        let groups = groups.intern(keys.columns(), keys.num_rows(), |row| closers[row]);
        let groups = groups.map_err(RestoreError::Damaged)?;
        let names = take_section(&mut rest)?;
        let bays: Vec<Option<(String, String)>> = serde_json::from_slice(names)
            .map_err(|error| RestoreError::Damaged(exec_datafusion_err!("its bays: {error}")))?;
        let (spans, withdrawn) = (take_batch(&mut rest)?, take_batch(&mut rest)?);
        self.fill(&spans, &groups, &closers, &bays, table).map_err(RestoreError::Damaged)?;
        self.withdrawn.append(&mut taken_back(&withdrawn, &groups).map_err(RestoreError::Damaged)?);
        Ok(())
    }

    fn fill(
        &mut self,
        batch: &RecordBatch,
        groups: &[u32],
        closers: &[u32],
        bays: &[Option<(String, String)>],
        table: &SeriesTable,
    ) -> Result<()> {
        let mut columns = Columns { batch, next: 0 };
        let rows = columns.next()?;
        let times = [columns.next()?, columns.next()?, columns.next()?];
        let [start, last, ended] = times.each_ref().map(|column| column.as_primitive::<Int64Type>());
        let mut places = Vec::with_capacity(batch.num_rows());
        for (row, &key) in rows.as_primitive::<UInt32Type>().values().iter().enumerate() {
            let bay = bays.get(row).and_then(Option::as_ref);
            let bay = bay.and_then(|(site, bay)| table.find_bay(site, bay)).unwrap_or(u32::MAX);
            places.push(self.take_in(Span {
                group: groups[key as usize],
                closer: closers[key as usize],
                bay,
                start_ms: start.value(row),
                last_ms: last.value(row),
                ended_ms: ended.value(row),
                // The next close looks at each, and says what is to be said.
                due_ms: i64::MIN,
            })?);
        }
        self.states.grow(self.spans.len());
        decode_states(&Arc::clone(&self.plan), &mut columns, &places, &mut self.states)?;
        groups.iter().for_each(|&group| self.renew(group));
        Ok(())
    }

    /// The place of a span that comes with its states: that of the one that it is part of, if there is one.
    fn take_in(&mut self, span: Span) -> Result<u32> {
        let of_group = self.of_group.get(span.group as usize).map_or(&[][..], Vec::as_slice);
        let is_part = |place: &u32| {
            let known = self.span(*place);
            match self.kind {
                SpanKind::Step => known.start_ms == span.start_ms,
                SpanKind::Session { gap_ms } => {
                    known.start_ms < span.last_ms.saturating_add(gap_ms)
                        && span.start_ms < known.last_ms.saturating_add(gap_ms)
                }
            }
        };
        let parts: Vec<u32> = of_group.iter().copied().filter(is_part).collect();
        let Some((&place, others)) = parts.split_first() else { return Ok(self.open(span)) };
        for &other in others {
            self.join(place, other).map_err(|error| exec_datafusion_err!("{error}"))?;
        }
        let known = &mut self.spans[place as usize];
        let Span { bay, start_ms: run_ms, .. } = *known;
        known.start_ms = known.start_ms.min(span.start_ms);
        known.last_ms = known.last_ms.max(span.last_ms);
        if self.kind == SpanKind::Step && span.ended_ms < OPEN {
            self.end_run(bay, run_ms, span.ended_ms);
        }
        self.changed.insert(place);
        Ok(place)
    }
}

fn taken_back(batch: &RecordBatch, groups: &[u32]) -> Result<Vec<Withdrawn>> {
    let mut columns = Columns { batch, next: 0 };
    let columns = [columns.next()?, columns.next()?, columns.next()?, columns.next()?];
    let [group, start, end, revision] = columns.each_ref();
    let number = |column: &ArrayRef, row| column.as_primitive::<UInt32Type>().value(row);
    let time = |column: &ArrayRef, row| column.as_primitive::<Int64Type>().value(row);
    let one = |row| Withdrawn {
        group: groups[number(group, row) as usize],
        start_ms: time(start, row),
        end_ms: time(end, row),
        revision: number(revision, row),
    };
    Ok((0..batch.num_rows()).map(one).collect())
}

fn number(name: &str, values: impl Iterator<Item = u32>) -> (Field, ArrayRef) {
    let column = UInt32Array::from_iter_values(values);
    (Field::new(name, arrow::datatypes::DataType::UInt32, false), Arc::new(column))
}

fn time(name: &str, values: impl Iterator<Item = i64>) -> (Field, ArrayRef) {
    let column = Int64Array::from_iter_values(values);
    (Field::new(name, arrow::datatypes::DataType::Int64, false), Arc::new(column))
}
