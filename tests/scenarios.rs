//! What the engine does with time, steps, repeats and trouble, told as stories.
//!
//! A story is a file `fixtures/scenarios/NAME.txt`; `support/story.rs` says how it is written.
//! `UPDATE_EXPECT=1` writes the expected lines anew. Every story is also run with all messages between two
//! ticks in one entry, with each second of a silent stretch as an entry, and with a restart after every
//! entry: rows, counts and state must be the same.

use std::path::{Path, PathBuf};

use pipelines::config::Config;

#[path = "support/story.rs"]
mod story;

use story::{PLAIN, Run, Story, Way};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios")
}

fn stories() -> Vec<Story> {
    let files = std::fs::read_dir(folder()).expect("the stories are there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().map(|path| Story::read(path)).collect()
}

fn config_of(story: &Story) -> Config {
    let path = folder().join("config/andon.toml");
    let mut config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    for name in &story.rules {
        let is_known = config.rules.iter().any(|rule| rule.name == *name);
        assert!(is_known, "{}: there is no rule `{name}`", story.path.display());
    }
    config.rules.retain(|rule| story.rules.contains(&rule.name));
    config
}

/// The story with what came out after each line.
fn told(story: &Story, config: &Config) -> String {
    let mut run = Run::new(config, PLAIN);
    let mut text = String::new();
    for (line, action) in &story.lines {
        text.push_str(line);
        text.push('\n');
        let Some(action) = action else { continue };
        run.act(action);
        if matches!(action, story::Action::End) {
            let counts = run.counts();
            run.lines.push(counts);
        }
        for line in run.lines.drain(..) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

#[test]
fn every_story_comes_out_as_it_is_told() {
    let mut wrong = Vec::new();
    for story in stories() {
        let text = told(&story, &config_of(&story));
        let expected = std::fs::read_to_string(&story.path).expect("the story can be read");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&story.path, &text).expect("the story can be written");
        } else if text != expected {
            let name = story.path.display();
            let first = text.lines().zip(expected.lines()).find(|(now, then)| now != then);
            wrong.push(format!("{name}: {first:?} (now, expected)\n---- now\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 writes them anew:\n{}", wrong.join("\n"));
}

fn every_story_is_the_same(way: Way) {
    let stories = stories();
    assert!(stories.len() >= 15, "only {} stories were found", stories.len());
    for story in stories {
        let config = config_of(&story);
        let outcome = |way| {
            let mut run = Run::new(&config, way);
            story.actions().for_each(|action| run.act(action));
            run.lines.sort_unstable();
            (run.lines.join("\n"), run.counts(), run.hashes())
        };
        assert_eq!(outcome(PLAIN), outcome(way), "{} {way:?}", story.path.display());
    }
}

#[test]
fn how_messages_are_grouped_into_entries_changes_nothing() {
    every_story_is_the_same(Way { together: true, ..PLAIN });
}

#[test]
fn a_silent_stretch_is_the_same_as_its_seconds_one_by_one() {
    every_story_is_the_same(Way { second_by_second: true, ..PLAIN });
}

#[test]
fn a_restart_after_every_entry_changes_nothing() {
    every_story_is_the_same(Way { restored: true, ..PLAIN });
}
