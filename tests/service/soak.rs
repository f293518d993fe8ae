//! The machine's full rate for as long as one likes, with all rules, files, tables and screens: memory stays where it is.
//!
//! What has a bound is full before memory is watched, or fills up within the first third; see [`Memory::is_flat`].

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ingest::time::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::alone;
use crate::andon::{Andon, until};
use crate::bustle::{BAYS, Bustle, TOOLS, Told, seen};
use crate::floor::Floor;
use crate::memory::Memory;
use crate::shop::Shop;

/// Of two minutes that are watched, and of longer. At the limit of the machine it holds twice as much or half from one
/// second to the next, so that medians of 40 s differ by a fifth where those of 100 s and more do by few percent: two
/// minutes see what leaks 5 MB a second, half an hour sees the rest.
const NOISE: [f64; 2] = [0.3, 0.05];
const LONG_S: u64 = 600;
/// More jobs than are kept, with more steps than are: cards, jobs and books are at their bounds. Within two minutes only a
/// few hundred come, which weigh nothing, so there they are not worth the wait.
const JOBS: u64 = 11_000;
/// Messages of a topic that are remembered.
const REPEATS: u64 = 2_048;
/// Twice what it was seen to hold, with all bounds reached.
const MOST_MB: f64 = 2_000.0;

/// Small bounds, so that each is met many times in two minutes.
fn shop(port: u16) -> Shop {
    let sections = "segment_bytes = \"4MiB\"\n[checkpoint]\nkeep = 2\n[retention]\njournal = \"32MiB\"\n\
                    exports = \"512MiB\"\nquarantine = \"64MiB\"\n[export]\nfile_rows_max = 65536";
    let shop = Shop::new(port, sections);
    let text = std::fs::read_to_string(shop.config()).expect("just written");
    let usual = "idle = \"1s\"\ncut_interval = \"300ms\"";
    let engine = format!(
        "idle = \"10s\"\ncut_interval = \"2s\"\ncorrection_horizon = \"10s\"\nrepeat_messages = {REPEATS}"
    );
    assert!(text.contains(usual), "{text}");
    std::fs::write(shop.config(), text.replace(usual, &engine)).expect("written");
    shop
}

