//! The table of settings as a file.

use std::fmt::Write as _;

use super::functions;
use super::kind::Kind;
use super::sections::SECTIONS;
use super::setting::{Fallback, Setting};
use super::settings::ANDON;

/// Where the shipped file differs from the default: it belongs to the mosquitto.conf beside it.
const SHIPPED: [(&str, &str); 2] =
    [("source.inflight_window", "5000"), ("source.mosquitto_conf", "\"mosquitto.conf\"")];

/// The whole of `config/andon.toml`: every setting with comment and default.
#[must_use]
pub fn andon_toml() -> String {
    let head = "Andon's configuration: every setting with its default, so each line may be left out; where the line \
                here is another, the comment says so. Lines that start with `#` and hold a setting are examples of \
                what is not set by default. Durations and sizes carry their unit (ms, s, min, h, d; B, KiB, MiB, \
                GiB). `andon check --config FILE` finds all mistakes.";
    printed(head, ANDON, SECTIONS)
}

/// The whole of `config/functions.toml`.
#[must_use]
pub fn functions_toml() -> String {
    let head = "What the workshop's functions go by: assignment of steps, inspection, billing, what customers are told. \
                Every setting is here with its default, so each line, and the whole file, may be left out; lines that \
                start with `#` and hold a setting are examples. A running service takes changes up, as it does those \
                of rules.";
    printed(head, functions::FUNCTIONS, functions::SECTIONS)
}

fn printed(head: &str, settings: &[Setting], sections: &[(&str, &str)]) -> String {
    let mut text = String::new();
    comment(&mut text, head);
    let mut section = "";
    for setting in settings {
        let (home, name) = setting.path.rsplit_once('.').expect("every setting has a section");
        if let (Kind::Tables(_), Fallback::Absent(example)) = (setting.kind, setting.fallback) {
            text.push('\n');
            comment(&mut text, setting.comment);
            let (table, keys) = example.split_once('\n').expect("the example of a table has keys");
            let _ = writeln!(text, "# [{}.{table}]\n# {}", setting.path, keys.replace('\n', "\n# "));
            continue;
        }
        // A table of pairs is a section of its own.
        let home = if matches!(setting.kind, Kind::Pairs) { setting.path } else { home };
        if home != section {
            section = home;
            text.push('\n');
            let about = sections.iter().find(|(name, _)| *name == home);
            comment(&mut text, about.expect("every section has a comment").1);
            let _ = writeln!(text, "[{home}]");
        }
        let bounds = setting.kind.bounds().map(|bounds| format!(" ({bounds})")).unwrap_or_default();
        let shipped = SHIPPED.iter().find(|(path, _)| *path == setting.path).map(|(_, value)| *value);
        let default = match (shipped, setting.fallback) {
            (Some(_), Fallback::Is(default)) => format!(" Default {default}."),
            (Some(_), _) => " Not set by default.".to_owned(),
            (None, _) => String::new(),
        };
        comment(&mut text, &format!("{}{bounds}{default}", setting.comment));
        if let Some(shipped) = shipped {
            let _ = writeln!(text, "{name} = {shipped}");
            continue;
        }
        let _ = match (setting.kind, setting.fallback) {
            (Kind::Pairs, fallback) => {
                let pair = fallback.example().trim_matches(['{', '}', ' ']);
                writeln!(text, "# {pair}")
            }
            (_, Fallback::Is(default)) => writeln!(text, "{name} = {default}"),
            (_, Fallback::Absent(example) | Fallback::Required(example)) => {
                writeln!(text, "# {name} = {example}")
            }
        };
    }
    text
}

/// Comment lines of at most 110 characters.
fn comment(text: &mut String, words: &str) {
    let mut line = "#".to_owned();
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 110 {
            let _ = writeln!(text, "{line}");
            line = "#".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_comment_and_the_text_keeps_within_the_page() {
        let texts = [andon_toml(), functions_toml()];
        let files = [(ANDON, &texts[0]), (functions::FUNCTIONS, &texts[1])];
        for (setting, text) in
            files.iter().flat_map(|(settings, text)| settings.iter().map(move |one| (one, text)))
        {
            assert!(!setting.comment.is_empty(), "{}", setting.path);
            let name = setting.path.rsplit('.').next().unwrap_or_default();
            assert!(
                matches!(setting.kind, Kind::Pairs | Kind::Tables(_)) || text.contains(&format!("{name} = ")),
                "{}",
                setting.path
            );
        }
        for text in texts {
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        }
    }
}
