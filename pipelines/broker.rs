//! The embedded broker of the demo: rumqttd, MQTT 3.1.1, on a loopback address, for as long as the process lives.
//!
//! It keeps everything in memory and can lose messages when a subscriber is slow (its log of a filter wraps), so it is
//! for the demo and for tests alone. It takes no message that nobody has subscribed to. Its window for a subscriber is
//! 100 messages, to be acknowledged in the order in which they came.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// Where the demo listens if nobody says otherwise and the port is free.
pub const USUAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1883);

/// Messages that the broker has on the way to one subscriber; fixed in rumqttd.
pub const INFLIGHT_WINDOW: u16 = 100;

/// What to add to a log filter: rumqttd writes an error for each client that leaves.
pub const LOG_DIRECTIVE: &str = "rumqttd=off";

/// Connections at once.
const CONNECTIONS_MAX: usize = 100;

/// Larger packets close their connection.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// The log of each filter holds this much; when it is full its oldest segment goes, read or not.
const LOG_SEGMENT_BYTES: usize = 4 << 20;
const LOG_SEGMENTS: usize = 16;

/// How long a broker may take to listen.
const START_TRIES: u32 = 100;
const START_WAIT: Duration = Duration::from_millis(20);

/// Why there is no embedded broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error(
        "the MQTT address {address} is taken by another program; stop it, or choose another with --mqtt, such as --mqtt 127.0.0.1:0 for any free port"
    )]
    Taken { address: SocketAddr },
    #[error(
        "the embedded broker has no password, so it listens on loopback addresses only, not on {address}; use 127.0.0.1"
    )]
    NotLoopback { address: SocketAddr },
    #[error("cannot listen for MQTT on {address}: {error}; choose another address with --mqtt")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error(
        "the embedded broker did not begin to listen on {address} within 2 s; choose another address with --mqtt"
    )]
    Silent { address: SocketAddr },
}

/// Starts the broker on threads of its own and returns its address once it listens. Without an `address` it takes the
/// [`USUAL_ADDRESS`], or any free port if that is taken; port 0 means any free port.
///
/// # Errors
/// An address that is taken, that is not on loopback, or that cannot be listened on.
pub fn start(address: Option<SocketAddr>) -> Result<SocketAddr, BrokerError> {
    let address = match address {
        Some(address) => free(address)?,
        None => free(USUAL_ADDRESS).or_else(|_| free(SocketAddr::new(USUAL_ADDRESS.ip(), 0)))?,
    };
    let listen = |error| BrokerError::Listen { address, error };
    let mut broker = Broker::new(config(address));
    thread::Builder::new()
        .name("broker".to_owned())
        .spawn(move || {
            // Does not return while it listens.
            if let Err(error) = broker.start() {
                tracing::error!(%error, "the embedded broker stopped");
            }
        })
        .map_err(listen)?;
    for _ in 0..START_TRIES {
        if TcpStream::connect(address).is_ok() {
            tracing::info!(%address, "the embedded broker listens");
            return Ok(address);
        }
        thread::sleep(START_WAIT);
    }
    Err(BrokerError::Silent { address })
}

/// The address, with a port that is free at this moment.
fn free(address: SocketAddr) -> Result<SocketAddr, BrokerError> {
    if !address.ip().is_loopback() {
        return Err(BrokerError::NotLoopback { address });
    }
    // rumqttd only logs that it cannot bind, so it is tried here.
    match TcpListener::bind(address).and_then(|listener| listener.local_addr()) {
        Ok(address) => Ok(address),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(BrokerError::Taken { address }),
        Err(error) => Err(BrokerError::Listen { address, error }),
    }
}

fn config(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: PAYLOAD_BYTES_MAX,
        max_inflight_count: usize::from(INFLIGHT_WINDOW),
        auth: None,
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: "broker-v4".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: CONNECTIONS_MAX,
        max_outgoing_packet_count: 200,
        max_segment_size: LOG_SEGMENT_BYTES,
        max_segment_count: LOG_SEGMENTS,
        ..RouterConfig::default()
    };
    // rumqttd asks for this map; its one entry has no order to differ in.
    let servers = HashMap::from([("v4".to_owned(), server)]);
    Config { router, v4: Some(servers), ..Config::default() }
}

#[cfg(test)]
mod tests;
