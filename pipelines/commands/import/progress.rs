//! How far an import is.

use std::io::IsTerminal;
use std::path::Path;

/// A line on stderr for each piece; nothing in a pipe.
pub(super) struct Progress {
    is_shown: bool,
    file: String,
}

impl Progress {
    pub(super) fn new(path: &Path) -> Self {
        Progress { is_shown: std::io::stderr().is_terminal(), file: path.display().to_string() }
    }

    pub(super) fn show(&self, messages: u64) {
        if self.is_shown {
            eprint!("\r{}: {messages} messages ", self.file);
        }
    }

    pub(super) fn end(&self) {
        if self.is_shown {
            eprintln!();
        }
    }
}
