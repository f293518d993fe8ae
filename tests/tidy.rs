//! What the tree promises about itself: the README's map of it, the size of files, the one door to the clock.

use std::fs;
use std::path::{Path, PathBuf};

/// A longer file has more than one noun in it.
const LINES_MAX: usize = 300;
/// The one door to the wall clock, and the one to randomness, which is seeded.
const CLOCK: &str = "ingest/src/time.rs";
const SEED: &str = "pipelines/simulate/seed.rs";
/// The one file with all names of metrics.
const METRICS: &str = "sinks/src/prometheus.rs";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Folders that `.gitignore` names at the top.
fn ignored() -> Vec<String> {
    read(".gitignore").lines().filter_map(|line| line.strip_prefix('/')).map(str::to_owned).collect()
}

/// Every text file of the repository as (path with `/`, content); hidden and ignored ones are left out.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, ignored: &[String], found: &mut Vec<(String, String)>) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        entries.sort();
        for path in entries {
            let name = path.strip_prefix(repository()).expect("within").to_string_lossy().replace('\\', "/");
            let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if is_hidden || ignored.contains(&name) {
                continue;
            }
            if path.is_dir() {
                walk(&path, ignored, found);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((name, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(repository(), &ignored(), &mut found);
    assert!(found.len() > 200, "only {} files", found.len());
    found
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn sources() -> impl Iterator<Item = (String, String)> {
    files().into_iter().filter(|(path, _)| path.ends_with(".rs"))
}

/// Where `word` stands by itself, not as the end of another.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

fn assert_none(wrong: &[String], remedy: &str) {
    assert!(wrong.is_empty(), "{remedy}:\n  {}", wrong.join("\n  "));
}

/// Paths of the tree in the README: a name at the left is at the top, an indented one in the folder above.
fn tree() -> Vec<String> {
    let readme = read("README.md");
    let section = readme.split("## The tree").nth(1).expect("the README shows the tree");
    let block = section.split("```").nth(1).expect("as a block");
    let mut top = "";
    let mut paths = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let name = line.split_whitespace().next().expect("a name");
        if line.starts_with(' ') {
            paths.push(format!("{top}{name}"));
        } else {
            top = name;
            paths.push(name.to_owned());
        }
    }
    paths
}

#[test]
fn the_tree_in_the_readme_is_the_tree() {
    let tree = tree();
    let is_there = |path: &str| {
        let full = repository().join(path);
        if path.ends_with('/') {
            full.is_dir()
        } else {
            full.is_file() || full.with_extension("rs").is_file()
        }
    };
    let wrong: Vec<String> = tree.iter().filter(|path| !is_there(path)).cloned().collect();
    assert_none(&wrong, "README.md shows what is not there");
    let missing: Vec<String> = fs::read_dir(repository())
        .expect("the repository")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !ignored().contains(name))
        .filter(|name| !tree.contains(&format!("{name}/")))
        .collect();
    assert_none(&missing, "README.md does not show these folders");
}

#[test]
fn the_paths_that_the_readme_names_exist() {
    let readme = read("README.md");
    let tops: Vec<String> = tree().into_iter().filter(|path| path.ends_with('/')).collect();
    // Blocks between fences show what a person may write, which need not be there.
    let text: String = readme.split("```").step_by(2).collect();
    let words = text
        .split(|c: char| c.is_whitespace() || c == '`')
        .map(|word| word.trim_end_matches(['.', ',', ';']));
    let named = words.filter(|word| tops.iter().any(|top| word.starts_with(top.as_str())));
    let wrong: Vec<String> =
        named.filter(|path| !repository().join(path).exists()).map(str::to_owned).collect();
    assert_none(&wrong, "README.md names what is not there");
}

#[test]
fn a_file_is_short_enough_to_be_read_alone() {
    let long: Vec<String> = sources()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path} has {lines} lines"))
        .collect();
    assert_none(&long, &format!("split by noun what is longer than {LINES_MAX} lines"));
}

#[test]
fn the_clock_and_chance_have_one_door_each() {
    // Spelled in two parts, or this file would find itself. Clippy looks too (clippy.toml), where types are
    // known; this also sees what an `allow` hides.
    let clocks = [
        concat!("SystemTime", "::now"),
        concat!("Instant", "::now"),
        concat!("Timestamp", "::now"),
        concat!("Zoned", "::now"),
    ];
    let chances = [concat!("thread", "_rng"), concat!("ra", "nd::"), concat!("Random", "State")];
    let seeded = concat!("fastra", "nd::");
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let says = |words: &[&str]| words.iter().any(|word| has_word(&text, word));
        if path != CLOCK && says(&clocks) {
            wrong.push(format!("{path} reads the clock: take a `Clock` ({CLOCK})"));
        }
        if says(&chances) {
            wrong.push(format!("{path} draws by chance: nothing here may"));
        }
        // Tests and benches draw their input, always from a fixed seed, and no result depends on it.
        let is_input = is_test(&path) || path.starts_with("benches/");
        let generator = concat!("fastra", "nd::Rng");
        // Who is handed a generator only names its type.
        let named = text.matches(generator).count() - text.matches(&format!("{generator}::")).count();
        let drawn = text.matches(seeded).count() - named;
        if path != SEED && drawn > 0 && !is_input {
            wrong.push(format!("{path} draws: only the simulator does, from its seed ({SEED})"));
        }
        if text.matches(concat!("fastra", "nd::Rng::with_seed")).count() < drawn && path != SEED {
            wrong.push(format!("{path} draws without a seed"));
        }
    }
    assert_none(&wrong, "results must be a function of the journal");
}

