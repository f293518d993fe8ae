//! Whether two regions are configured alike in all that can change a result.

use std::collections::BTreeMap;

use toml::Table;

use super::MirrorError;
use crate::config::Config;

/// Sections of `andon.toml` that may differ from region to region: where things are, and nothing that is said.
const OWN: [&str; 6] = ["source", "journal", "checkpoint", "store", "http", "mirror"];
/// The one setting of such a section that changes results.
const SHARED: [(&str, &str); 1] = [("source", "message_bytes_max")];

/// Holds the text of a journaled configuration against the one here.
///
/// # Errors
/// The first difference, by file and key.
pub fn check(config: &Config, theirs: &str) -> Result<(), MirrorError> {
    difference(&config.text, theirs)
        .map_or(Ok(()), |difference| Err(MirrorError::Configuration { difference }))
}

fn difference(ours: &str, theirs: &str) -> Option<String> {
    let (ours, theirs) = (files(ours), files(theirs));
    for (name, table) in &theirs {
        match ours.get(name) {
            None => return Some(format!("`{name}` is there and not here")),
            Some(own) => {
                if let Some(key) = differing(own, table, "") {
                    return Some(format!("`{key}` in `{name}` is another"));
                }
            }
        }
    }
    let only_here = ours.keys().find(|name| !theirs.contains_key(*name));
    only_here.map(|name| format!("`{name}` is here and not there"))
}

/// Files of the text that [`Config::load`] makes, by name. The first is `andon.toml`, whatever its name.
fn files(text: &str) -> BTreeMap<String, Table> {
    let mut files = BTreeMap::new();
    for (number, part) in text.split("# ---- ").skip(1).enumerate() {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        // It was checked when it was loaded, by the version that wrote it.
        let mut table: Table = body.parse().unwrap_or_default();
        let mut name = name.to_owned();
        if number == 0 {
            name = "andon.toml".to_owned();
            for section in OWN {
                let own = table.remove(section);
                let kept = SHARED.iter().filter(|(of, _)| *of == section);
                let kept: Table = kept
                    .filter_map(|(_, key)| Some(((*key).to_owned(), own.as_ref()?.get(key)?.clone())))
                    .collect();
                if !kept.is_empty() {
                    table.insert(section.to_owned(), kept.into());
                }
            }
            for (section, key) in [("export", "folder"), ("export", "file_rows_max"), ("rules", "folder")] {
                if let Some(section) = table.get_mut(section).and_then(|section| section.as_table_mut()) {
                    section.remove(key);
                }
            }
            table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
        }
        files.insert(name, table);
    }
    files
}

/// The first key in which two tables differ.
fn differing(one: &Table, other: &Table, path: &str) -> Option<String> {
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (one.get(key), other.get(key)) {
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => {
                if let Some(found) = differing(one, other, &path) {
                    return Some(found);
                }
            }
            (one, other) if one != other => return Some(path),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(andon: &str, rule: &str) -> String {
        format!("# ---- a.toml\n{andon}\n# ---- rules/hot.toml\n{rule}\n")
    }

    #[test]
    fn where_things_are_may_differ_and_what_is_said_may_not() {
        let ours =
            text("[http]\nlisten = \"a\"\n[engine]\nlateness = \"1s\"\n", "rule = \"hot\"\nlimit = 1\n");
        let alike = text(
            "# a comment\n[source]\nbroker = \"b\"\n[engine]\nlateness=\"1s\"\n[export]\nfolder=\"x\"\n",
            "limit = 1\nrule = 'hot'\n",
        );
        assert_eq!(difference(&ours, &alike), None);
        let late = text("[engine]\nlateness = \"2s\"\n", "rule = \"hot\"\nlimit = 1\n");
        assert_eq!(difference(&ours, &late), Some("`engine.lateness` in `andon.toml` is another".to_owned()));
        let rule = text("[engine]\nlateness = \"1s\"\n", "rule = \"hot\"\nlimit = 2\n");
        assert_eq!(difference(&ours, &rule), Some("`limit` in `rules/hot.toml` is another".to_owned()));
        let size = text(
            "[source]\nmessage_bytes_max = \"2MiB\"\n[engine]\nlateness = \"1s\"\n",
            "rule = \"hot\"\nlimit = 1\n",
        );
        assert_eq!(difference(&ours, &size), Some("`source` in `andon.toml` is another".to_owned()));
        let fewer = "# ---- a.toml\n[engine]\nlateness = \"1s\"\n";
        assert_eq!(difference(&ours, fewer), Some("`rules/hot.toml` is here and not there".to_owned()));
        assert_eq!(difference(fewer, &ours), Some("`rules/hot.toml` is there and not here".to_owned()));
    }
}
