//! How long a new user waits: from the start of `andon demo` to the first tile on its board, as time on the wall.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ingest::time::{Clock, SystemClock};

const RUNS: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(2);
const PATIENCE_MS: u64 = 20_000;

/// Killed when it is dropped.
struct Demo(Child);

impl Demo {
    fn start(port: u16) -> Demo {
        let listen = format!("127.0.0.1:{port}");
        let arguments = ["demo", "--http", listen.as_str(), "--mqtt", "127.0.0.1:0"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_andon"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Demo(command.spawn().expect("andon starts"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the board of a port has a tile by now.
fn has_tile(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.write_all(b"GET /api/v1/bays HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.contains("\"bay\":"))
}

fn first_tile_ms(clock: &SystemClock) -> u64 {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let port = port.expect("a free port").port();
    let started_us = clock.monotonic_us();
    let _demo = Demo::start(port);
    loop {
        let waited_ms = (clock.monotonic_us() - started_us) / 1000;
        if has_tile(port) {
            return waited_ms;
        }
        assert!(waited_ms < PATIENCE_MS, "no tile within {PATIENCE_MS} ms");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn main() {
    let clock = SystemClock::default();
    let mut all_ms: Vec<u64> = (0..RUNS).map(|_| first_tile_ms(&clock)).collect();
    all_ms.sort_unstable();
    println!("ms on the wall, of {RUNS} runs                          target    least   median     most");
    let (least, median, most) = (all_ms[0], all_ms[RUNS / 2], all_ms[RUNS - 1]);
    println!("`andon demo` from start to first tile              2000 {least:>8} {median:>8} {most:>8}");
}
