//! The intake against a real Mosquitto.

#[path = "support/intake.rs"]
mod intake;
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use ingest::config::{Secret, TlsSettings};
use ingest::entry::Entry;
use ingest::intake::IntakeError;
use rumqttc::{Packet, Publish, QoS};

use intake::{Disk, Intake, source};
use mosquitto::{Mosquitto, Publisher, Wire, free_port};

const TOPIC: &str = "workshop/hall/bay1/wrench/telemetry";

fn publish_numbers(port: u16, numbers: std::ops::Range<u64>, qos: u8) {
    let mut publisher = Publisher::connect(port);
    for number in numbers {
        publisher.publish(TOPIC, number.to_string().as_bytes(), qos);
    }
    publisher.settle();
}

#[test]
fn messages_of_both_qos_arrive_in_order_and_qos_1_is_acknowledged_once_durable() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    publish_numbers(broker.port, 0..2000, 1);
    publish_numbers(broker.port, 2000..2500, 0);
    andon.until("all came", |andon| andon.messages.len() == 2500);
    assert_eq!(andon.numbers(), (0..2500).collect::<Vec<_>>());
    andon.until("acknowledged", |andon| andon.counts().acknowledged == 2000);
    assert_eq!(andon.counts().unacknowledged, 0);
    assert_eq!(andon.counts().redelivered, 0);
    assert!(andon.not_ready().is_empty());

    andon.stop().expect("a clean end");
    let ordinals: Vec<u64> = andon
        .durable
        .iter()
        .filter_map(|durable| if let Entry::Intake(intake) = &durable.entry { Some(intake) } else { None })
        .flat_map(|intake| intake.iter().map(|message| message.ordinal))
        .collect();
    assert_eq!(ordinals, (1..=2500).collect::<Vec<_>>(), "messages are numbered from 1 without gaps");
    let offsets: Vec<u64> = andon.durable.iter().map(|durable| durable.offset.0).collect();
    assert_eq!(offsets, (1..=offsets.len() as u64).collect::<Vec<_>>());
    assert!(matches!(andon.durable[0].entry, Entry::Configuration { .. }), "the configuration comes first");
    assert!(matches!(andon.durable.last().expect("entries").entry, Entry::Cut { .. }), "a cut comes last");
}

#[test]
fn what_is_published_while_andon_is_away_waits_in_its_session() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    publish_numbers(broker.port, 0..50, 1);
    andon.until("the first came", |andon| andon.messages.len() == 50);
    andon.stop().expect("a clean end");

    publish_numbers(broker.port, 50..300, 1);
    let mut again = Intake::start(source(broker.port));
    again.until("the others came", |again| again.messages.len() >= 250);
    assert_eq!(
        again.numbers(),
        (50..300).collect::<Vec<_>>(),
        "nothing lost, nothing acknowledged comes again"
    );
    assert_eq!(again.counts().redelivered, 0);
    again.stop().expect("a clean end");
}

#[test]
fn a_cut_wire_loses_nothing_and_what_was_not_acknowledged_comes_again() {
    let Some(broker) = Mosquitto::start("") else { return };
    let wire = Wire::to(broker.port);
    let mut andon = Intake::start_on(source(wire.port), Disk::Slow);
    andon.until_subscribed();
    let port = broker.port;
    let publishing = std::thread::spawn(move || publish_numbers(port, 0..5000, 1));
    for cut in 1..4 {
        andon.until("more came", |andon| andon.distinct().len() >= cut * 1000);
        andon.until_subscribed();
        wire.cut();
        andon.until("it is noticed", |andon| andon.counts().reconnects == cut as u64);
    }
    publishing.join().expect("published");
    andon.until("all came", |andon| andon.distinct().len() == 5000);
    andon.until("all are acknowledged", |andon| andon.counts().unacknowledged == 0);
    andon.until_subscribed();
    assert_eq!(andon.distinct(), (0..5000).collect::<Vec<_>>());
    let again = andon.messages.len() as u64 - 5000;
    assert!(andon.counts().redelivered >= again, "what came again was marked so");
    assert_eq!(wire.connections(), 4);
    andon.stop().expect("a clean end");
}

