//! A wire between a broker and Andon on which somebody writes down what Andon acknowledges.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rumqttc::Packet;

/// Topic and payload of each message of QoS 1 that was acknowledged.
type Acknowledged = Arc<Mutex<Vec<(String, Vec<u8>)>>>;
/// What the broker sent over a connection, by packet id.
type Sent = Mutex<BTreeMap<u16, (String, Vec<u8>)>>;

/// Listens on `port` for as long as the test's process runs.
pub(crate) struct Witness {
    pub(crate) port: u16,
    acknowledged: Acknowledged,
}

impl Witness {
    /// Between the broker on `port` and who connects here.
    pub(crate) fn of(broker: u16) -> Witness {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acknowledged = Acknowledged::default();
        let book = Arc::clone(&acknowledged);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // The broker may be down: then nobody is here either.
                let Ok(far) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
                join(near, far, Arc::clone(&book));
            }
        });
        Witness { port, acknowledged }
    }

    /// What was acknowledged so far.
    pub(crate) fn acknowledged(&self) -> Vec<(String, Vec<u8>)> {
        self.acknowledged.lock().expect("the book").clone()
    }
}

fn join(near: TcpStream, far: TcpStream, book: Acknowledged) {
    let sent = Arc::new(Sent::default());
    let [here, there] = [&near, &far].map(|end| end.try_clone().expect("a socket"));
    let of_broker = Arc::clone(&sent);
    std::thread::spawn(move || {
        pass(far, near, |packet| {
            if let Packet::Publish(publish) = packet
                && publish.pkid != 0
            {
                let message = (publish.topic, publish.payload.to_vec());
                of_broker.lock().expect("what was sent").insert(publish.pkid, message);
            }
        });
    });
    std::thread::spawn(move || {
        pass(here, there, |packet| {
            if let Packet::PubAck(ack) = packet {
                let message = sent.lock().expect("what was sent").remove(&ack.pkid);
                book.lock().expect("the book").extend(message);
            }
        });
    });
}

/// Passes all on, each packet once it has been looked at, until one end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(Packet)) {
    let (mut unread, mut chunk) = (BytesMut::new(), vec![0; 1 << 16]);
    while let Ok(bytes @ 1..) = from.read(&mut chunk) {
        unread.extend_from_slice(&chunk[..bytes]);
        loop {
            match Packet::read(&mut unread, usize::MAX) {
                Ok(packet) => look(packet),
                Err(rumqttc::Error::InsufficientBytes(_)) => break,
                Err(error) => panic!("nonsense on the wire: {error}"),
            }
        }
        if to.write_all(&chunk[..bytes]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
