//! A shop floor and its broker in one thread of this process: messages of now at a rate, over MQTT QoS 1, to whoever
//! connects. It times each from its sending to its PUBACK.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use hdrhistogram::Histogram;
use ingest::time::{Clock, SystemClock};
use rumqttc::{Publish, QoS};

/// That of the shipped configurations.
pub(crate) const WINDOW: usize = 5000;
/// Messages in one write.
const CHUNK: usize = 100;
const ANSWER_TIME_MAX: Duration = Duration::from_millis(2);

/// A rate that nobody asks for: nothing is sent.
const REST: u64 = u64::MAX;

/// Topic and payload of the message of a number, said at a time in ms.
pub(crate) type Says = Box<dyn FnMut(u64, i64) -> (String, String) + Send>;

/// What is asked of it, and what it has seen.
#[derive(Debug)]
struct Shared {
    /// Messages a second; 0: as many as are taken.
    rate: AtomicU64,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// Microseconds from sending to PUBACK.
    took_us: Mutex<Histogram<u64>>,
    is_over: AtomicBool,
}

/// Dropping it ends it.
pub(crate) struct Floor {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Floor {
    /// With so many tools, each with a topic of its own.
    pub(crate) fn open(tools: usize) -> Floor {
        Floor::that(Box::new(move |number, now_ms| torque(tools, number, now_ms)))
    }

    /// One that says something else.
    pub(crate) fn that(says: Says) -> Floor {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared {
            rate: AtomicU64::new(1),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            took_us: Mutex::new(Histogram::new(3).expect("three digits")),
            is_over: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&listener, says, &of_thread));
        Floor { port, shared, thread: Some(thread) }
    }

    /// Messages a second from now on; 0: as many as are taken.
    pub(crate) fn publish_at(&self, rate: u64) {
        self.shared.rate.store(rate, Ordering::Relaxed);
    }

    /// Says nothing more.
    pub(crate) fn rest(&self) {
        self.publish_at(REST);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Milliseconds to PUBACK at the percentile, and the longest, since this was asked last.
    pub(crate) fn took_ms(&self, percentile: f64) -> (f64, f64) {
        let mut took_us = self.shared.took_us.lock().expect("nobody panics within");
        let (at, most) = (took_us.value_at_quantile(percentile / 100.0), took_us.max());
        took_us.reset();
        (at as f64 / 1e3, most as f64 / 1e3)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One client after the other: Andon, and Andon again after a restart.
fn serve(listener: &TcpListener, mut says: Says, shared: &Shared) {
    let mut number = 0;
    while let Ok((socket, _)) = listener.accept() {
        if shared.is_over.load(Ordering::Relaxed) {
            return;
        }
        let _ =
            Session { socket, shared, clock: SystemClock::default(), says: &mut says, number: &mut number }
                .run();
    }
}

struct Session<'a> {
    socket: TcpStream,
    shared: &'a Shared,
    clock: SystemClock,
    says: &'a mut Says,
    /// Of the next message, over all sessions.
    number: &'a mut u64,
}

impl Session<'_> {
    fn run(mut self) -> std::io::Result<()> {
        self.socket.set_nodelay(true)?;
        let mut packet = [0; 512];
        let _ = self.socket.read(&mut packet)?;
        self.socket.write_all(&[0x20, 2, 0, 0])?;
        let read = self.socket.read(&mut packet)?;
        // One granted QoS for each filter: a SUBSCRIBE names its id, and ends each filter with the QoS wished for.
        let mut suback = vec![0x90, 0, packet[2], packet[3]];
        let mut at = 4;
        while at + 2 < read {
            at += 3 + usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
            suback.push(1);
        }
        suback[1] = suback.len() as u8 - 2;
        self.socket.write_all(&suback)?;
        self.socket.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        let mut sent_us: VecDeque<u64> = VecDeque::with_capacity(WINDOW);
        let mut answers = Vec::new();
        let (mut since_us, mut rate, mut of_rate) = (self.clock.monotonic_us(), 0, 0);
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let now_us = self.clock.monotonic_us();
            let asked = self.shared.rate.load(Ordering::Relaxed);
            if asked != rate {
                (since_us, rate, of_rate) = (now_us, asked, 0);
            }
            let due = match rate {
                0 => u64::MAX,
                REST => 0,
                rate => (now_us - since_us) * rate / 1_000_000,
            };
            let room = WINDOW - sent_us.len();
            let count = (due.saturating_sub(of_rate)).min(CHUNK.min(room) as u64);
            if count > 0 {
                self.send(count)?;
                of_rate += count;
                sent_us.extend((0..count).map(|_| now_us));
            }
            if count == 0 || room < CHUNK {
                self.take(&mut answers, &mut sent_us)?;
            } else if count < CHUNK as u64 {
                std::thread::sleep(Duration::from_micros(200));
                self.take(&mut answers, &mut sent_us)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, count: u64) -> std::io::Result<()> {
        let mut bytes = BytesMut::new();
        let now_ms = self.clock.now_ms();
        for _ in 0..count {
            let number = *self.number;
            let (topic, payload) = (self.says)(number, now_ms);
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
            publish.pkid = (number % 65_535) as u16 + 1;
            publish.write(&mut bytes).expect("a packet");
            *self.number += 1;
        }
        self.socket.write_all(&bytes)?;
        self.shared.sent.fetch_add(count, Ordering::Relaxed);
        Ok(())
    }

    /// Takes what has come: PUBACKs, in order, and pings.
    fn take(&mut self, answers: &mut Vec<u8>, sent_us: &mut VecDeque<u64>) -> std::io::Result<()> {
        let mut read = [0; 8192];
        match self.socket.read(&mut read) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => answers.extend_from_slice(&read[..count]),
            // Interrupted: the machine was asleep.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let now_us = self.clock.monotonic_us();
        let mut at = 0;
        let mut took_us = self.shared.took_us.lock().expect("nobody panics within");
        while let Some(&length) =
            answers.get(at + 1).filter(|length| answers.len() >= at + 2 + usize::from(**length))
        {
            match answers[at] {
                0x40 => {
                    let sent_us = sent_us.pop_front().expect("it was sent");
                    took_us.record(now_us - sent_us).expect("it resizes");
                    self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                0xC0 => self.socket.write_all(&[0xD0, 0])?,
                _ => {}
            }
            at += 2 + usize::from(length);
        }
        answers.drain(..at);
        Ok(())
    }
}

/// A joint tightened by one of so many tools.
pub(crate) fn torque(tools: usize, number: u64, now_ms: i64) -> (String, String) {
    let tool = number as usize * 7 % tools;
    let topic = format!("workshop/lyon/bay-{:03}/tool-{tool:05}/telemetry", tool % 100);
    let payload = format!(
        "{{\"ts\":{now_ms},\"metric\":\"torque\",\"value\":{}.25,\"unit\":\"N.m\",\"seq\":{},\
         \"tags\":{{\"joint\":\"J{:02}\",\"pset\":\"P07\",\"grade\":\"A\"}}}}",
        80 + number % 10,
        number / tools as u64,
        number % 20,
    );
    (topic, payload)
}
