//! The engine's state in lines, by names: what two engines compare, and where they differ.

use std::collections::BTreeMap;

use super::super::rules::WindowState;
use super::super::usage::Amount;
use super::super::{Engine, EngineError};

impl Engine {
    /// BLAKE3 over [`Engine::state_lines`].
    ///
    /// # Errors
    /// As [`Engine::snapshot`].
    pub fn state_hash(&mut self) -> Result<String, EngineError> {
        Ok(hash_of(&self.state_lines()?))
    }

    /// [`Engine::snapshot`] and [`Engine::state_hash`], with the state of windows, which is most of both, taken once.
    ///
    /// # Errors
    /// As [`Engine::snapshot`].
    pub fn snapshot_and_hash(&mut self) -> Result<(Vec<u8>, String), EngineError> {
        let (bytes, windows) = self.taken()?;
        Ok((bytes, hash_of(&self.lines(&windows)?)))
    }

    /// The state by names and in name order, in lines: counts, bays, open steps, books, lots, registers, balances,
    /// conditions and open exceptions, who was heard when, prints of repeats, numbers that are missing, sums of channels, rows and bookings that wait, job cards, assets, window state.
    ///
    /// # Errors
    /// As [`Engine::snapshot`].
    pub fn state_lines(&mut self) -> Result<Vec<String>, EngineError> {
        self.seal()?;
        let windows = self.rules.snapshot(self.decoder.series())?;
        self.lines(&windows)
    }

    fn lines(&mut self, windows: &[WindowState]) -> Result<Vec<String>, EngineError> {
        let table = self.decoder.series();
        let bay_name = |bay: usize| format!("{}/{}", table.bays()[bay].0, table.bays()[bay].1);
        let mut lines = vec![format!("counts {}", serde_json::to_string(&self.counts).unwrap_or_default())];
        for (bay, time) in self.bays.all().iter().enumerate() {
            lines.push(format!(
                "bay {} {} {} {}",
                bay_name(bay),
                time.newest_ts_ms,
                time.released,
                time.closed
            ));
        }
        for (&bay, tools) in self.bounds.heard() {
            lines.push(format!("heard {} {tools:?}", bay_name(bay as usize)));
        }
        for (bay, run) in self.steps.open_runs() {
            let place = (run.id.message, run.id.index);
            lines.push(format!(
                "step {} {}/{} {} {place:?} {:?} {} {:?}",
                bay_name(bay as usize),
                run.job,
                run.step,
                run.started_ms,
                run.pauses,
                run.is_joined,
                run.uncounted
            ));
            if run.overruns_told > 0 {
                lines.push(format!("overran {bay} {:?} {}", run.id, run.overruns_told));
            }
        }
        lines.extend(self.steps.promises.state_lines());
        lines.extend(self.steps.doubles.state_lines());
        for (key, book) in self.usage.books() {
            let said = |amount: &Amount| (amount.quantity.to_bits(), amount.readings, amount.revision);
            let amounts: BTreeMap<&str, (u64, u64, u32)> =
                book.amounts.iter().map(|(resource, amount)| (&**resource, said(amount))).collect();
            lines.push(format!(
                "book {key:?} {:?} {} {} {amounts:?} {:?} {:?} {:?}",
                book.ended_ms, book.is_open, book.is_final, book.checks, book.operation, book.technician
            ));
        }
        for (&series, (ts_ms, value)) in self.usage.registers() {
            lines.push(format!("register {:?} {ts_ms} {}", table.get(series), value.to_bits()));
        }
        let series_name = |series: u32| format!("{:?}", table.get(series));
        for (key, book) in self.usage.books() {
            for (resource, amount) in &book.amounts {
                let accepted = amount.accepted.map(f64::to_bits);
                lines
                    .push(format!("lots {key:?} {resource} {accepted:?} {}", amount.lots.state(series_name)));
            }
        }
        lines.extend(self.unassigned.state_lines(series_name, bay_name));
        lines.extend(self.balances.state_lines(series_name, bay_name));
        for open in self.exceptions.open() {
            lines.push(format!("open {} {} {:?}", open.rule, open.id, open.state));
        }
        lines.extend(self.exceptions.state_lines());
        lines.extend(self.exceptions.operator_lines());
        lines.extend(self.commands.state_lines());
        lines.extend(self.functions.state_lines());
        lines.extend(self.rules.silences.state_lines(table));
        let channels: Vec<&str> = self.decoder.channels().collect();
        for (channel, prints) in self.repeats.prints() {
            let mut hasher = blake3::Hasher::new();
            prints.for_each(|print| {
                hasher.update(&print.to_le_bytes());
            });
            lines.push(format!(
                "prints {} {}",
                channels.get(channel).copied().unwrap_or_default(),
                hasher.finalize()
            ));
        }
        lines.extend(self.channel_lines());
        let mut waiting = blake3::Hasher::new();
        for (message, index) in self.hold.waiting() {
            waiting.update(&message.to_le_bytes()).update(&index.to_le_bytes());
        }
        lines.push(format!("waiting {}", waiting.finalize()));
        let json = |what: &str, value: serde_json::Result<String>| {
            value
                .map(|text| format!("{what} {text}"))
                .map_err(|error| EngineError::State { reason: error.to_string() })
        };
        for booking in &self.bookings {
            lines.push(json("booking", serde_json::to_string(booking))?);
        }
        for (site, card) in self.steps.cards() {
            lines.push(json(&format!("card {site}"), serde_json::to_string(card))?);
        }
        for (job, progress) in self.steps.progress() {
            lines.push(json(&format!("progress {job:?}"), serde_json::to_string(progress))?);
        }
        for (site, asset) in self.assets.to_parts() {
            lines.push(json(&format!("asset {site}"), serde_json::to_string(&asset))?);
        }
        lines.push(self.told.state_line());
        lines.extend(self.filling.iter().map(|filling| format!("filling {filling:?}")));
        lines.extend(self.rules.state_lines(windows, table)?);
        lines.sort_unstable();
        Ok(lines)
    }
}

fn hash_of(lines: &[String]) -> String {
    blake3::hash(lines.join("\n").as_bytes()).to_string()
}
