//! CPU of the intake per message: MQTT QoS 1 off a socket, into the journal on disk, acknowledged.
//!
//! The peer is a broker of our own on a thread of this process, since Mosquitto is the bottleneck by far: it
//! sends packets that were encoded before, keeps to a window of 1000 and counts PUBACKs. Its thread's CPU is
//! taken off the process's; what the kernel does for loopback on its behalf is the broker's, as it would be a
//! network card's. The floor is a scanner that does nothing but frame packets and acknowledge; rumqttc's codec
//! alone needs 171 ns.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use ingest::config::{JournalSettings, SourceSettings};
use ingest::entry::Entry;
use ingest::intake::{IntakeHandle, IntakeSettings, Log, LogError, Start, handover};
use ingest::journal::Journal;
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{Clock, Epoch, Offset, SystemClock};
use rumqttc::{Publish, QoS};
use rustix::time::{ClockId, clock_gettime};

const MESSAGES: usize = 1_000_000;
const REPEATS: usize = 3;
const WINDOW: usize = 1000;
/// Packets in one write of the broker.
const CHUNK: usize = 250;
/// Distinct packets, sent again and again; their ids are the packet ids.
const RING: u16 = 60_000;
const TOPICS: usize = 200;
const FLOOR_NS: f64 = 30.0;
const TARGET_NS: f64 = 700.0;

fn main() {
    let ring = Ring::encode();
    let mut runs: Vec<Run> = (0..REPEATS).map(|_| run(&ring)).collect();
    runs.sort_by(|a, b| a.cpu_ns.total_cmp(&b.cpu_ns));
    let (best, worst) = (&runs[0], &runs[REPEATS - 1]);
    let verdict = if best.cpu_ns <= TARGET_NS { "ok" } else { "SLOW" };
    println!(
        "{:<46} {:6.1} ns CPU/message   floor {FLOOR_NS:6.1}   target {TARGET_NS:5.0}   {verdict}",
        "intake: MQTT QoS 1 to durable journal", best.cpu_ns
    );
    println!(
        "    worst of {REPEATS} {:.1} ns; socket {:.0} ns, journal {:.0} ns; {:.0} messages/s by the clock, {:.0} a \
         commit, {:.0} bytes each",
        worst.cpu_ns,
        best.intake_ns,
        best.journal_ns,
        MESSAGES as f64 / best.seconds,
        MESSAGES as f64 / best.commits as f64,
        ring.bytes.len() as f64 / f64::from(RING),
    );
}

/// Nanoseconds of CPU per message, of all but the broker and of two threads of it.
struct Run {
    cpu_ns: f64,
    intake_ns: f64,
    journal_ns: f64,
    seconds: f64,
    commits: u64,
}

fn run(ring: &Ring) -> Run {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the journal");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let clock = Arc::new(SystemClock::default());
    let (sender, entries) = handover(16 << 20);
    let intake = IntakeHandle::spawn(settings(port), log(folder.path()), clock.clone(), start(), sender);
    let intake = intake.expect("the intake starts");
    let engine = std::thread::spawn(move || {
        let messages = |entry| if let Entry::Intake(intake) = entry { intake.messages() as usize } else { 0 };
        let next = || entries.recv_timeout(Duration::MAX).ok();
        std::iter::from_fn(next).map(|durable| messages(durable.entry)).sum::<usize>()
    });

    let ready = Barrier::new(2);
    // The socket stays open until the intake has said goodbye.
    let (cpu_ns, broker_ns, seconds, socket) = std::thread::scope(|scope| {
        let broker = scope.spawn(|| {
            let socket = greet(&listener);
            ready.wait();
            let began_ns = cpu_ns(ClockId::ThreadCPUTime);
            let socket = serve(socket, ring);
            (cpu_ns(ClockId::ThreadCPUTime) - began_ns, socket)
        });
        ready.wait();
        let (began_ns, began_us) = (cpu_ns(ClockId::ProcessCPUTime), clock.monotonic_us());
        let (broker_ns, socket) = broker.join().expect("the broker");
        let seconds = (clock.monotonic_us() - began_us) as f64 / 1e6;
        (cpu_ns(ClockId::ProcessCPUTime) - began_ns, broker_ns, seconds, socket)
    });
    let [intake_ns, journal_ns] =
        ["andon-intake", "andon-journal"].map(|name| thread_ns(name) / MESSAGES as f64);
    let counts = intake.status().counts();
    intake.join().expect("a clean end");
    drop(socket);
    assert_eq!(engine.join().expect("the engine"), MESSAGES, "every message became durable, each once");
    assert_eq!((counts.messages, counts.reconnects, counts.shed), (MESSAGES as u64, 0, 0));
    let cpu_ns = (cpu_ns - broker_ns) / MESSAGES as f64;
    Run { cpu_ns, intake_ns, journal_ns, seconds, commits: counts.commits }
}