/// Screens with the board on them; the last one's network is slow.
struct Screens {
    is_over: Arc<AtomicBool>,
    pictures: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Screens {
    fn open(address: SocketAddr, count: usize) -> Screens {
        let (is_over, pictures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let screen = |number: usize| {
            let (is_over, pictures) = (Arc::clone(&is_over), Arc::clone(&pictures));
            let mut stream = TcpStream::connect(address).expect("it listens");
            write!(stream, "GET /api/v1/live HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
            stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
            std::thread::spawn(move || {
                let is_slow = number + 1 == count;
                let mut bytes = vec![0; if is_slow { 1024 } else { 1 << 20 }];
                while !is_over.load(Ordering::Relaxed) {
                    if let Ok(read) = stream.read(&mut bytes) {
                        let ids = bytes[..read].windows(4).filter(|four| four == b"id: ").count();
                        pictures.fetch_add(ids as u64, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(if is_slow { 100 } else { 5 }));
                }
            })
        };
        let threads = (0..count).map(screen).collect();
        Screens { is_over, pictures, threads }
    }

    /// How many pictures they showed.
    fn close(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("it only reads"));
        self.pictures.load(Ordering::Relaxed)
    }
}

/// What somebody asks for in the course of a minute.
fn ask(andon: &mut Andon, second: u64) {
    const VIEWS: [&str; 10] = [
        "status",
        "bays",
        "exceptions?state=all",
        "jobs",
        "balances",
        "ledger?limit=100",
        "queues/billing?from=1",
        "status/gaps",
        "quarantine",
        "usage",
    ];
    match second % 10 {
        0 => drop(andon.json(&format!("/api/v1/{}", VIEWS[(second / 10) as usize % VIEWS.len()]))),
        3 => assert_eq!(andon.get("/metrics").0, 200),
        6 => {
            let open = andon.json("/api/v1/exceptions");
            let Some(id) = open["exceptions"][0]["id"].as_str() else { return };
            let path = format!("/api/v1/exceptions/{id}/acknowledge");
            let (code, answer) = andon.post(&path, &format!("soak-{second}"), &json!({"actor": "T17"}));
            // It may be over, or acknowledged already; and a machine that slept meanwhile answers nobody in time.
            assert!([200, 404, 409, 504].contains(&code), "{code}: {answer}");
        }
        _ => {}
    }
}

/// Everything that was said has been applied.
fn settle(andon: &mut Andon, floor: &Floor) {
    floor.rest();
    until("all is applied and acknowledged", 120, || {
        let counted = (andon.counts().get("messages"), floor.acknowledged());
        if counted == (floor.sent(), floor.sent()) { Ok(()) } else { Err((counted, floor.sent())) }
    });
}

#[test]
fn memory_is_flat_at_the_full_rate_for_as_long_as_anybody_looks() {
    let _alone = alone();
    let soak_s = std::env::var("ANDON_SOAK_S").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let is_long = soak_s >= LONG_S;
    let (history, told) = (if is_long { JOBS } else { 0 }, Arc::new(Told::default()));
    let mut bustle = Bustle::new(history, Arc::clone(&told));
    let floor = Floor::that(Box::new(move |number, now_ms| bustle.says(number, now_ms)));
    let shop = shop(floor.port);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let screens = Screens::open(andon.address(), 4);
    let clock = SystemClock::default();

    floor.publish_at(0);
    let remembered = (BAYS * TOOLS) as u64 * REPEATS;
    until("all bounds are reached", 600, || {
        let (jobs, taken) = (seen(&told.jobs), floor.acknowledged());
        if jobs >= history && taken > remembered { Ok(()) } else { Err((jobs, taken)) }
    });
    settle(&mut andon, &floor);
    let (begun_us, before) = (clock.monotonic_us(), floor.acknowledged());
    let mut memory = Memory::default();
    floor.publish_at(0);
    let watched_us = || clock.monotonic_us() - begun_us;
    for second in 0.. {
        // No sample is made up for: a machine that was asleep would count the moment of its waking many times.
        std::thread::sleep(Duration::from_secs(1));
        memory.saw(andon.resident_kb());
        ask(&mut andon, second);
        if watched_us() > soak_s * 1_000_000 {
            break;
        }
    }
    let rate = (floor.acknowledged() - before) as f64 / watched_us() as f64 * 1e6;
    eprintln!(
        "ready for it after {} s; {rate:.0} messages/s for {soak_s} s; resident, median (least to most) by thirds: {memory}",
        begun_us / 1_000_000
    );

    settle(&mut andon, &floor);
    andon.until_ready();
    let counts = andon.counts();
    eprintln!("{counts:?}; {} pictures", screens.close());
    for (name, expected) in [
        ("readings", &told.readings),
        ("duplicates", &told.repeated),
        ("undecodable", &told.cut),
        ("quarantined", &told.misread),
        ("events", &told.events),
        ("events_applied", &told.events),
    ] {
        assert_eq!(counts.get(name), seen(expected), "{name}");
    }
    andon.stop();
    let sql = "SELECT reason, count(*) AS count FROM quarantine GROUP BY reason ORDER BY reason";
    let bad: Value = shop.history().rows(sql).into();
    let bad_is = json!([{"reason": "not_json", "count": seen(&told.cut)},
        {"reason": "unknown_unit", "count": seen(&told.misread)}]);
    assert_eq!(bad, bad_is, "nothing else is in quarantine");
    assert!(memory.is_flat(NOISE[usize::from(is_long)]), "it grows: {memory}");
    assert!(memory.most_mb() <= MOST_MB, "{memory}");
}
