//! The thread `andon-intake`: the session with the broker on one side and the [`Desk`] on the other.

use std::pin::pin;

use super::IntakeError;
use super::desk::{Attention, Desk};
use super::status::SourceState;
use crate::source::mqtt::{Lost, Session};

/// Runs to the end of the intake.
pub(super) fn run(session: Session, desk: Desk) -> Result<(), IntakeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| IntakeError::Thread { name: "andon-intake", reason: error.to_string() })?;
    let status = desk.status();
    let ended = runtime.block_on(Receiver { session, desk }.run());
    status.set_unacknowledged(0);
    status.set_source(SourceState::Stopped);
    ended
}

struct Receiver {
    session: Session,
    desk: Desk,
}

impl Receiver {
    async fn run(mut self) -> Result<(), IntakeError> {
        while self.connect().await? {
            let Some(lost) = self.receive().await? else { break };
            self.session.lost(lost);
            self.desk.connection_lost();
        }
        self.finish().await
    }

    /// Until connected: `true`; or asked to stop: `false`.
    async fn connect(&mut self) -> Result<bool, IntakeError> {
        let Receiver { session, desk } = self;
        // Each connection may bring a whole window: not another on top of what waits already.
        while desk.is_behind(1) {
            desk.tell_behind(session);
            if let Attention::Stop = desk.attend().await? {
                return Ok(false);
            }
        }
        let status = desk.status();
        let mut connecting = pin!(session.connect(&status));
        loop {
            tokio::select! {
                biased;
                // Nothing to acknowledge without a connection: the packet ids went with the last one.
                attention = desk.attend() => if let Attention::Stop = attention? { return Ok(false) },
                () = &mut connecting => return Ok(true),
            }
        }
    }

    /// Until the connection is lost; or asked to stop: `None`.
    async fn receive(&mut self) -> Result<Option<Lost>, IntakeError> {
        let Receiver { session, desk } = self;
        let status = desk.status();
        let mut was_paused = false;
        // A broker may send what waits in the session in the same breath as its answer to CONNECT.
        if let Err(lost) = desk.take_in(session) {
            return Ok(Some(lost));
        }
        loop {
            // QoS 0 is shed at the bound, so only QoS 1 comes here: from a broker that does not keep to its
            // window. The rest waits in the socket, and there.
            let is_paused = desk.is_behind(2);
            match (was_paused, is_paused) {
                (false, true) => desk.tell_behind(session),
                (true, false) => session.tell(&status),
                _ => {}
            }
            was_paused = is_paused;
            let done = tokio::select! {
                biased;
                attention = desk.attend() => match attention? {
                    Attention::Stop => return Ok(None),
                    Attention::Nothing => Ok(()),
                    Attention::Acknowledge(packet_ids) => desk.acknowledge(session, &packet_ids).await,
                },
                received = session.receive(is_paused) => received.and_then(|()| {
                    let messages = desk.take_in(session)?;
                    desk.rest_after(messages);
                    Ok(())
                }),
            };
            if let Err(lost) = done {
                return Ok(Some(lost));
            }
        }
    }

    /// Commits what has come, acknowledges it and leaves the broker in order.
    async fn finish(&mut self) -> Result<(), IntakeError> {
        let Receiver { session, desk } = self;
        desk.finish().await;
        while desk.hand_over()? {
            let packet_ids = desk.durable().await?;
            if let Err(lost) = desk.acknowledge(session, &packet_ids).await {
                tracing::warn!(reason = lost.reason, "the last acknowledgements are lost");
                desk.connection_lost();
            }
        }
        session.disconnect().await;
        Ok(())
    }
}
