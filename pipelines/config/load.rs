//! All files of a configuration to one [`Config`], or to all their mistakes.

use std::path::Path;
use std::sync::Arc;

use ingest::units::Units;

use super::files::Files;
use super::mistake::{Fault, Mistake, SourceFile};
use super::rules::{PlanRule, Rule};
use super::{Config, calendar, document, functions, journaled, named, rules, service, store, version};

/// The file, its neighbours `metrics.toml`, `assets.toml`, `calendar.toml` and `functions.toml` where they are, and the
/// rules' folder. With `plan`, each rule's SQL is planned.
pub(super) fn load(
    path: &Path,
    files: &dyn Files,
    plan: Option<PlanRule<'_>>,
) -> Result<Config, Vec<Mistake>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut loading =
        Loading { files, folder, text: String::new(), canonical: String::new(), mistakes: Vec::new() };
    let file = loading.open(path)?;
    let main = loading.parsed(&file, |table| service::read(&file, table, folder, files));
    // With a mistake in the aliases only the shipped ones are known; it is reported already.
    let aliases = main.as_ref().map_or(&[][..], |service| &service.unit_aliases);
    let units =
        Units::new(aliases).or_else(|_| Units::new(&[])).expect("the shipped aliases stand for UCUM codes");
    let metrics = loading.neighbour("metrics.toml", |file, table| named::metrics(file, table, &units));
    let assets = loading.neighbour("assets.toml", named::assets);
    let calendars = loading.neighbour("calendar.toml", |file, table| {
        let (calendars, mistakes) = calendar::read(file, table);
        (vec![calendars], mistakes)
    });
    let functions = loading.neighbour("functions.toml", functions::read);
    let Some(mut service) = main else {
        // Where the rules are is not known.
        return Err(loading.mistakes);
    };
    let rules = loading.rules(&file, &mut service);
    loading.mistakes.extend(rules::check_names(&rules));
    if let Some(plan) = plan {
        loading.mistakes.extend(rules::check_sql(&rules, plan, &mut service.warnings));
        loading.mistakes.extend(rules::check_causes(&rules, plan));
    }
    let Loading { text, canonical, mut mistakes, .. } = loading;
    if !mistakes.is_empty() {
        // By file in the order of reading, then by place.
        let mut order: Vec<_> = Vec::new();
        for mistake in &mistakes {
            if !order.contains(&mistake.file) {
                order.push(mistake.file.clone());
            }
        }
        let rank = |mistake: &Mistake| order.iter().position(|file| *file == mistake.file);
        mistakes.sort_by_key(|mistake| (rank(mistake), mistake.line, mistake.column));
        return Err(mistakes);
    }
    Ok(Config {
        folder: folder.to_owned(),
        source: service.source,
        topics: service.topics,
        journal: service.journal,
        engine: service.engine,
        checkpoint: service.checkpoint,
        export: service.export,
        retention: service.retention,
        store: service.store,
        publish: service.publish,
        couriers: service.couriers,
        http: service.http,
        mirror: service.mirror,
        metrics,
        unit_aliases: service.unit_aliases,
        assets,
        rules_folder: service.rules_folder,
        calendars: Arc::new(calendars.into_iter().next().unwrap_or_default()),
        functions: Arc::new(functions.into_iter().next().unwrap_or_default()),
        rules: rules.into_iter().map(|rule| rule.settings).collect(),
        text,
        version: version::of_text(&canonical),
        warnings: service.warnings,
    })
}

struct Loading<'a> {
    files: &'a dyn Files,
    folder: &'a Path,
    text: String,
    canonical: String,
    mistakes: Vec<Mistake>,
}

impl Loading<'_> {
    /// Reads a file that must be there.
    fn open(&self, path: &Path) -> Result<SourceFile, Vec<Mistake>> {
        let text = self.files.read(path).map_err(|error| {
            let file = SourceFile { path: path.to_owned(), text: String::new() };
            let remedy = "name a file such as config/andon.toml, readable and in UTF-8";
            vec![file.mistake(&(0..0), Fault::new(format!("the file cannot be read: {error}"), remedy))]
        })?;
        Ok(SourceFile { path: path.to_owned(), text })
    }

    /// Parses a file and reads it with `read`; `None` where it is no TOML.
    fn parsed<T>(
        &mut self,
        file: &SourceFile,
        read: impl FnOnce(&toml::de::DeTable<'_>) -> (T, Vec<Mistake>),
    ) -> Option<T> {
        let table = match document::parse(file) {
            Ok(table) => table,
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                return None;
            }
        };
        // Named from the configuration's folder, so that a move changes nothing.
        let name = file.path.strip_prefix(self.folder).unwrap_or(&file.path).display();
        let text = store::without_password(&file.text, &table);
        journaled::push(&mut self.text, &name.to_string(), &text);
        self.canonical.push_str(&format!("{name}\n"));
        // What is journaled has the version of what it was made of.
        let shown = SourceFile { path: file.path.clone(), text };
        version::write_table(&mut self.canonical, document::parse(&shown).as_ref().unwrap_or(&table));
        self.canonical.push('\n');
        let (read, mistakes) = read(&table);
        self.mistakes.extend(mistakes);
        Some(read)
    }

    /// Reads a file that may be absent.
    fn neighbour<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&SourceFile, &toml::de::DeTable<'_>) -> (Vec<T>, Vec<Mistake>),
    ) -> Vec<T> {
        let path = self.folder.join(name);
        match self.files.read(&path) {
            Ok(text) => {
                let file = SourceFile { path, text };
                self.parsed(&file, |table| read(&file, table)).unwrap_or_default()
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let file = SourceFile { path, text: String::new() };
                let fault =
                    Fault::new(format!("the file cannot be read: {error}"), "make it readable, or remove it");
                self.mistakes.push(file.mistake(&(0..0), fault));
                Vec::new()
            }
        }
    }

    fn rules(&mut self, main: &SourceFile, service: &mut service::Service) -> Vec<Rule> {
        let folder = &service.rules_folder;
        let paths = match self.files.list(folder) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("the rules' folder `{}` cannot be read: {error}", folder.display());
                let fault = Fault::new(message, "create it, or name another by `folder` in `[rules]`");
                match &service.rules_folder_span {
                    Some(span) => self.mistakes.push(main.mistake(span, fault)),
                    None => service.warnings.push(main.mistake(&(0..0), fault)),
                }
                return Vec::new();
            }
        };
        let mut rules = Vec::new();
        for path in paths {
            match self.open(&path) {
                Ok(file) => rules.extend(self.parsed(&file, |table| rules::read(&file, table)).flatten()),
                Err(mistakes) => self.mistakes.extend(mistakes),
            }
        }
        rules
    }
}
