//! The built program as a process of its own: started, asked over HTTP, ended in order or killed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use ingest::time::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A running program. Killed when dropped.
pub(crate) struct Andon {
    process: Child,
    /// Kept open: the program would fail to print into a closed pipe.
    printed: BufReader<ChildStdout>,
    address: Option<SocketAddr>,
    log: PathBuf,
}

impl Andon {
    /// Starts `andon` with `arguments`; what it logs is added to the file `log`.
    pub(crate) fn spawn(arguments: &[&str], log: &Path) -> Andon {
        Andon::start(Command::new(env!("CARGO_BIN_EXE_andon")).args(arguments), log)
    }

    fn start(command: &mut Command, log: &Path) -> Andon {
        let file: File = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).spawn().expect("andon starts");
        let printed = BufReader::new(process.stdout.take().expect("it is piped"));
        Andon { process, printed, address: None, log: log.to_owned() }
    }

    /// As [`run`](Self::run), in the network of `wire`.
    pub(crate) fn run_behind(wire: &super::cut_wire::CutWire, shop: &super::shop::Shop) -> Andon {
        let config = shop.config();
        let config = config.to_str().expect("folders of tests have plain names");
        let log = shop.folder().join("andon.log");
        let binary = env!("CARGO_BIN_EXE_andon");
        Andon::start(wire.command().arg(binary).args(["run", "--config", config]), &log)
    }

    /// The service with the configuration of `shop`, perhaps not listening yet.
    pub(crate) fn run(shop: &super::shop::Shop) -> Andon {
        let config = shop.config();
        let config = config.to_str().expect("folders of tests have plain names");
        Andon::spawn(&["run", "--config", config], &shop.folder().join("andon.log"))
    }

    /// The board's address, as printed.
    pub(crate) fn address(&mut self) -> SocketAddr {
        if let Some(address) = self.address {
            return address;
        }
        let mut line = String::new();
        self.printed.read_line(&mut line).expect("a pipe");
        let address = line.strip_prefix("board on http://").and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok());
        let address =
            address.unwrap_or_else(|| panic!("it printed {line:?} and no address:\n{}", self.log()));
        self.address = Some(address);
        address
    }

    /// Its URL.
    pub(crate) fn url(&mut self) -> String {
        format!("http://{}", self.address())
    }

    /// Status code and body.
    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        let address = self.address();
        let mut stream = TcpStream::connect(address).unwrap_or_else(|error| self.gone(&error));
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        (code, body.to_owned())
    }

    /// An answer that goes on: server-sent events.
    pub(crate) fn listen(&mut self, path: &str) -> Events {
        let address = self.address();
        let mut stream = TcpStream::connect(address).unwrap_or_else(|error| self.gone(&error));
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("it reads");
        Events(BufReader::new(stream).lines())
    }

    /// Status code and JSON of a command; `key` is its Idempotency-Key.
    pub(crate) fn post(&mut self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let (address, body) = (self.address(), body.to_string());
        let mut stream = TcpStream::connect(address).unwrap_or_else(|error| self.gone(&error));
        stream.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: {address}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        (code, serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
    }

    fn gone(&self, error: &std::io::Error) -> ! {
        panic!("it does not answer: {error}; it logged:\n{}", self.log())
    }

    /// The JSON of an API route.
    pub(crate) fn json(&mut self, path: &str) -> Value {
        let (code, body) = self.get(path);
        assert_eq!(code, 200, "{path} answered {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path} is no JSON: {error}: {body}"))
    }

    /// The counts of the conservation law, checked.
    pub(crate) fn counts(&mut self) -> Counts {
        let counts = Counts(self.json("/api/v1/status")["counts"].clone());
        counts.check();
        counts
    }

    /// Waits until it is ready.
    pub(crate) fn until_ready(&mut self) {
        until("andon is ready", 30, || {
            let (code, body) = self.get("/readyz");
            if code == 200 { Ok(()) } else { Err(body) }
        });
    }

    /// Waits until it is not ready for a reason that holds one of `words`; the reasons.
    pub(crate) fn until_not_ready(&mut self, words: &[&str]) -> String {
        until(&format!("andon is not ready because of {words:?}"), 30, || {
            let (code, body) = self.get("/readyz");
            if code == 503 && words.iter().any(|word| body.contains(word)) { Ok(body) } else { Err(body) }
        })
    }

    /// Sends SIGTERM, as `systemctl stop` does.
    pub(crate) fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it is there");
    }

    /// Sends SIGHUP, as `systemctl reload` does.
    pub(crate) fn ask_to_reread(&self) {
        kill_process(Pid::from_child(&self.process), Signal::HUP).expect("it is there");
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) {
        self.ask_to_stop();
        let status = self.ended(30);
        assert!(status.success(), "it ended with {status}:\n{}", self.log());
    }

    /// Waits for its own end.
    pub(crate) fn ended(&mut self, seconds: u64) -> ExitStatus {
        let process = &mut self.process;
        until("andon ends", seconds, || process.try_wait().expect("a process").ok_or("it runs"))
    }

    /// As a power cut does. Fails if it had ended by itself before.
    pub(crate) fn kill(&mut self) {
        let before = self.process.try_wait().expect("a process");
        assert!(before.is_none(), "it had ended with {before:?} before it was killed:\n{}", self.log());
        self.process.kill().expect("it is there");
        self.process.wait().expect("a process");
    }

    /// Stops it where it is, as a machine that is suspended; [`wake`](Self::wake) lets it go on.
    pub(crate) fn sleep(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).expect("it is there");
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).expect("it is there");
    }

    /// Memory of its that is in the machine now, as the kernel counts it.
    pub(crate) fn resident_kb(&self) -> u64 {
        let file = format!("/proc/{}/smaps_rollup", self.process.id());
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let line =
            text.lines().find_map(|line| line.strip_prefix("Rss:")).expect("a line of resident memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Lines of the log that a test that fails shows.
const LOG_LINES: usize = 20;

/// Server-sent events.
pub(crate) struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    /// What the first message says of which `wanted` is true. What is not named a message is passed over, as browsers do.
    pub(crate) fn until(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let mut is_message = true;
        let mut last = Value::Null;
        for _ in 0..10_000 {
            let line = self.0.next().expect("the stream goes on").unwrap_or_else(|error| {
                panic!("no event says that {what}: {error}; the last message was {last}")
            });
            match line.split_once(": ") {
                Some(("event", name)) => is_message = name == "message",
                Some(("data", data)) if is_message => {
                    last = serde_json::from_str(data).expect("JSON");
                    if wanted(&last) {
                        return last;
                    }
                }
                _ => is_message |= line.is_empty(),
            }
        }
        panic!("no event says that {what}: {last}")
    }
}

impl Drop for Andon {
    fn drop(&mut self) {
        // Its folder goes with the test.
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("it logged last:\n{}", lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `counts` of `/api/v1/status`.
#[derive(Clone, Debug)]
pub(crate) struct Counts(Value);

impl Counts {
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("there is no count {name} in {}", self.0))
    }

    /// Nothing came in that did not go anywhere.
    fn check(&self) {
        let sum = |names: &[&str]| names.iter().map(|name| self.get(name)).sum::<u64>();
        for (whole, parts) in [
            ("messages", ["decoded", "undecodable"].as_slice()),
            ("readings", &["applied", "duplicates", "quarantined"]),
            ("applied", &["on_time", "corrections", "late"]),
            ("events", &["events_applied", "event_duplicates", "events_quarantined"]),
        ] {
            assert_eq!(self.get(whole), sum(parts), "{whole} = {parts:?} in {}", self.0);
        }
    }
}

/// Looks until it is so; after `seconds` fails with what was seen last.
pub(crate) fn until<T, E: std::fmt::Debug>(
    what: &str,
    seconds: u64,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let clock = SystemClock::default();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(seen) if clock.monotonic_us() > seconds * 1_000_000 => {
                panic!("not within {seconds} s: {what}; seen last: {seen:?}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