#[test]
fn acknowledgements_of_an_old_connection_are_dropped_and_counted() {
    let Some(broker) = Mosquitto::start("") else { return };
    let wire = Wire::to(broker.port);
    let mut andon = Intake::start_on(source(wire.port), Disk::Fine);
    andon.until_subscribed();
    andon.disk.set(Disk::Stuck);
    publish_numbers(broker.port, 0..100, 1);
    andon.until("all came in", |andon| andon.counts().messages == 100);
    assert_eq!(andon.counts().acknowledged, 0, "nothing is acknowledged before it is durable");
    wire.cut();
    andon.until("they come again", |andon| andon.counts().messages == 200);
    assert_eq!(andon.counts().acknowledgements_dropped, 100);
    assert_eq!(andon.counts().redelivered, 100);

    andon.disk.set(Disk::Fine);
    andon.until("the second hundred is acknowledged", |andon| andon.counts().acknowledged == 100);
    assert_eq!(andon.counts().unacknowledged, 0);
    andon.stop().expect("a clean end");
    let expected: Vec<u64> = (0..100).chain(0..100).collect();
    assert_eq!(andon.numbers(), expected, "both deliveries are in the journal, in order");
}

#[test]
fn a_broker_that_lost_its_sessions_is_subscribed_anew() {
    let Some(mut broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    broker.stop();
    std::fs::remove_file(broker.folder().join("mosquitto.db")).expect("the sessions");
    andon.until("it is noticed", |andon| andon.counts().reconnects == 1);
    broker.run();
    andon.until_subscribed();
    publish_numbers(broker.port, 0..10, 1);
    andon.until("messages come", |andon| andon.messages.len() == 10);
    andon.stop().expect("a clean end");
}

#[test]
fn a_window_of_twenty_and_a_slow_journal_do_not_lock_each_other_up() {
    let Some(broker) = Mosquitto::start("max_inflight_messages 20") else { return };
    let mut settings = source(broker.port);
    settings.inflight_window = 20;
    let mut andon = Intake::start_on(settings, Disk::Slow);
    andon.until_subscribed();
    publish_numbers(broker.port, 0..400, 1);
    andon.until("all are acknowledged", |andon| andon.counts().acknowledged == 400);
    andon.until("all came", |andon| andon.messages.len() == 400);
    assert_eq!(andon.numbers(), (0..400).collect::<Vec<_>>());
    andon.stop().expect("a clean end");
}

#[test]
fn a_window_smaller_than_the_one_configured_is_kept_going_by_the_commit_interval() {
    let Some(broker) = Mosquitto::start("max_inflight_messages 3") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    publish_numbers(broker.port, 0..100, 1);
    andon.until("all came", |andon| andon.counts().acknowledged == 100);
    andon.stop().expect("a clean end");
}

#[test]
fn a_broker_that_is_not_there_is_tried_again_and_ticks_go_on_meanwhile() {
    let Some(mut broker) = Mosquitto::prepare("", "") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until("it is said", |andon| andon.source_state().contains("next try in 400 ms"));
    let address = format!("mqtt://127.0.0.1:{}", broker.port);
    let expected =
        format!("connecting to {address} failed: Connection refused (os error 111), next try in 400 ms");
    assert_eq!(andon.not_ready(), [expected]);
    let is_tick = |entry: &Entry| matches!(entry, Entry::Tick { .. });
    andon.until("a tick", |andon| andon.durable.iter().any(|durable| is_tick(&durable.entry)));

    broker.run();
    andon.until_subscribed();
    publish_numbers(broker.port, 0..10, 1);
    andon.until("messages come", |andon| andon.messages.len() == 10);
    andon.stop().expect("a clean end");
}

#[test]
fn a_flood_of_qos_0_on_a_stuck_journal_is_shed_and_counted_while_pings_go_on() {
    let Some(broker) = Mosquitto::start("max_keepalive 600") else { return };
    let mut settings = source(broker.port);
    settings.keep_alive = Duration::from_secs(1);
    settings.waiting_bytes_max = 100_000;
    let mut andon = Intake::start(settings);
    andon.until_subscribed();
    andon.disk.set(Disk::Stuck);
    let mut publisher = Publisher::connect(broker.port);
    let mut published = 0;
    // The broker drops a client of which it has heard nothing for 1.5 keep-alives.
    for _ in 0..40 {
        for _ in 0..50 {
            publisher.publish(TOPIC, format!("{published:200}").as_bytes(), 0);
            published += 1;
        }
        publisher.settle();
        andon.wait(Duration::from_millis(100));
    }
    andon.until("all was read", |andon| andon.counts().messages + andon.counts().shed == published);
    let counts = andon.counts();
    assert!(counts.shed > 1000, "{counts:?}");
    assert!((400..600).contains(&counts.messages), "100,000 bytes are kept: {counts:?}");
    assert_eq!(counts.reconnects, 0, "the broker heard our pings");
    andon.disk.set(Disk::Fine);
    andon.until("what was kept is durable", |andon| andon.messages.len() as u64 == counts.messages);
    publisher.publish(TOPIC, b"9999", 0);
    publisher.settle();
    andon.until("it goes on", |andon| andon.messages.len() as u64 == counts.messages + 1);
    andon.stop().expect("a clean end");
}

#[test]
fn a_broker_that_sends_beyond_its_window_is_not_read_until_the_journal_has_caught_up() {
    // Mosquitto 2.0 does so when it empties the queue of a session.
    const MESSAGES: u16 = 5000;
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut settings = source(broker.local_addr().expect("an address").port());
    settings.keep_alive = Duration::from_secs(1);
    settings.waiting_bytes_max = 100_000;
    let pings = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&pings);
    let sent = std::thread::spawn(move || {
        let (mut socket, _) = broker.accept().expect("Andon connects");
        let mut answers = socket.try_clone().expect("a socket");
        while !matches!(read_packet(&mut answers), Packet::Subscribe(_)) {
            socket.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
        }
        socket.write_all(&[0x90, 3, 0, 1, 1]).expect("SUBACK");
        let reader = std::thread::spawn(move || {
            let mut acknowledged = Vec::new();
            while acknowledged.len() < usize::from(MESSAGES) {
                match read_packet(&mut answers) {
                    Packet::PubAck(answer) => acknowledged.push(answer.pkid),
                    _ => _ = heard.fetch_add(1, Ordering::SeqCst),
                }
            }
            acknowledged
        });
        let mut bytes = BytesMut::new();
        for number in 1..=MESSAGES {
            let mut publish = Publish::new(TOPIC, QoS::AtLeastOnce, format!("{number:1000}"));
            publish.pkid = number;
            publish.write(&mut bytes).expect("a packet");
        }
        socket.write_all(&bytes).expect("Andon reads in the end");
        (reader.join().expect("the reader"), socket)
    });
    let mut andon = Intake::start_on(settings, Disk::Stuck);
    andon.until("it is said", |andon| andon.source_state().contains("the journal is behind"));
    andon.wait(Duration::from_millis(3500));
    let counts = andon.counts();
    assert!((200..400).contains(&counts.messages), "200,000 bytes and what was read with them: {counts:?}");
    assert!(pings.load(Ordering::SeqCst) >= 3, "pings go on");
    assert_eq!((counts.shed, counts.reconnects, counts.acknowledged), (0, 0, 0));

    andon.disk.set(Disk::Fine);
    andon.until("all came", |andon| andon.messages.len() == usize::from(MESSAGES));
    let (acknowledged, socket) = sent.join().expect("the broker's thread");
    assert_eq!(acknowledged, (1..=MESSAGES).collect::<Vec<_>>(), "in order of receipt");
    andon.until("it says so", |andon| andon.not_ready().is_empty());
    drop(socket);
    andon.stop().expect("a clean end");
}

