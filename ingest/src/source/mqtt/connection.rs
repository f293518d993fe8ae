//! The life of a connection: made anew after each loss, and ended so that nothing sent is lost.

use std::time::Duration;

use rumqttc::Packet;
use tokio::time::{sleep, timeout};

use super::{Lost, Session};
use crate::intake::IntakeStatus;
use crate::intake::status::SourceState;
use crate::source::wire::Wire;

/// To wait for the broker to close after DISCONNECT.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

impl Session {
    /// Connects and asks for the subscriptions, however long it takes; `status` says how it goes. Not to be
    /// cancelled, or the try that runs is lost.
    pub(crate) async fn connect(&mut self, status: &IntakeStatus) {
        if self.trouble.is_none() {
            status.set_source(SourceState::Connecting { address: self.address() });
        }
        loop {
            if let Some(reason) = self.trouble.take() {
                let wait = self.backoff.failed();
                let (address, retry_ms) = (self.address(), wait.as_millis());
                tracing::warn!(address, reason, retry_ms, "not connected");
                status.set_source(SourceState::Failed { address, reason, retry_ms });
                sleep(wait).await;
            }
            match self.try_connect().await {
                Ok(()) => return self.tell(status),
                Err(reason) => self.drop_connection(reason),
            }
        }
    }

    async fn try_connect(&mut self) -> Result<(), String> {
        let connect = Packet::Connect(self.connect.clone());
        let (wire, answer) = Wire::open(&self.address, connect, &mut self.unread).await?;
        self.wire = Some(wire);
        let is_session_present = answer.session_present;
        tracing::info!(address = self.address(), is_session_present, "connected");
        self.connected_us = self.clock.monotonic_us();
        self.is_unanswered = false;
        self.rearm_ping();
        match self.subscriptions.connected(is_session_present) {
            None => Ok(()),
            Some(subscribe) => self.send(&Packet::Subscribe(subscribe)).await.map_err(|lost| lost.reason),
        }
    }

    /// After an error: forgets the connection, so that [`connect`](Self::connect) makes a new one.
    pub(crate) fn lost(&mut self, lost: Lost) {
        let lived_us = self.clock.monotonic_us().saturating_sub(self.connected_us);
        self.backoff.ended_after(Duration::from_micros(lived_us));
        self.drop_connection(lost.reason);
    }

    fn drop_connection(&mut self, reason: String) {
        self.wire = None;
        self.ping = None;
        self.unread.clear();
        self.subscriptions.lost();
        self.trouble = Some(reason);
    }

    /// Says DISCONNECT and lets the broker close: closing first, with messages unread, would reset the
    /// connection and could take our last acknowledgements with it. What still comes stays in the session.
    pub(crate) async fn disconnect(&mut self) {
        if self.send(&Packet::Disconnect).await.is_ok()
            && let Some(wire) = &mut self.wire
        {
            let unread = &mut self.unread;
            let closed = async {
                loop {
                    unread.clear();
                    if wire.fill(unread).await.is_err() {
                        break;
                    }
                }
            };
            // A broker that does not close loses nothing by our closing.
            let _ = timeout(CLOSE_TIMEOUT, closed).await;
        }
        self.drop_connection("disconnected".to_owned());
    }
}