fn cpu_ns(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// CPU of the thread so far, as Linux tells it; 0 elsewhere.
fn thread_ns(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let mut named = tasks.filter(|task| read(task.path().join("comm")).trim() == name);
    let times = named.next().map(|task| read(task.path().join("schedstat"))).unwrap_or_default();
    times.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0)
}

/// PUBLISH packets, encoded, one after the other.
struct Ring {
    bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    starts: Vec<usize>,
}

impl Ring {
    fn encode() -> Ring {
        let mut bytes = bytes::BytesMut::new();
        let mut starts = vec![0];
        for number in 0..RING {
            let tool = usize::from(number) * 7 % TOPICS;
            let topic = format!("workshop/hall1/bay{:02}/tool{tool:03}/telemetry", tool / 8);
            let payload = format!(
                "{{\"ts\":{},\"metric\":\"torque\",\"value\":{}.25,\"unit\":\"N.m\",\"seq\":{number},\
                 \"tags\":{{\"joint\":\"J{:02}\",\"pset\":\"P07\",\"grade\":\"A\",\"operator\":\"T17\"}}}}",
                1_795_332_840_123_i64 + i64::from(number),
                number % 100,
                number % 20,
            );
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
            publish.pkid = number + 1;
            publish.write(&mut bytes).expect("a packet");
            starts.push(bytes.len());
        }
        Ring { bytes: bytes.to_vec(), starts }
    }
}

/// Answers CONNECT and SUBSCRIBE.
fn greet(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().expect("the intake connects");
    socket.set_nodelay(true).expect("a socket");
    let mut packet = [0; 512];
    assert!(socket.read(&mut packet).expect("CONNECT") > 0);
    socket.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
    assert!(socket.read(&mut packet).expect("SUBSCRIBE") > 0);
    socket.write_all(&[0x90, 3, 0, 1, 1]).expect("SUBACK");
    socket
}

/// Sends all messages within the window and takes their PUBACKs, which are the only packets to come: of
/// four bytes each.
fn serve(mut socket: TcpStream, ring: &Ring) -> TcpStream {
    let (mut sent, mut acknowledged_bytes) = (0, 0);
    let mut answers = vec![0; 64 << 10];
    while acknowledged_bytes < MESSAGES * 4 {
        let room = WINDOW - (sent - acknowledged_bytes / 4);
        let first = sent % usize::from(RING);
        let count = CHUNK.min(room).min(MESSAGES - sent).min(usize::from(RING) - first);
        // Whole chunks, as a broker that is busy sends them.
        if count == CHUNK || (count > 0 && room >= CHUNK) {
            let chunk = &ring.bytes[ring.starts[first]..ring.starts[first + count]];
            socket.write_all(chunk).expect("the intake reads");
            sent += count;
        } else {
            let read = socket.read(&mut answers).expect("the intake acknowledges");
            assert!(read > 0, "the intake closed the connection");
            acknowledged_bytes += read;
        }
    }
    socket
}

struct JournalLog(Journal);

impl Log for JournalLog {
    fn append(&mut self, entry: &Entry) -> Result<Offset, LogError> {
        self.0.append(entry).map_err(|error| LogError::Failed { reason: error.to_string() })
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.0.sync().map_err(|error| LogError::Failed { reason: error.to_string() })
    }
}

fn log(folder: &std::path::Path) -> Box<dyn Log> {
    let settings = JournalSettings {
        folder: folder.join("journal"),
        segment_bytes: 64 << 20,
        commit_interval: Duration::from_millis(5),
        commit_bytes: 256 << 10,
    };
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    Box::new(JournalLog(Journal::open(storage, &settings).expect("a new journal").0))
}

fn settings(port: u16) -> IntakeSettings {
    let source = SourceSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        client_id: "andon".to_owned(),
        username: None,
        password: None,
        qos: 1,
        // No pings: the broker takes all that comes for PUBACKs.
        keep_alive: Duration::ZERO,
        inflight_window: WINDOW as u16,
        message_bytes_max: 1 << 20,
        waiting_bytes_max: 64 << 20,
    };
    IntakeSettings {
        source,
        filters: vec!["workshop/#".to_owned()],
        commit_interval: Duration::from_millis(5),
        commit_bytes: 256 << 10,
        cut_interval: Duration::from_secs(5),
    }
}

fn start() -> Start {
    Start { next_message: 1, last_at_ms: None, last_epoch: Epoch(0), opening: Vec::new() }
}
