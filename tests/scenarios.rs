//! What the engine does with time, steps, repeats and trouble, and the workshop's functions with jobs, told as stories.
//!
//! A story is a file `fixtures/scenarios/NAME.txt`, written as `pipelines::scenario` says; here it tells every stream but
//! those of the functions, and the counts. One in `fixtures/functions` tells those, the commands and the ledger. `UPDATE_EXPECT=1` writes the expected lines anew. Every story is also run with all messages between two
//! ticks in one entry, with each second of a silent stretch as an entry, and with a restart after every
//! entry: rows, counts and state must be the same.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pipelines::config::Config;
use pipelines::scenario::{Scenario, Way};

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(of)
}

const FOLDERS: [&str; 2] = ["scenarios", "functions"];

fn stories_of(folder: &Path) -> Vec<Scenario> {
    let files = std::fs::read_dir(folder).expect("the stories are there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path: &PathBuf| Scenario::read(path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    paths.iter().map(read).collect()
}

fn config_of(story: &Scenario) -> Config {
    let path = story.path.with_file_name("config").join("andon.toml");
    let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert!(story.rules.is_some(), "{}: it names no rules", story.path.display());
    story.config(&config).unwrap_or_else(|mistake| panic!("{mistake}"))
}

#[test]
fn every_story_comes_out_as_it_is_told() {
    let mut wrong = Vec::new();
    for (folder, story) in
        FOLDERS.iter().flat_map(|of| stories_of(&folder(of)).into_iter().map(move |story| (*of, story)))
    {
        let is_told = |stream: &str| {
            let is_function = pipelines::functions::STREAMS.contains(&stream);
            let is_beside = ["commands", "ledger"].contains(&stream);
            if folder == "functions" { is_function || is_beside } else { !is_function }
        };
        let text = story.told(&config_of(&story), is_told).expect("the engine goes on");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&story.path, &text).expect("the story can be written");
        } else if text != story.text {
            let name = story.path.display();
            let first = text.lines().zip(story.text.lines()).find(|(now, then)| now != then);
            wrong.push(format!("{name}: {first:?} (now, expected)\n---- now\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 writes them anew:\n{}", wrong.join("\n"));
}

fn every_story_is_the_same(way: Way) {
    let stories: Vec<Scenario> = FOLDERS.iter().flat_map(|of| stories_of(&folder(of))).collect();
    assert!(stories.len() >= 15, "only {} stories were found", stories.len());
    for story in stories {
        let config = config_of(&story);
        let outcome = |way| story.outcome(&config, way).unwrap_or_else(|error| panic!("{error}"));
        let plain = outcome(Way::default());
        assert!(plain.1.adds_up(), "{}: {:?}", story.path.display(), plain.1);
        assert_eq!(plain, outcome(way), "{} {way:?}", story.path.display());
    }
}

#[test]
fn how_messages_are_grouped_into_entries_changes_nothing() {
    every_story_is_the_same(Way { together: true, ..Way::default() });
}

#[test]
fn a_silent_stretch_is_the_same_as_its_seconds_one_by_one() {
    every_story_is_the_same(Way { second_by_second: true, ..Way::default() });
}

#[test]
fn how_many_rows_a_block_has_changes_nothing() {
    for rows in [1, 3] {
        every_story_is_the_same(Way {
            together: true,
            block_rows: NonZeroUsize::new(rows),
            ..Way::default()
        });
    }
}

#[test]
fn every_story_is_the_same_on_any_number_of_threads() {
    for threads in [1, 2, 4] {
        let threads = NonZeroUsize::new(threads);
        every_story_is_the_same(Way { together: true, threads, ..Way::default() });
    }
}

#[test]
fn a_restart_after_every_entry_changes_nothing() {
    every_story_is_the_same(Way { restored: true, ..Way::default() });
}

#[test]
fn the_scenarios_of_the_shipped_rules_are_the_same_in_every_way() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let shipped = Config::load(&folder.join("andon.toml")).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    for story in stories_of(&folder.join("rules")) {
        let config = story.config(&shipped).unwrap_or_else(|mistake| panic!("{mistake}"));
        let outcome = |way| story.outcome(&config, way).unwrap_or_else(|error| panic!("{error}"));
        let plain = outcome(Way::default());
        for (together, second_by_second, restored) in
            [(true, false, false), (false, true, false), (false, false, true), (true, true, true)]
        {
            let way = Way { together, second_by_second, restored, ..Way::default() };
            assert_eq!(plain, outcome(way), "{} {way:?}", story.path.display());
        }
    }
}
