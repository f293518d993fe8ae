use super::*;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let other = TcpListener::bind(ANY_PORT).unwrap();
    let address = other.local_addr().unwrap();
    let error = start(Some(address)).unwrap_err();
    assert!(matches!(error, BrokerError::Taken { .. }));
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("--mqtt 127.0.0.1:0"), "{text}");
}

#[test]
fn it_does_not_listen_to_the_world() {
    let error = start(Some("0.0.0.0:0".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("use 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn what_one_publishes_another_receives_in_order() {
    let address = start(Some(ANY_PORT)).unwrap();
    assert_ne!(address.port(), 0);
    let client = |id: &str| {
        let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
        options.set_keep_alive(Duration::from_secs(30));
        AsyncClient::new(options, 1000)
    };
    let (subscriber, mut incoming) = client("subscriber");
    subscriber.subscribe("workshop/+/+/+/telemetry", QoS::AtLeastOnce).await.unwrap();
    while !matches!(incoming.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}

    let (publisher, mut outgoing) = client("publisher");
    for number in 0..500 {
        let topic = "workshop/lyon/bay-01/tq-01/telemetry";
        publisher.publish(topic, QoS::AtLeastOnce, false, format!("{number}")).await.unwrap();
    }
    tokio::spawn(async move { while outgoing.poll().await.is_ok() {} });

    let mut received = Vec::new();
    let all = async {
        while received.len() < 500 {
            if let Event::Incoming(Packet::Publish(publish)) = incoming.poll().await.unwrap() {
                received.push(String::from_utf8(publish.payload.to_vec()).unwrap());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("all arrive");
    let sent: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(received, sent);
}
