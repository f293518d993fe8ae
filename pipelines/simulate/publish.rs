//! A simulated workshop live: its messages go to a broker when their time has come.
//!
//! The shop's clock starts with the connection and then runs as the machine's does, so the times in messages are
//! those of now; what a gateway held back keeps its old ones. While the broker is away nothing piles up: the shop is
//! asked for its next message only when the one before has gone, and catches up afterwards.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ingest::time::Clock;
use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};

use super::fault::Fault;
use super::{Published, SimulateError, SimulateSettings, Workshop};

mod broker_url;
mod flight;
mod report;

pub use broker_url::BrokerUrl;
use flight::Flight;
pub use report::PublishReport;

/// First and longest wait before another try to connect; it doubles in between.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// At the end, how long the last acknowledgements are waited for.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Publishes a workshop for `duration`, or without one until `stop` is ready. The time counts from the first
/// connection; `settings.start_ms` is then set to now.
///
/// # Errors
/// Settings that no shop can have; a broker that did not answer within `duration` at all. A broker that is lost later
/// is an interruption, not an error.
pub async fn publish(
    settings: SimulateSettings,
    broker: &BrokerUrl,
    duration: Option<Duration>,
    clock: &dyn Clock,
    stop: impl Future<Output = ()>,
) -> Result<PublishReport, SimulateError> {
    let mut stop = std::pin::pin!(stop);
    Workshop::new(settings.clone())?;
    let client_id = format!("andon-simulate-{}-{}", settings.seed, std::process::id());
    let mut publisher = Publisher {
        settings,
        options: options(broker, &client_id),
        clock,
        duration,
        shop: None,
        next: None,
        flight: Flight::default(),
        report: PublishReport::default(),
        asked_us: clock.monotonic_us(),
        ending_us: None,
        stopped: false,
    };
    let mut wait = RETRY.0;
    let mut last_reason = None;
    loop {
        let Err(reason) = publisher.connection(&mut wait, stop.as_mut()).await else { break };
        let reason = &*last_reason.insert(reason.to_string());
        if publisher.is_over() {
            break;
        }
        publisher.report.reconnects += 1;
        tracing::warn!(%broker, %reason, retry_ms = wait.as_millis(), "no connection to the broker, trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.as_mut() => {
                publisher.stopped = true;
                break;
            }
        }
        wait = (wait * 2).min(RETRY.1);
    }
    if publisher.shop.is_none() && !publisher.stopped {
        let seconds = publisher.duration.unwrap_or_default().as_secs_f64();
        let reason = last_reason.unwrap_or_else(|| "it takes the connection and says nothing".to_owned());
        return Err(SimulateError::NoBroker { broker: broker.to_string(), seconds, reason });
    }
    Ok(publisher.finish())
}

fn options(broker: &BrokerUrl, client_id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, &broker.host, broker.port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_clean_session(true)
        .set_inflight(flight::INFLIGHT_MAX)
        .set_max_packet_size(1 << 20, 1 << 20);
    if let Some((user, password)) = broker.login() {
        options.set_credentials(user, password);
    }
    options
}

/// Everything that outlives a connection.
struct Publisher<'a> {
    settings: SimulateSettings,
    options: MqttOptions,
    clock: &'a dyn Clock,
    duration: Option<Duration>,
    /// The shop, and when (monotonic) it opened.
    shop: Option<(Workshop, u64)>,
    /// Taken from the shop; its time has not come or there was no room.
    next: Option<Published>,
    flight: Flight,
    report: PublishReport,
    asked_us: u64,
    /// When (monotonic) the last acknowledgements began to be waited for.
    ending_us: Option<u64>,
    /// By hand.
    stopped: bool,
}

/// What a round of the loop waits for beside the connection.
enum Wait {
    /// The next message is due in so many milliseconds.
    Due(u64),
    /// Room in flight, or the broker's answer.
    Connection,
}