#[test]
fn a_full_disk_stops_the_acknowledgements_is_told_and_is_waited_for() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    andon.disk.set(Disk::Full);
    publish_numbers(broker.port, 0..100, 1);
    andon.until("all came in", |andon| andon.counts().messages == 100);
    andon.until("it is said", |andon| andon.not_ready() == ["journal: no space in /journal, waiting"]);
    assert_eq!(andon.counts().acknowledged, 0);
    assert!(andon.messages.is_empty());

    andon.disk.set(Disk::Fine);
    andon.until("it goes on", |andon| andon.counts().acknowledged == 100);
    assert_eq!(andon.numbers(), (0..100).collect::<Vec<_>>());
    assert!(andon.not_ready().is_empty());
    assert_eq!(andon.counts().reconnects, 0);
    andon.stop().expect("a clean end");
}

#[test]
fn a_stop_on_a_full_disk_ends_and_the_broker_keeps_what_was_not_acknowledged() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    andon.disk.set(Disk::Full);
    publish_numbers(broker.port, 0..30, 1);
    andon.until("all came in", |andon| andon.counts().messages == 30);
    let error = andon.stop().expect_err("not all was written");
    assert!(matches!(error, IntakeError::StoppedFull(..)), "{error}");

    let mut again = Intake::start(source(broker.port));
    again.until("they come again", |again| again.messages.len() == 30);
    assert_eq!(again.numbers(), (0..30).collect::<Vec<_>>());
    again.stop().expect("a clean end");
}

