//! Looks at the files of a running service, and compiles what has changed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::{Files, Refused, Stop};
use crate::config::{Config, Mistake, NEIGHBOURS};
use crate::engine::Engine;
use crate::wire;

/// Looks a second, in parts short enough to end with the service.
const LOOKS: u32 = 10;
const PART: Duration = Duration::from_millis(100);

/// Hash of the names and contents of all files.
type Print = blake3::Hash;

pub(super) struct Watcher {
    /// That the service was started with.
    config: Config,
    files: Files,
    refused: Refused,
    found: Sender<Box<Engine>>,
    /// What applies, or is on its way.
    offered: String,
    /// At the last look, and when last judged.
    seen: Option<Print>,
    judged: Option<Print>,
    main: Option<String>,
}

impl Watcher {
    pub(super) fn new(config: Config, files: Files, refused: Refused, found: Sender<Box<Engine>>) -> Self {
        let (offered, main) = (config.text.clone(), std::fs::read_to_string(&files.file).ok());
        Watcher { config, files, refused, found, offered, seen: None, judged: None, main }
    }

    /// Until the service ends.
    pub(super) fn run(mut self, stop: &Stop) {
        loop {
            let mut is_asked = false;
            for _ in 0..LOOKS {
                std::thread::sleep(PART);
                if stop.is_asked() {
                    return;
                }
                is_asked |= self.files.reread.take();
                if is_asked {
                    break;
                }
            }
            let now = self.print();
            // Who saves several files is not done yet: they are judged once they have stayed the same for a second.
            let is_settled = self.seen.replace(now) == Some(now);
            let is_judged = self.judged == Some(now);
            if is_asked || (is_settled && !is_judged) {
                self.judged = Some(now);
                if !self.judge(is_asked) {
                    return;
                }
            }
        }
    }

    /// Checks the files as they are, and offers them if they are right and not what applies; false once nobody listens.
    fn judge(&mut self, is_asked: bool) -> bool {
        let main = std::fs::read_to_string(&self.files.file).ok();
        if main != self.main {
            let file = self.files.file.display();
            tracing::warn!("{file} has changed: it is read at the next start, rules, metrics and assets now");
            self.main = main;
        }
        let config = match self.config.load_again(&self.files.file) {
            Ok(config) => config,
            Err(mistakes) => {
                self.refuse(mistakes.iter().map(Mistake::to_string).collect());
                return true;
            }
        };
        if config.text == self.offered {
            if self.refused.set(Vec::new()) || is_asked {
                tracing::info!(configuration = config.version, "the files say what applies already");
            }
            return true;
        }
        match wire::engine(&config) {
            Ok(engine) => {
                self.refused.set(Vec::new());
                for warning in &config.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!(configuration = config.version, "the files have changed: this is to apply");
                self.offered = config.text;
                self.found.send(Box::new(engine)).is_ok()
            }
            Err(error) => {
                self.refuse(vec![error.to_string()]);
                true
            }
        }
    }

    fn refuse(&self, mistakes: Vec<String>) {
        tracing::error!(
            "the changed files are refused, and what applied before goes on:\n{}",
            mistakes.join("\n")
        );
        self.refused.set(mistakes);
    }

    fn print(&self) -> Print {
        let mut hasher = blake3::Hasher::new();
        let folder = self.files.file.parent().unwrap_or(Path::new(""));
        let beside = NEIGHBOURS.map(|name| folder.join(name));
        let mut paths = rules(&self.config.rules_folder);
        paths.extend(beside);
        paths.push(self.files.file.clone());
        for path in paths {
            let content =
                std::fs::read(&path).unwrap_or_else(|error| format!("{:?}", error.kind()).into_bytes());
            for part in [path.as_os_str().as_encoded_bytes(), &content] {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
            }
        }
        hasher.finalize()
    }
}

/// Of a folder that cannot be read, its name: what is wrong is said when it is judged.
fn rules(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>());
    let mut paths = listed.unwrap_or_else(|_| vec![folder.to_owned()]);
    paths.retain(|path| path.extension().is_none_or(|extension| extension == "toml"));
    paths.sort();
    paths
}
