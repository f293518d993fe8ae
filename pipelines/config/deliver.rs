//! `[deliver]`: where items of queues are sent.

mod mail;
mod webhooks;

use std::ops::Range;
use std::path::Path;

use sinks::courier::{CourierSettings, InDoubt};

pub(super) use self::mail::MAIL;
pub(super) use self::webhooks::WEBHOOKS;
use super::document::Reader;
use super::files::Files;
use super::mistake::Fault;
use super::values::Values;

/// Each asks the service for what it needs, beside people: so many leave room for these.
const COURIERS_MAX: usize = 16;

/// All couriers: webhooks and mails, each by name.
pub(super) fn read(
    values: &Values,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) -> Vec<CourierSettings> {
    let mut couriers = Vec::new();
    let kinds = [("deliver.webhooks", webhooks::one as One), ("deliver.mail", mail::one as One)];
    for (section, one) in kinds {
        for (name, values) in values.tables(section) {
            let path = format!("{section}.{name}");
            let mut table = Table { path: &path, name, values, folder, files, reader: &mut *reader };
            table.check_name();
            let Some(courier) = one(&mut table) else { continue };
            if couriers.iter().any(|known: &CourierSettings| known.name == courier.name) {
                let message = format!("`{path}` has the name of a webhook");
                let remedy = "give each webhook and each mail a name of its own: it stands for how far it is";
                table.fault("server", Fault::new(message, remedy));
            }
            couriers.push(courier);
            if couriers.len() == COURIERS_MAX + 1 {
                let message = format!("there are more than {COURIERS_MAX} webhooks and mails");
                let remedy = "let one server hand on what others want, or read the queues over HTTP";
                table.fault("timeout", Fault::new(message, remedy));
            }
        }
    }
    couriers
}

type One = fn(&mut Table<'_, '_, '_>) -> Option<CourierSettings>;

/// The table of one courier.
struct Table<'a, 'r, 'f> {
    path: &'a str,
    name: &'a str,
    values: &'a Values,
    folder: &'a Path,
    files: &'a dyn Files,
    reader: &'r mut Reader<'f>,
}

impl Table<'_, '_, '_> {
    /// Where a key is, or something else of the table.
    fn span(&self, key: &str) -> Range<usize> {
        let known = [key, "url", "server"].into_iter().find_map(|key| self.values.span(key));
        known.unwrap_or_default()
    }

    fn fault(&mut self, key: &str, fault: Fault) {
        let span = self.span(key);
        self.reader.fault(&span, fault);
    }

    fn check_name(&mut self) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_plain) {
            let message = format!("`{}`: `{}` is no fit name", self.path, self.name);
            self.fault("", Fault::new(message, "use letters, digits, `_` and `-`, at most 64"));
        }
    }

    /// What is behind a reference, where secrets are read at all.
    fn secret(&mut self, key: &str) -> Option<ingest::config::Secret> {
        let reference = self.values.text(key)?;
        let found = self.files.secret(&format!("{}.{key}", self.path), reference, self.folder);
        found.map_err(|fault| self.fault(key, fault)).ok().flatten()
    }

    /// As written, or as is best for items of that queue.
    fn in_doubt(&self, queue: &str) -> InDoubt {
        match self.values.text("in_doubt") {
            Some("hold") => InDoubt::Hold,
            None if queue == "billing" => InDoubt::Hold,
            _ => InDoubt::Resend,
        }
    }
}