#[test]
fn a_broken_journal_ends_the_intake_with_its_reason_and_nothing_more_is_acknowledged() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut andon = Intake::start(source(broker.port));
    andon.until_subscribed();
    andon.disk.set(Disk::Broken);
    publish_numbers(broker.port, 0..10, 1);
    andon.until("it ended", |andon| andon.handle.as_ref().is_some_and(|handle| handle.is_finished()));
    assert!(andon.not_ready().contains(&"journal: failed: fdatasync: I/O error".to_owned()));
    assert_eq!(andon.counts().acknowledged, 0);
    let error = andon.stop().expect_err("it failed").to_string();
    assert!(error.starts_with("the journal failed: fdatasync: I/O error; nothing since"), "{error}");

    let mut again = Intake::start(source(broker.port));
    again.until("they come again", |again| again.messages.len() == 10);
    again.stop().expect("a clean end");
}

#[test]
fn a_message_beyond_all_bounds_is_cut_for_quarantine_and_those_behind_it_come() {
    let Some(broker) = Mosquitto::start("") else { return };
    let mut settings = source(broker.port);
    settings.message_bytes_max = 1 << 20;
    let mut andon = Intake::start(settings);
    andon.until_subscribed();
    let mut publisher = Publisher::connect(broker.port);
    publisher.publish(TOPIC, b"1", 1);
    publisher.publish(TOPIC, &vec![b'x'; 10_000_000], 1);
    publisher.publish(TOPIC, &vec![b'y'; 1_500_000], 1);
    publisher.publish(TOPIC, b"2", 1);
    publisher.settle();
    andon.until("all came", |andon| andon.messages.len() == 4);
    let lengths: Vec<usize> = andon.messages.iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(lengths, [1, 2 << 20, 1_500_000, 1], "longer than the decoder takes, but not endless");
    andon.until("all are acknowledged", |andon| andon.counts().acknowledged == 4);
    assert_eq!((andon.counts().truncated, andon.counts().reconnects), (1, 0));
    andon.stop().expect("a clean end");
}

#[test]
fn a_wrong_password_is_said_with_the_setting_to_look_at_and_the_right_one_works() {
    let users = "allow_anonymous false\npassword_file FOLDER/users";
    let Some(mut broker) = Mosquitto::prepare("", users) else { return };
    let file = broker.folder().join("users");
    let made =
        Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args(["andon", "right"]).status();
    assert!(made.expect("mosquitto_passwd").success());
    broker.run();

    let mut settings = source(broker.port);
    settings.username = Some("andon".to_owned());
    settings.password = Some(Secret("wrong".to_owned()));
    let mut andon = Intake::start(settings.clone());
    andon.until("it is said", |andon| andon.source_state().contains("next try in 200 ms"));
    let expected = format!(
        "connecting to mqtt://127.0.0.1:{} failed: the broker does not accept the user; \
         check `username` and `password` in `[source]`, next try in 200 ms",
        broker.port
    );
    assert_eq!(andon.not_ready(), [expected]);
    andon.stop().expect("a clean end");

    settings.password = Some(Secret("right".to_owned()));
    let mut andon = Intake::start(settings);
    andon.until_subscribed();
    andon.stop().expect("a clean end");
}

