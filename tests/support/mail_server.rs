//! A real mail server outside, which fails when told to: aiosmtpd, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The server, or the place where it will be.
pub(crate) struct MailServer {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    /// Certificate, its key, and `smtps` or `starttls`.
    tls: Option<(PathBuf, PathBuf, &'static str)>,
    process: Option<Child>,
}

impl MailServer {
    /// A place for one; nobody is there yet. None, and a word about it, where Python has no aiosmtpd.
    pub(crate) fn away() -> Option<MailServer> {
        let known = Command::new("python3").args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !known.is_ok_and(|status| status.success()) {
            eprintln!("skipped: python3 has no aiosmtpd (tests/setup.sh installs it)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        Some(MailServer { folder: tempfile::tempdir().expect("a folder"), port, tls: None, process: None })
    }

    /// One that speaks TLS and asks who is there: `andon`, with `hunter2`.
    pub(crate) fn with_tls(mut self, certificate: &Path, key: &Path, how: &'static str) -> MailServer {
        self.tls = Some((certificate.to_owned(), key.to_owned(), how));
        self
    }

    /// It is there from now on, in a mood: see the head of `mail_server.py`.
    pub(crate) fn comes(&mut self, mood: &str) {
        self.is(mood);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/mail_server.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(self.folder.path()).arg(self.port.to_string());
        if let Some((certificate, key, how)) = &self.tls {
            command.arg(certificate).arg(key).arg(how);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("python3 starts");
        let printed = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line).expect("a pipe");
        assert_eq!(line, "ready\n", "the mail server does not start");
        self.process = Some(process);
    }

    /// Changes its mood.
    pub(crate) fn is(&self, mood: &str) {
        let (path, new) = (self.folder.path().join("mood"), self.folder.path().join("new"));
        std::fs::write(&new, mood).expect("written");
        std::fs::rename(new, path).expect("renamed");
    }

    /// All letters whose content has come, repeats too.
    pub(crate) fn letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("letters.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
