//! Debian's Mosquitto on a free loopback port, with a configuration and a folder of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{Connect, ConnectReturnCode, Packet, Publish, QoS};

const BINARY: &str = "/usr/sbin/mosquitto";

/// A broker that is there until it is dropped.
pub(crate) struct Mosquitto {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Mosquitto {
    /// Starts one with the configuration that Andon recommends and `more` lines, `FOLDER` standing for the
    /// broker's folder. `None`, with a line that says so, where there is no Mosquitto.
    pub(crate) fn start(more: &str) -> Option<Mosquitto> {
        let mut broker = Mosquitto::prepare("", more)?;
        broker.run();
        Some(broker)
    }

    /// One that is not running yet. `listen` are the listener's own lines, such as those for TLS.
    pub(crate) fn prepare(listen: &str, more: &str) -> Option<Mosquitto> {
        if !Path::new(BINARY).exists() {
            eprintln!("skipped: there is no {BINARY}; install Debian's package mosquitto");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let path = folder.path().display().to_string();
        let more = more.replace("FOLDER", &path);
        let access = if more.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
        let window = if more.contains("max_inflight") { "" } else { "max_inflight_messages 1000\n" };
        let listen = listen.replace("FOLDER", &path);
        let config = format!(
            "listener {port} 127.0.0.1\n{listen}\nuser root\npersistence true\npersistence_location {path}/\n\
             max_queued_messages 0\nset_tcp_nodelay true\n{window}{access}{more}\n"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).expect("a configuration");
        Some(Mosquitto { port, folder, process: None })
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits until it listens.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::create(self.folder().join("log")).expect("a log");
        let process = Command::new(BINARY)
            .arg("-c")
            .arg(self.folder().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto starts");
        self.process = Some(process);
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        panic!("mosquitto does not listen on {}: {log}", self.port);
    }

    /// As a power cut does: what it has not saved is gone. [`run`](Self::run) starts it again.
    #[allow(dead_code, reason = "not all tests that share this file kill it")]
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it is there");
        process.wait().expect("a process");
    }

    /// Ends it in order, its sessions written to disk.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let id = process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().is_ok_and(|status| status.success());
        if !asked {
            let _ = process.kill();
        }
        let _ = process.wait();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A plain publisher over a socket: MQTT 3.1.1, waits for the broker to have taken everything.
pub(crate) struct Publisher {
    socket: TcpStream,
    unread: BytesMut,
    unwritten: BytesMut,
    next_id: u16,
    unacknowledged: usize,
}

impl Publisher {
    pub(crate) fn connect(port: u16) -> Publisher {
        Publisher::named(port, 0)
    }

    /// A broker knows its clients apart by their names.
    pub(crate) fn named(port: u16, number: usize) -> Publisher {
        Publisher::try_named(port, number).expect("the broker")
    }

    /// As [`named`](Self::named), with a broker that may not be there.
    pub(crate) fn try_named(port: u16, number: usize) -> std::io::Result<Publisher> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let (unread, unwritten) = (BytesMut::new(), BytesMut::new());
        let mut publisher = Publisher { socket, unread, unwritten, next_id: 0, unacknowledged: 0 };
        let mut connect = Connect::new(format!("publisher-{port}-{number}"));
        connect.keep_alive = 600;
        publisher.put(&Packet::Connect(connect));
        publisher.flush()?;
        match publisher.read()? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => Ok(publisher),
            packet => panic!("the broker answered {packet:?}"),
        }
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) {
        self.try_publish(topic, payload, qos).expect("the broker answers");
    }

    /// As [`publish`](Self::publish), with a broker that may go away.
    pub(crate) fn try_publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> std::io::Result<()> {
        let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, payload);
        if qos == QoS::AtLeastOnce {
            self.next_id = self.next_id % 60_000 + 1;
            publish.pkid = self.next_id;
            self.unacknowledged += 1;
        }
        self.put(&Packet::Publish(publish));
        // In flight at most as many as a broker takes from one client.
        if self.unacknowledged >= 20 {
            self.try_settle()?;
        } else if self.unwritten.len() > 16_384 {
            self.flush()?;
        }
        Ok(())
    }

    /// Waits until the broker has acknowledged all of QoS 1, and all is written.
    pub(crate) fn settle(&mut self) {
        self.try_settle().expect("the broker answers");
    }

    /// As [`settle`](Self::settle), with a broker that may go away.
    pub(crate) fn try_settle(&mut self) -> std::io::Result<()> {
        self.flush()?;
        while self.unacknowledged > 0 {
            if let Packet::PubAck(_) = self.read()? {
                self.unacknowledged -= 1;
            }
        }
        Ok(())
    }

    fn put(&mut self, packet: &Packet) {
        packet.write(&mut self.unwritten, usize::MAX).expect("a packet");
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.write_all(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }

    fn read(&mut self) -> std::io::Result<Packet> {
        loop {
            match Packet::read(&mut self.unread, usize::MAX) {
                Ok(packet) => return Ok(packet),
                Err(rumqttc::Error::InsufficientBytes(_)) => {
                    let mut chunk = [0; 4096];
                    let read = self.socket.read(&mut chunk)?;
                    if read == 0 {
                        return Err(std::io::ErrorKind::ConnectionReset.into());
                    }
                    self.unread.extend_from_slice(&chunk[..read]);
                }
                Err(error) => panic!("the broker sent nonsense: {error}"),
            }
        }
    }
}

/// A wire to the broker that can be cut.
pub(crate) struct Wire {
    pub(crate) port: u16,
    ends: Arc<Mutex<Vec<TcpStream>>>,
    connections: Arc<AtomicU64>,
}

impl Wire {
    /// To `broker`, for as long as the test's process runs.
    pub(crate) fn to(broker: u16) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicU64::new(0));
        let wire = Wire { port, ends: Arc::clone(&ends), connections: Arc::clone(&connections) };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let address = SocketAddr::from(([127, 0, 0, 1], broker));
                let Ok(far) = TcpStream::connect(address) else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let both = [near.try_clone(), far.try_clone()].map(|end| end.expect("a socket"));
                ends.lock().expect("ends").extend(both);
                for (mut from, mut to) in
                    [(near.try_clone().expect("a socket"), far.try_clone().expect("a socket")), (far, near)]
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        wire
    }

    /// Cuts all connections that are there now.
    pub(crate) fn cut(&self) {
        for end in self.ends.lock().expect("ends").drain(..) {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Connections made so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}
