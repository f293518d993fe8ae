//! One persistent MQTT 3.1.1 session with one broker.
//!
//! rumqttc has the packets; the loop around them is our own. rumqttc's loop clones each message, reads 8 KiB
//! at a time, writes each acknowledgement by itself, and after an error tells events of the dead connection
//! as if they were of the next; PUBLISH is found in place ([`frame`](super::frame)), and acknowledgements go
//! out in one write.
//!
//! **Sessions.** The broker keeps subscriptions and unacknowledged messages under the fixed client id. We
//! subscribe at the first connection of a process, since the configuration may have changed, and whenever
//! the broker says that it has no session. Filters of an earlier configuration stay in the broker's session
//! until that is removed there; what they bring in is quarantined like any unknown topic.

mod connection;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{Connect, Login, Packet, QoS};
use tokio::time::{Sleep, sleep};

use super::backoff::BackOff;
use super::frame::{Frame, Published, Unread};
use super::subscriptions::Subscriptions;
use super::wire::{Address, Wire};
use super::{SourceError, tls};
use crate::config::SourceSettings;
use crate::intake::IntakeStatus;
use crate::intake::status::SourceState;
use crate::time::Clock;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) reason: String,
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        Lost { reason: error.to_string() }
    }
}

pub(crate) struct Session {
    address: Address,
    connect: Connect,
    /// Zero: no pings.
    keep_alive: Duration,
    clock: Arc<dyn Clock>,
    backoff: BackOff,
    /// Why there is no connection, where there was one or a try at one: the next waits first.
    trouble: Option<String>,
    wire: Option<Wire>,
    connected_us: u64,
    unread: Unread,
    subscriptions: Subscriptions,
    /// When to ping next; none while not connected, or when the configuration wants no pings.
    ping: Option<Pin<Box<Sleep>>>,
    /// Nothing at all was heard since the last ping.
    is_unanswered: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Session {
    /// `payload_bytes_max`: longer payloads need not be whole.
    pub(crate) fn new(
        settings: &SourceSettings,
        filters: &[String],
        payload_bytes_max: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Session, SourceError> {
        if settings.client_id.is_empty() {
            return Err(SourceError::NoClientId);
        }
        if filters.is_empty() {
            return Err(SourceError::NoFilters);
        }
        let qos = match settings.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            qos => return Err(SourceError::Qos { qos }),
        };
        let tls = settings.tls.as_ref().map(tls::client_config).transpose()?;
        let mut connect = Connect::new(settings.client_id.clone());
        connect.clean_session = false;
        // MQTT counts in whole seconds in 16 bits.
        connect.keep_alive = u16::try_from(settings.keep_alive.as_secs()).unwrap_or(u16::MAX);
        connect.login = settings.username.as_ref().map(|username| {
            let password = settings.password.as_ref().map_or("", |password| password.0.as_str());
            Login::new(username.clone(), password)
        });
        Ok(Session {
            address: Address { host: settings.host.clone(), port: settings.port, tls },
            keep_alive: Duration::from_secs(connect.keep_alive.into()),
            connect,
            clock,
            backoff: BackOff::new(),
            trouble: None,
            wire: None,
            connected_us: 0,
            unread: Unread::new(payload_bytes_max),
            subscriptions: Subscriptions::new(filters, qos),
            ping: None,
            is_unanswered: false,
        })
    }

    /// `mqtt://host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits for bytes, and for pings to send. What came is then there for [`take`](Self::take). While
    /// `is_paused`, nothing is read and the pings go on. May be cancelled.
    pub(crate) async fn receive(&mut self, is_paused: bool) -> Result<(), Lost> {
        if self.is_ping_first(is_paused).await? {
            // What the broker answered while we did not read is not heard yet.
            self.is_unanswered &= !is_paused;
            return self.ping().await;
        }
        self.is_unanswered = false;
        Ok(())
    }

    /// Reads, if it may; or tells that it is time for a ping before anything came.
    async fn is_ping_first(&mut self, is_paused: bool) -> Result<bool, Lost> {
        let Session { wire, unread, ping, .. } = self;
        let Some(wire) = wire else { return Err(no_connection()) };
        let mut fill = pin!(wire.fill(unread));
        let first = poll_fn(|context| {
            if !is_paused && let Poll::Ready(filled) = fill.as_mut().poll(context) {
                return Poll::Ready(filled.map(|()| false));
            }
            match ping {
                Some(ping) => ping.as_mut().poll(context).map(|()| Ok(true)),
                None => Poll::Pending,
            }
        });
        Ok(first.await?)
    }

    /// Gives the messages received to `take`, in order.
    pub(crate) fn take(
        &mut self,
        status: &IntakeStatus,
        mut take: impl FnMut(Published<'_>),
    ) -> Result<(), Lost> {
        loop {
            let answer = match self.unread.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Frame::Publish(message))) => {
                    take(message);
                    continue;
                }
                Ok(Some(Frame::Other(bytes))) => Packet::read(&mut BytesMut::from(bytes), usize::MAX),
                Err(malformed) => return Err(Lost { reason: malformed.to_string() }),
            };
            match answer {
                Ok(Packet::SubAck(answer)) => {
                    self.subscriptions.answered(answer);
                    self.tell(status);
                }
                Ok(Packet::PingResp) => {}
                Ok(packet) => tracing::warn!(?packet, "the broker sent a packet that has no meaning here"),
                Err(error) => {
                    return Err(Lost { reason: format!("the broker sent a malformed packet: {error}") });
                }
            }
        }
    }

    /// Says how it stands with the subscriptions.
    pub(crate) fn tell(&self, status: &IntakeStatus) {
        let refused = self.subscriptions.refused();
        status.set_source(if self.subscriptions.is_asking() {
            SourceState::Connected { address: self.address() }
        } else if refused.is_empty() {
            SourceState::Subscribed
        } else {
            tracing::error!(?refused, "the broker refused subscriptions");
            SourceState::Refused { filters: refused }
        });
    }

    async fn ping(&mut self) -> Result<(), Lost> {
        if self.is_unanswered {
            let seconds = self.keep_alive.as_secs();
            return Err(Lost {
                reason: format!("the broker was silent for {seconds} s and did not answer a ping"),
            });
        }
        self.is_unanswered = true;
        self.rearm_ping();
        self.send(&Packet::PingReq).await?;
        match self.subscriptions.retry() {
            None => Ok(()),
            Some(subscribe) => self.send(&Packet::Subscribe(subscribe)).await,
        }
    }

    fn rearm_ping(&mut self) {
        self.ping = (!self.keep_alive.is_zero()).then(|| Box::pin(sleep(self.keep_alive)));
    }

    /// Acknowledges messages of this connection, in order of receipt, in one write.
    pub(crate) async fn acknowledge(&mut self, packet_ids: &[u16]) -> Result<(), Lost> {
        let wire = self.wire.as_mut().ok_or_else(no_connection)?;
        for &packet_id in packet_ids {
            wire.put_acknowledgement(packet_id);
        }
        Ok(wire.flush().await?)
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), Lost> {
        let wire = self.wire.as_mut().ok_or_else(no_connection)?;
        wire.put(packet);
        Ok(wire.flush().await?)
    }
}

fn no_connection() -> Lost {
    Lost { reason: "there is no connection".to_owned() }
}
