//! What Andon itself tells a broker: for each topic its newest state, retained, over a connection of its own.
//!
//! A retained state needs no queue: whoever subscribes wants the newest alone. So while the broker is slow or away, a
//! state that has not gone out yet is replaced by the one that follows it, and counted; and after each connection all
//! states go out once, for the broker may have lost them. A state counts as published when the broker has acknowledged it.
//!
//! rumqttc's client is made anew for each connection: its memory of unacknowledged packets would meet a broker that has
//! forgotten them, and wait for ever.
//!
//! Bound: the states themselves, and [`FLIGHT_MAX`] of them on their way.

mod outbox;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectionError, Event, MqttOptions, Outgoing, Packet, QoS, TlsConfiguration, Transport,
};
use tokio::sync::Notify;
use tokio::time::sleep;

use self::outbox::Outbox;
pub use self::outbox::States;
use crate::config::{Secret, TlsSettings};
use crate::source::{SourceError, backoff::BackOff, tls};
use crate::time::Clock;

/// States that the broker has not acknowledged yet. Less than what small brokers take.
const FLIGHT_MAX: usize = 16;
/// Whether it may send is asked this often.
const LOOK: Duration = Duration::from_millis(100);
/// How long the end waits for the last states to go out, and then for the broker to hear the good-bye.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The broker, and who we are there.
#[derive(Clone, Debug)]
pub struct PublishSettings {
    pub host: String,
    pub port: u16,
    pub tls: Option<TlsSettings>,
    /// Another one than the source's: a broker knows one connection by each.
    pub client_id: String,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub keep_alive: Duration,
}

/// Asked before each state that goes out.
pub type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// Publishes states until it is closed or dropped.
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

/// What both sides see.
#[derive(Debug, Default)]
struct Shared {
    outbox: Mutex<Outbox>,
    changed: Notify,
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(&mut self.outbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Publisher {
    /// Begins, on a thread of its own.
    ///
    /// # Errors
    /// Certificates that cannot be read. A broker that is away is none: it is tried again.
    pub fn start(
        settings: &PublishSettings,
        may_send: MaySend,
        clock: Arc<dyn Clock>,
    ) -> Result<Publisher, SourceError> {
        let shared = Arc::new(Shared::default());
        let line = Line {
            options: options(settings)?,
            may_send,
            clock,
            shared: Arc::clone(&shared),
            backoff: BackOff::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| SourceError::Thread { reason: error.to_string() })?;
        let thread = std::thread::Builder::new().name("andon-publish".into());
        let thread = thread.spawn(move || runtime.block_on(line.run()));
        let thread = thread.map_err(|error| SourceError::Thread { reason: error.to_string() })?;
        Ok(Publisher { shared, thread: Some(thread) })
    }

    /// These are the states from now on: what is not among them is taken back from the broker.
    pub fn set(&self, states: States) {
        let replaced = self.shared.with(|outbox| outbox.set(states));
        metrics::counter!("andon_publish_replaced_states_total").increment(replaced);
        self.shared.changed.notify_one();
    }

    /// Ends, once the last states are out or a second has passed.
    pub fn close(mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn end(&self) {
        self.shared.with(|outbox| outbox.is_closed = true);
        self.shared.changed.notify_one();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end();
    }
}

fn options(settings: &PublishSettings) -> Result<MqttOptions, SourceError> {
    if settings.client_id.is_empty() {
        return Err(SourceError::NoClientId);
    }
    // rumqttc puts host and port together as a text.
    let host =
        if settings.host.contains(':') { format!("[{}]", settings.host) } else { settings.host.clone() };
    let mut options = MqttOptions::new(settings.client_id.clone(), host, settings.port);
    options
        .set_keep_alive(settings.keep_alive)
        .set_clean_session(true)
        .set_inflight(u16::try_from(FLIGHT_MAX).expect("a few"))
        .set_max_packet_size(1 << 20, 1 << 20);
    if let Some(tls) = &settings.tls {
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(tls::client_config(tls)?)));
    }
    if let Some(username) = &settings.username {
        let password = settings.password.as_ref().map_or("", |password| password.0.as_str());
        options.set_credentials(username, password);
    }
    Ok(options)
}

/// The connections, one after the other.
struct Line {
    options: MqttOptions,
    may_send: MaySend,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    backoff: BackOff,
}

impl Line {
    async fn run(mut self) {
        let connected = metrics::gauge!("andon_publish_connected");
        loop {
            let since_us = self.clock.monotonic_us();
            let ended = self.connection().await;
            connected.set(0.0);
            let Err(error) = ended else { return };
            let lived_us = self.clock.monotonic_us().saturating_sub(since_us);
            self.backoff.ended_after(Duration::from_micros(lived_us));
            let wait = self.backoff.failed();
            let (host, port) = self.options.broker_address();
            let retry_ms = wait.as_millis();
            tracing::warn!(host, port, retry_ms, "states are not published: {error}");
            self.shared.with(Outbox::lost);
            if self.is_closed_within(wait).await {
                return;
            }
        }
    }

