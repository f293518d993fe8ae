//! How staged files are shown, and what is left in staging afterwards.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::path::Path;

use ingest::time::Epoch;

use super::{Cut, SHOWN, STAGING, Staged, TAILS_MAX};
use crate::parquet::failure::{file_failed, refused};
use crate::parquet::place::EMPTY;
use crate::parquet::shape::Stream;
use crate::sink::{Receipt, SinkError};

impl Cut {
    /// Shows what the receipt lists. Each step can be repeated, and so can all of them.
    pub(in crate::parquet) fn commit(
        &mut self,
        epoch: Epoch,
        receipt: &Receipt,
        streams: &[Stream],
    ) -> Result<(), SinkError> {
        let staged: Staged = serde_json::from_str(&receipt.0).map_err(|error| {
            refused(
                format!("the receipt of epoch {}", epoch.0),
                &format!("it is not one of this sink's: {error}"),
            )
        })?;
        if epoch > self.shown.newest {
            self.show(epoch, &staged, streams)?;
        }
        self.prepared.retain(|prepared, _| *prepared > epoch);
        self.prepared_brought.retain(|prepared, _| *prepared > epoch.0);
        self.making = self.making.max(Epoch(epoch.0 + 1));
        for tail in self.tails.values_mut() {
            if let Some(file) = staged.files.iter().find(|file| file.staged == tail.file) {
                tail.file.clone_from(&file.target);
            }
        }
        // A tail is found again on the disk when it is needed, so the list does not grow with history.
        if self.tails.len() > TAILS_MAX {
            self.tails.retain(|_, tail| tail.file.starts_with(STAGING));
        }
        self.sweep()?;
        self.retain_days()
    }

    /// The receipt of an epoch will not be shown: its files are those of the next that is prepared, as far as that has not
    /// staged them anew. Otherwise each epoch that waits would keep a copy of every file that has grown since.
    pub(in crate::parquet) fn supersede(&mut self, epoch: Epoch) -> Result<(), SinkError> {
        let next = self.prepared.range(Epoch(epoch.0 + 1)..).next().map(|(next, _)| *next);
        let Some(next) = next else { return Ok(()) };
        let Some(files) = self.prepared.remove(&epoch) else { return Ok(()) };
        let of_next = self.prepared.get_mut(&next).expect("it was just found");
        let mut replaced = Vec::new();
        for (target, staged) in files {
            match of_next.entry(target) {
                Entry::Vacant(place) => drop(place.insert(staged)),
                Entry::Occupied(_) => replaced.push(staged),
            }
        }
        replaced.iter().try_for_each(|staged| self.remove(&self.folder.join(staged)))
    }

    fn show(&mut self, epoch: Epoch, staged: &Staged, streams: &[Stream]) -> Result<(), SinkError> {
        let mut folders = BTreeSet::new();
        for file in &staged.files {
            let (from, to) = (self.folder.join(&file.staged), self.folder.join(&file.target));
            let folder = to.parent().unwrap_or(&self.folder).to_owned();
            if self.is_there(&from)? {
                self.storage.create_folder(&folder).map_err(file_failed(&folder))?;
                self.storage.rename_unsynced(&from, &to).map_err(file_failed(&to))?;
            } else if !self.is_there(&to)? {
                return Err(refused(
                    format!("epoch {} into `{}`", epoch.0, self.folder.display()),
                    &format!(
                        "neither `{}` nor `{}` is there; put the folder back as it was",
                        file.staged, file.target
                    ),
                ));
            }
            folders.insert(folder);
        }
        // Last, so that readers find a file at any moment.
        for stream in streams {
            if staged.files.iter().any(|file| Path::new(&file.target).starts_with(&stream.name)) {
                let of_stream = self.folder.join(&stream.name);
                self.remove(&of_stream.join(EMPTY))?;
                folders.insert(of_stream);
            }
        }
        for folder in &folders {
            self.storage.sync_folder(folder).map_err(file_failed(folder))?;
        }
        let mut shown = self.shown.clone();
        shown.show(epoch, &staged.brought);
        if !staged.files.is_empty() {
            let staging = self.folder.join(STAGING);
            let (marker, fresh) = (staging.join(SHOWN), staging.join("shown.new"));
            self.storage.write(&fresh, shown.text().as_bytes()).map_err(file_failed(&fresh))?;
            self.storage.rename_unsynced(&fresh, &marker).map_err(file_failed(&marker))?;
            self.storage.sync_folder(&staging).map_err(file_failed(&staging))?;
        }
        self.shown = shown;
        Ok(())
    }

    /// Removes staged files that nothing will show: an epoch without a checkpoint comes again.
    pub(super) fn sweep(&mut self) -> Result<(), SinkError> {
        let staging = self.folder.join(STAGING);
        let names = self.names(&staging)?;
        let kept: BTreeSet<&str> = self
            .prepared
            .values()
            .chain([&self.current])
            .flat_map(|files| files.values())
            .filter_map(|staged| staged.strip_prefix(STAGING)?.strip_prefix('/'))
            .collect();
        for name in names {
            if name != SHOWN && !kept.contains(name.as_str()) {
                self.remove(&staging.join(name))?;
            }
        }
        self.is_swept = true;
        Ok(())
    }
}
