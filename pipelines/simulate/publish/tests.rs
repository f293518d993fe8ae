use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ingest::time::SystemClock;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::broker;
use crate::simulate::{Faults, LIVE_SPEED};

fn shop(rate: f64) -> SimulateSettings {
    SimulateSettings { rate, speed: LIVE_SPEED, seed: 3, ..SimulateSettings::default() }
}

fn url(address: SocketAddr) -> BrokerUrl {
    BrokerUrl::new(&address.ip().to_string(), address.port())
}

fn any_broker() -> SocketAddr {
    broker::start(Some("127.0.0.1:0".parse().unwrap())).unwrap()
}

/// Hears everything under `workshop/` from now on, as (topic, payload).
async fn hear(address: SocketAddr) -> Arc<Mutex<Vec<(String, Vec<u8>)>>> {
    let (client, mut events) = AsyncClient::new(options(&url(address), "listener"), 10);
    client.subscribe("workshop/#", QoS::AtLeastOnce).await.unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            if let Event::Incoming(Packet::Publish(publish)) = event {
                hearing.lock().unwrap().push((publish.topic, publish.payload.to_vec()));
            }
        }
        drop(client);
    });
    heard
}

/// Waits until `count` messages were heard, or nothing more comes for long.
async fn wait_for(heard: &Mutex<Vec<(String, Vec<u8>)>>, count: usize) {
    for _ in 0..200 {
        if heard.lock().unwrap().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_live_shop_keeps_its_rate_and_its_times_are_those_of_now() {
    let address = any_broker();
    let heard = hear(address).await;
    let clock = SystemClock::default();
    let begun_ms = clock.now_ms();
    let duration = Some(Duration::from_secs(3));
    let report = publish(shop(400.0), &url(address), duration, &clock, std::future::pending()).await.unwrap();
    let ended_ms = clock.now_ms();
    assert_eq!((report.unacknowledged, report.reconnects, report.sent_again), (0, 0, 0));
    let share = report.messages as f64 / 1200.0;
    assert!((0.9..1.1).contains(&share), "{} messages in 3 s", report.messages);
    wait_for(&heard, report.messages as usize).await;
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len() as u64, report.messages);
    for (topic, payload) in heard.iter() {
        let payload: serde_json::Value = serde_json::from_slice(payload).unwrap();
        let ts_ms = payload["ts"].as_i64().unwrap();
        assert!((begun_ms - 100..=ended_ms).contains(&ts_ms), "{topic} {payload}");
    }
}

#[tokio::test]
async fn it_stops_when_asked_and_reports_what_it_did() {
    let address = any_broker();
    let _heard = hear(address).await;
    let settings = SimulateSettings { faults: Faults::all(), ..shop(200.0) };
    // As a task of its own, as the demo runs it.
    let publishing = tokio::spawn(async move {
        let stop = tokio::time::sleep(Duration::from_millis(700));
        publish(settings, &url(address), None, &SystemClock::default(), stop).await
    });
    let report = publishing.await.unwrap().unwrap();
    assert!((0.6..2.0).contains(&report.seconds), "{report}");
    assert!(report.messages > 50 && report.unacknowledged == 0, "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["faults"]["silent_tool"].is_u64() && json["payload_bytes"].is_u64(), "{json}");
}

#[tokio::test]
async fn with_qos_0_the_telemetry_is_counted_when_it_is_written() {
    let address = any_broker();
    let heard = hear(address).await;
    let settings = SimulateSettings { qos: 0, ..shop(500.0) };
    let duration = Some(Duration::from_secs(1));
    let clock = SystemClock::default();
    let report = publish(settings, &url(address), duration, &clock, std::future::pending()).await.unwrap();
    wait_for(&heard, report.messages as usize).await;
    assert_eq!(heard.lock().unwrap().len() as u64, report.messages);
}

/// Forwards connections to `target` and cuts the first one when it is told to.
async fn cutting_proxy(target: SocketAddr, cut: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut to = TcpStream::connect(target).await.unwrap();
            let is_cut = async {
                while !cut.swap(false, Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                () = is_cut => {}
            }
            let _ = from.shutdown().await;
        }
    });
    address
}

#[tokio::test]
async fn a_lost_connection_loses_no_message() {
    let address = any_broker();
    let heard = hear(address).await;
    let cut = Arc::new(AtomicBool::new(false));
    let proxy = cutting_proxy(address, Arc::clone(&cut)).await;
    let cutting = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        cut.store(true, Ordering::SeqCst);
    });
    let duration = Some(Duration::from_secs(4));
    let clock = SystemClock::default();
    let report = publish(shop(2000.0), &url(proxy), duration, &clock, std::future::pending()).await.unwrap();
    cutting.await.unwrap();
    assert_eq!((report.reconnects, report.unacknowledged), (1, 0), "{report}");
    wait_for(&heard, report.messages as usize).await;
    let heard = heard.lock().unwrap();
    let distinct: BTreeSet<_> = heard.iter().collect();
    assert_eq!(distinct.len() as u64, report.messages, "heard {} in all", heard.len());
    assert!(heard.len() as u64 <= report.messages + report.sent_again);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_in_the_end() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let duration = Some(Duration::from_millis(600));
    let clock = SystemClock::default();
    let error =
        publish(shop(10.0), &url(closed), duration, &clock, std::future::pending()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("mqtt://{closed}")) && text.contains("start it"), "{text}");
}