#[test]
fn a_subscription_that_the_broker_refuses_is_said_and_asked_for_again() {
    // Mosquitto's own access lists let every subscription through and withhold the messages instead.
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = broker.local_addr().expect("an address").port();
    let subscribed = std::thread::spawn(move || {
        let (mut socket, _) = broker.accept().expect("Andon connects");
        let mut asked = Vec::new();
        while asked.len() < 2 {
            match read_packet(&mut socket) {
                Packet::Connect(_) => socket.write_all(&[0x20, 2, 0, 0]).expect("CONNACK"),
                Packet::Subscribe(subscribe) => {
                    let granted =
                        if asked.is_empty() { vec![0x90, 4, 0, 1, 1, 0x80] } else { vec![0x90, 3, 0, 1, 1] };
                    asked
                        .push(subscribe.filters.iter().map(|filter| filter.path.clone()).collect::<Vec<_>>());
                    socket.write_all(&granted).expect("SUBACK");
                }
                _ => socket.write_all(&[0xd0, 0]).expect("PINGRESP"),
            }
        }
        (asked, socket)
    });
    let mut settings = source(port);
    settings.keep_alive = Duration::from_secs(1);
    let mut andon =
        Intake::subscribed_to(settings, Disk::Fine, &["workshop/a", "workshop/b"]).expect("it starts");
    andon.until("it is refused", |andon| andon.source_state().contains("refused"));
    let expected = "the broker refused to subscribe us to workshop/b; \
                    allow it there or take the topic out of `[topics]`";
    assert_eq!(andon.not_ready(), [expected]);
    andon.until_subscribed();
    let (asked, socket) = subscribed.join().expect("the broker's thread");
    assert_eq!(asked, [vec!["workshop/a", "workshop/b"], vec!["workshop/b"]]);
    drop(socket);
    andon.stop().expect("a clean end");
}

fn read_packet(socket: &mut TcpStream) -> Packet {
    let mut bytes = BytesMut::new();
    loop {
        match Packet::read(&mut bytes, 1 << 20) {
            Ok(packet) => return packet,
            Err(rumqttc::Error::InsufficientBytes(_)) => {
                let mut byte = [0];
                socket.read_exact(&mut byte).expect("Andon goes on");
                bytes.extend_from_slice(&byte);
            }
            Err(error) => panic!("Andon sent nonsense: {error}"),
        }
    }
}

#[test]
fn mqtts_with_our_own_authority_and_a_client_certificate_works_and_a_foreign_broker_is_refused() {
    let tls = "cafile FOLDER/ca.pem\ncertfile FOLDER/broker.pem\nkeyfile FOLDER/broker.key\nrequire_certificate true";
    let Some(mut broker) = Mosquitto::prepare(tls, "") else { return };
    let folder = broker.folder().to_owned();
    authority(&folder, "ca");
    certificate(&folder, "ca", "broker", "subjectAltName=IP:127.0.0.1");
    certificate(&folder, "ca", "andon", "extendedKeyUsage=clientAuth");
    authority(&folder, "other");
    broker.run();

    let file = |name: &str| folder.join(name);
    let mut settings = source(broker.port);
    let client = Some((file("andon.pem"), file("andon.key")));
    settings.tls = Some(TlsSettings { authority: Some(file("ca.pem")), client: client.clone() });
    let mut andon = Intake::start(settings.clone());
    andon.until_subscribed();
    andon.stop().expect("a clean end");

    settings.tls = Some(TlsSettings { authority: Some(file("other.pem")), client });
    let mut andon = Intake::start(settings);
    andon.until("it is refused", |andon| andon.source_state().contains("next try in 200 ms"));
    let state = andon.source_state();
    let beginning =
        format!("connecting to mqtts://127.0.0.1:{} failed: TLS: invalid peer certificate", broker.port);
    assert!(state.starts_with(&beginning), "{state}");
    assert!(state.contains("check `[source.tls]`"), "{state}");
    andon.stop().expect("a clean end");
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("the command openssl");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn authority(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout {name}.key \
             -out {name}.pem -subj /CN={name} -addext basicConstraints=critical,CA:TRUE"
        ),
    );
}

fn certificate(folder: &Path, authority: &str, name: &str, extension: &str) {
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr \
             -subj /CN={name}"
        ),
    );
    std::fs::write(folder.join("extension"), extension).expect("a file");
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 \
             -out {name}.pem -extfile extension"
        ),
    );
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start_with_a_remedy() {
    let mut settings = source(free_port());
    settings.client_id = String::new();
    let error = Intake::try_start(settings, Disk::Fine).err().expect("no client id").to_string();
    assert_eq!(error, "`client_id` in `[source]` is empty; the broker keeps the session under this name");
    let mut settings = source(free_port());
    settings.qos = 2;
    let error = Intake::try_start(settings, Disk::Fine).err().expect("no QoS 2").to_string();
    assert_eq!(error, "`qos` in `[source]` is 2; 0 and 1 are possible");
}
