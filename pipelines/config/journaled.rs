//! A configuration as one text, as the journal holds it: each file behind a line with its name and length.
//!
//! ```text
//! # ---- rules/tool_drift.toml (412 bytes)
//! rule = "tool_drift"
//! …
//! ```
//!
//! A person can read it, and it can be parted into its files again whatever stands in them. Secrets are references, and a
//! password in a URL is left out.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use ingest::config::Secret;

use super::files::Files;
use super::mistake::{Fault, Mistake, SourceFile};
use super::{Config, load};

const HEAD: &str = "# ---- ";

/// Adds a file.
pub(super) fn push(text: &mut String, name: &str, content: &str) {
    text.push_str(&format!("{HEAD}{name} ({} bytes)\n{content}\n", content.len()));
}

/// The files of a text, the first of which is the `andon.toml`.
#[derive(Debug)]
pub(super) struct Journaled {
    main: PathBuf,
    files: BTreeMap<PathBuf, String>,
}

impl Journaled {
    /// Parts a text; none if it is no such text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (mut files, mut main, mut rest) = (BTreeMap::new(), None, text);
        while !rest.is_empty() {
            let (head, behind) = rest.strip_prefix(HEAD)?.split_once('\n')?;
            let (name, bytes) = head.strip_suffix(" bytes)")?.rsplit_once(" (")?;
            let (content, behind) = behind.split_at_checked(bytes.parse().ok()?)?;
            let name = plain(Path::new(name));
            main.get_or_insert_with(|| name.clone());
            files.insert(name, content.to_owned());
            rest = behind.strip_prefix('\n')?;
        }
        Some(Journaled { main: main?, files })
    }

    /// What the `andon.toml` says.
    pub(super) fn main(&self) -> &str {
        &self.files[&self.main]
    }
}

/// Without `.` in it, so that a file is found under the name of its folder.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

impl Files for Journaled {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.files.get(&plain(path)) {
            Some(text) => Ok(text.clone()),
            None if super::NEIGHBOURS.map(Path::new).contains(&path) => Err(io::ErrorKind::NotFound.into()),
            // Certificates and the broker's own file: looked at when the text was checked.
            None => Ok(String::new()),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let folder = plain(folder);
        Ok(self.files.keys().filter(|path| path.parent() == Some(&*folder)).cloned().collect())
    }

    fn secret(&self, _of: &str, _reference: &str, _folder: &Path) -> Result<Option<Secret>, Fault> {
        Ok(None)
    }
}

/// See [`Config::from_text`].
pub(super) fn config(text: &str) -> Result<Config, Vec<Mistake>> {
    let Some(files) = Journaled::read(text) else {
        let file = SourceFile { path: "configuration".into(), text: text.to_owned() };
        let remedy = "read it with the version of Andon that wrote it";
        return Err(vec![
            file.mistake(&(0..0), Fault::new("this is no configuration of this version", remedy)),
        ]);
    };
    let main = files.main.clone();
    let config = load::load(&main, &files, None)?;
    // It is what it was, to the letter, and so it is known again.
    Ok(Config { text: text.to_owned(), ..config })
}

/// Whether two texts make the same rows of the same messages: they differ in rules alone.
#[must_use]
pub(crate) fn reads_alike(one: &str, other: &str) -> bool {
    let but_rules = |text: &str| {
        let files = Journaled::read(text)?;
        let folder = load::load(&files.main.clone(), &files, None).ok()?.rules_folder;
        let others = files.files.into_iter().filter(|(path, _)| path.parent() != Some(&*plain(&folder)));
        Some(others.collect::<Vec<_>>())
    };
    one == other || but_rules(one).is_some_and(|files| but_rules(other) == Some(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Config {
        let any = "127.0.0.1:0".parse().expect("an address");
        Config::embedded_demo(Path::new("/nowhere"), any, any)
    }

    #[test]
    fn a_text_is_the_configuration_that_it_was_made_of() {
        let config = demo();
        let again = Config::from_text(&config.text).expect("it was checked");
        assert_eq!(again.version, config.version);
        assert_eq!(again.text, config.text);
        let versions = |config: &Config| {
            config.rules.iter().map(|rule| (rule.name.clone(), rule.version.clone())).collect::<Vec<_>>()
        };
        assert_eq!(versions(&again), versions(&config));
        assert_eq!(again.metrics.len(), config.metrics.len());
        assert_eq!(again.assets.len(), config.assets.len());
    }

    #[test]
    fn what_stands_in_a_file_does_not_part_it() {
        let mut text = String::new();
        push(&mut text, "andon.toml", "# ---- rules/x.toml (3 bytes)\nno\n");
        push(&mut text, "./rules/é (1 bytes).toml", "");
        let files = Journaled::read(&text).expect("its own text");
        assert_eq!(files.main(), "# ---- rules/x.toml (3 bytes)\nno\n");
        let listed = files.list(Path::new("./rules")).expect("in memory");
        assert_eq!(listed, [Path::new("rules/é (1 bytes).toml")]);
        for cut in 1..text.len() {
            if let Some(short) = text.get(..cut) {
                assert!(Journaled::read(short).is_none_or(|files| files.files.len() < 2), "{short}");
            }
        }
    }

    #[test]
    fn texts_that_differ_in_rules_read_alike() {
        let text = demo().text;
        assert!(!reads_alike(&text, ""));
        let mut more = text.clone();
        push(&mut more, "rules/zz.toml", "rule = \"zz\"\nseverity = \"low\"\nsql = \"SELECT 1\"\n");
        assert!(reads_alike(&text, &more));
        let mut other = String::new();
        push(&mut other, "andon.toml", "[engine]\nlateness = \"7s\"\n");
        assert!(!reads_alike(&text, &other));
    }
}
