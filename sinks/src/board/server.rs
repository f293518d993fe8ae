//! The port: accepts connections within limits, and ends in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use super::patience::Patience;
use super::{Board, routes};
use crate::prometheus::Prometheus;

/// Connections at once. At the bound new ones wait in the system's queue until one closes.
const CONNECTIONS_MAX: usize = 512;
/// A request's first line and headers; more is answered with 431.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// From the opening of a connection, or the answer before, to the end of the headers.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// A client that reads nothing for so long while there is something to send is dropped.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// For answers under way when the server shuts down.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);
/// How often histograms are tidied, also when nobody fetches `/metrics`.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Pause after the system could not give a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Why the board could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "cannot serve the board on {listen}: the port is taken; stop what listens there, or choose another \
         address with `--http` or `[http] listen`"
    )]
    PortTaken { listen: SocketAddr },
    #[error(
        "cannot serve the board on {listen}: this machine has no such address; use 127.0.0.1 for this machine \
         alone, 0.0.0.0 for all of its addresses"
    )]
    NoSuchAddress { listen: SocketAddr },
    #[error("cannot serve the board on {listen}: {reason}; choose another address or port")]
    Refused { listen: SocketAddr, reason: std::io::Error },
}

/// Serves `board` on `listen` (port 0: any free one) until `shutdown` is done, then lets answers under way
/// finish for 2 seconds. Gives the address it listens on, and a handle that ends when all is closed.
///
/// # Errors
///
/// The address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    board: Board,
    prometheus: Arc<Prometheus>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(SocketAddr, JoinHandle<()>), ServeError> {
    let refuse = |reason: std::io::Error| match reason.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::PortTaken { listen },
        std::io::ErrorKind::AddrNotAvailable => ServeError::NoSuchAddress { listen },
        _ => ServeError::Refused { listen, reason },
    };
    let listener = TcpListener::bind(listen).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    let closing = board.closing.clone();
    let server = Server { router: routes::router(board, prometheus.clone()), closing: closing.subscribe() };
    let handle = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        tokio::select! {
            () = shutdown => {}
            () = server.accept(&listener, &mut connections) => {}
            () = tidy(&prometheus) => {}
        }
        drop(listener);
        closing.send_replace(true);
        while connections.join_next().await.is_some() {}
    });
    Ok((address, handle))
}

/// Keeps the memory of histograms bounded.
async fn tidy(prometheus: &Prometheus) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        prometheus.upkeep();
    }
}

struct Server {
    router: Router,
    closing: watch::Receiver<bool>,
}

impl Server {
    /// Takes connections in, for ever.
    async fn accept(&self, listener: &TcpListener, connections: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((connection, peer)) => {
                    let (router, closing) = (self.router.clone(), self.closing.clone());
                    connections.spawn(converse((connection, peer), router, closing, place));
                }
                Err(reason) => {
                    warn!(%reason, "the board cannot take a connection now, and tries again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Answers the requests of one connection, until either side has had enough.
async fn converse(
    (connection, peer): (TcpStream, SocketAddr),
    router: Router,
    mut closing: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Without this a small event may wait for the acknowledgement of the one before.
    let _ = connection.set_nodelay(true);
    let connection = TokioIo::new(Patience::new(connection, WRITE_TIME_MAX));
    let router = TowerToHyperService::new(router);
    let router = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        // Routes that do not answer everybody look at it.
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(connection, router);
    let mut conversation = std::pin::pin!(conversation);
    let ended = tokio::select! {
        ended = conversation.as_mut() => Some(ended),
        _ = closing.wait_for(|closing| *closing) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            conversation.as_mut().graceful_shutdown();
            tokio::time::timeout(CLOSE_TIME_MAX, conversation).await.unwrap_or(Ok(()))
        }
    };
    // A client that hung up, sent no HTTP or was too slow: its own affair.
    if let Err(reason) = ended {
        debug!(%reason, "a connection to the board ended early");
    }
}