impl Publisher<'_> {
    /// Publishes over one connection, until the end or until it breaks.
    async fn connection(
        &mut self,
        wait: &mut Duration,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), ConnectionError> {
        // A new client each time: its state of the old session would meet a broker that has forgotten it.
        let (client, mut events) = AsyncClient::new(self.options.clone(), flight::HELD_MAX);
        events.network_options.set_tcp_nodelay(true);
        self.report.sent_again += self.flight.send_again(&client);
        let mut disconnecting = false;
        loop {
            let event = self.next_event(&client, &mut events, stop.as_mut(), &mut disconnecting).await?;
            match event {
                Some(Event::Incoming(Packet::ConnAck(_))) => {
                    *wait = RETRY.0;
                    self.open();
                }
                Some(Event::Incoming(Packet::PubAck(ack))) => {
                    self.flight.acknowledged(ack.pkid, &mut self.report)
                }
                Some(Event::Outgoing(Outgoing::Publish(packet))) => {
                    self.flight.written(packet, &mut self.report)
                }
                Some(Event::Outgoing(Outgoing::Disconnect)) | None => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// The connection's next event, while messages that are due are handed to it. None when there is nothing more to
    /// wait for. The poll is never dropped half-way, except at the end.
    async fn next_event(
        &mut self,
        client: &AsyncClient,
        events: &mut EventLoop,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        disconnecting: &mut bool,
    ) -> Result<Option<Event>, ConnectionError> {
        let mut poll = std::pin::pin!(events.poll());
        loop {
            let over = self.is_over();
            if !over && let Wait::Due(due_ms) = self.hand_over(client) {
                tokio::select! {
                    biased;
                    () = stop.as_mut() => self.stop(),
                    event = &mut poll => return event.map(Some),
                    () = tokio::time::sleep(Duration::from_millis(due_ms)) => {}
                }
                continue;
            }
            if over && (self.shop.is_none() || self.waited_enough()) {
                return Ok(None);
            }
            if over && self.flight.is_empty() && !*disconnecting {
                *disconnecting = true;
                let _ = client.try_disconnect();
            }
            tokio::select! {
                biased;
                () = stop.as_mut(), if !over => self.stop(),
                event = &mut poll => return event.map(Some),
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// The shop opens at the first connection.
    fn open(&mut self) {
        if self.shop.is_none() {
            let settings = SimulateSettings { start_ms: self.clock.now_ms(), ..self.settings.clone() };
            let opened_us = self.clock.monotonic_us();
            self.shop = Workshop::new(settings).ok().map(|shop| (shop, opened_us));
        }
    }

    /// Hands over what is due, as far as there is room.
    fn hand_over(&mut self, client: &AsyncClient) -> Wait {
        let Some((shop, opened_us)) = &mut self.shop else { return Wait::Connection };
        let start_ms = shop.start_ms();
        while self.flight.has_room() {
            let message = self.next.take().unwrap_or_else(|| shop.next_message());
            let due_us = *opened_us + u64::try_from(message.at_ms - start_ms).unwrap_or(0) * 1000;
            let now_us = self.clock.monotonic_us();
            if due_us > now_us {
                self.next = Some(message);
                return Wait::Due((due_us - now_us).div_ceil(1000));
            }
            self.flight.send(client, message);
        }
        Wait::Connection
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.end();
    }

    fn end(&mut self) {
        let now_us = self.clock.monotonic_us();
        self.ending_us.get_or_insert(now_us);
    }

    /// Whether no more is published; from the first time that it is, the last wait runs.
    fn is_over(&mut self) -> bool {
        let began_us = self.shop.as_ref().map_or(self.asked_us, |(_, opened_us)| *opened_us);
        let gone = Duration::from_micros(self.clock.monotonic_us().saturating_sub(began_us));
        if self.duration.is_some_and(|duration| gone >= duration) {
            self.end();
        }
        self.ending_us.is_some()
    }

    fn waited_enough(&self) -> bool {
        let waited_us =
            self.ending_us.map_or(0, |since_us| self.clock.monotonic_us().saturating_sub(since_us));
        Duration::from_micros(waited_us) >= LAST_WAIT
    }

    fn finish(mut self) -> PublishReport {
        self.report.unacknowledged = self.flight.unacknowledged();
        if let Some((shop, opened_us)) = &self.shop {
            let end_us = self.ending_us.unwrap_or_else(|| self.clock.monotonic_us());
            self.report.seconds = end_us.saturating_sub(*opened_us) as f64 / 1e6;
            let count = |(fault, count): (Fault, u64)| (fault.name(), count);
            self.report.faults = shop.faults().into_iter().map(count).collect();
        }
        self.report
    }
}

fn quality(qos: u8) -> QoS {
    if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce }
}

#[cfg(test)]
mod tests;