    /// Whether the end is asked for before so long has passed.
    async fn is_closed_within(&self, wait: Duration) -> bool {
        let closed = async {
            while !self.shared.with(|outbox| outbox.is_closed) {
                self.shared.changed.notified().await;
            }
        };
        tokio::time::timeout(wait, closed).await.is_ok()
    }

    /// Publishes over one connection, until the end or until it breaks.
    async fn connection(&mut self) -> Result<(), ConnectionError> {
        let (client, mut events) = AsyncClient::new(self.options.clone(), FLIGHT_MAX + 1);
        events.network_options.set_tcp_nodelay(true);
        let mut is_connected = false;
        let mut closing_since_us = None;
        loop {
            // Never dropped half-way: what it has taken and not written would be lost.
            let mut poll = std::pin::pin!(events.poll());
            let event = loop {
                if is_connected {
                    self.hand_over(&client);
                }
                if self.shared.with(|outbox| outbox.is_closed) {
                    let is_done = self.shared.with(|outbox| outbox.is_idle()) || !(self.may_send)();
                    let now_us = self.clock.monotonic_us();
                    let waited_us = now_us - *closing_since_us.get_or_insert(now_us);
                    if is_done || !is_connected || Duration::from_micros(waited_us) > LAST_WAIT {
                        break None;
                    }
                }
                tokio::select! {
                    event = &mut poll => break Some(event?),
                    () = self.shared.changed.notified() => {}
                    () = sleep(LOOK) => {}
                }
            };
            match event {
                None => break,
                Some(Event::Incoming(Packet::ConnAck(_))) => {
                    is_connected = true;
                    metrics::gauge!("andon_publish_connected").set(1.0);
                    self.shared.with(Outbox::connected);
                }
                Some(Event::Outgoing(Outgoing::Publish(packet))) => {
                    self.shared.with(|outbox| outbox.written(packet));
                }
                Some(Event::Incoming(Packet::PubAck(ack))) => {
                    if self.shared.with(|outbox| outbox.acknowledged(ack.pkid)) {
                        metrics::counter!("andon_published_states_total").increment(1);
                    }
                }
                Some(_) => {}
            }
        }
        if is_connected {
            disconnect(&client, &mut events).await;
        }
        Ok(())
    }

    /// As many states as there is room for in flight.
    fn hand_over(&self, client: &AsyncClient) {
        while (self.may_send)()
            && let Some((topic, payload)) = self.shared.with(|outbox| outbox.next(FLIGHT_MAX))
        {
            let sent = client.try_publish(topic.clone(), QoS::AtLeastOnce, true, payload);
            if let Err(error) = sent {
                // Cannot be: its queue is as long as the flight.
                tracing::error!(topic, "a state did not fit into the client's queue: {error}");
            }
        }
    }
}

/// Says good-bye, so that the broker does not take us for lost.
async fn disconnect(client: &AsyncClient, events: &mut rumqttc::EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let said =
        async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
    let _ = tokio::time::timeout(LAST_WAIT, said).await;
}

/// A state of no bytes: the broker forgets what it had.
const NOTHING: Bytes = Bytes::new();