#[test]
fn no_file_names_a_machine_or_leaves_work_for_later() {
    let words = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut wrong = Vec::new();
    for (path, text) in files().into_iter().filter(|(path, _)| path != "Cargo.lock") {
        for (index, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong, "take these out");
}

#[test]
fn the_lints_are_in_force_in_every_crate() {
    for manifest in ["Cargo.toml", "ingest/Cargo.toml", "sinks/Cargo.toml"] {
        assert!(read(manifest).contains("\n[lints]\nworkspace = true\n"), "{manifest} inherits no lints");
    }
    let root = read("Cargo.toml");
    for lint in ["disallowed_methods = \"deny\"", "disallowed_types = \"deny\"", "unsafe_code = \"deny\""] {
        assert!(root.contains(lint), "Cargo.toml does not say {lint}");
    }
    let clippy = read("clippy.toml");
    for kind in ["std::time::SystemTime", "std::time::Instant", "tokio::time::Instant", "jiff::Timestamp"] {
        assert!(
            clippy.contains(&format!("path = \"{kind}::now\"")),
            "clippy.toml does not forbid {kind}::now"
        );
    }
}

#[test]
fn every_metric_has_one_home_and_a_description() {
    let home = read(METRICS);
    let tables = home.split("const RECORDED").collect::<Vec<_>>();
    let names = |text: &str| -> Vec<String> {
        let quoted = text.split('"').skip(1).step_by(2);
        quoted.filter(|name| name.starts_with("andon_")).map(str::to_owned).collect()
    };
    // What the view says: set from it and counted by nobody else.
    let (of_view, described) = (names(tables[0]), names(&home));
    let (mut wrong, mut recorded) = (Vec::new(), Vec::new());
    for (path, text) in sources().filter(|(path, _)| path != METRICS && !is_test(path)) {
        for call in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            for (at, _) in text.match_indices(call) {
                let name = text[at + call.len()..].split('"').next().unwrap_or_default().to_owned();
                if of_view.contains(&name) {
                    wrong.push(format!("{path} counts {name}, which {METRICS} sets from the view"));
                } else if !described.contains(&name) {
                    wrong.push(format!("{path} records {name}, which {METRICS} does not describe"));
                }
                recorded.push(name);
            }
        }
    }
    let table = tables[1].split("];").next().unwrap_or_default();
    let nobody = names(table).into_iter().filter(|name| !recorded.contains(name));
    wrong.extend(nobody.map(|name| format!("{METRICS} describes {name}, which nobody records")));
    assert_none(&wrong, "a metric is counted in one place");
}
