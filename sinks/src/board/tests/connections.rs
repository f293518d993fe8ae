//! What a real connection sees: the stream of pictures, limits, the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::workshop;
use crate::board::{Board, BoardPublisher, ServeError, live, serve};
use crate::prometheus::Prometheus;
use crate::view::{Bay, View};

/// A board that is served on a free port, and the way to end it.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) publisher: BoardPublisher,
    prometheus: Arc<Prometheus>,
    pub(super) end: oneshot::Sender<()>,
    handle: JoinHandle<()>,
}

pub(super) async fn served() -> Served {
    let (publisher, board) = Board::new();
    let prometheus = Prometheus::new("0.1.0");
    let (end, ended) = oneshot::channel();
    let shutdown = async {
        let _ = ended.await;
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let (address, handle) = serve(listen, board, prometheus.clone(), shutdown).await.expect("a free port");
    Served { address, publisher, prometheus, end, handle }
}

/// A connection with `request` sent.
pub(super) async fn open(address: SocketAddr, request: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.expect("the board listens");
    connection.write_all(request.as_bytes()).await.expect("the board reads");
    connection
}

const LIVE: &str = "GET /api/v1/live HTTP/1.1\r\nhost: board\r\n\r\n";

/// Reads until `wanted` times `mark` has come; what came.
pub(super) async fn read_until(connection: &mut TcpStream, mark: &str, wanted: usize) -> String {
    let mut text = String::new();
    let mut buffer = vec![0; 65_536];
    let reading = async {
        while text.matches(mark).count() < wanted {
            let bytes = connection.read(&mut buffer).await.expect("the connection holds");
            assert!(bytes > 0, "the connection ended after: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..bytes]));
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("it comes within 10 s");
    text
}

/// The rest of what the other side sends until it closes.
async fn read_to_end(connection: &mut TcpStream, seconds: u64) -> String {
    let mut bytes = Vec::new();
    let reading = connection.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(Duration::from_secs(seconds), reading).await.expect("it ends in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn picture_at(at_ms: i64) -> View {
    View { at_ms, ..workshop() }
}

#[tokio::test]
async fn the_stream_starts_with_the_newest_picture_and_follows_changes() {
    let served = served().await;
    served.publisher.publish(picture_at(1001));
    let mut stream = open(served.address, LIVE).await;
    let text = read_until(&mut stream, "data: ", 1).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/event-stream\r\n"), "{text}");
    assert!(text.contains("retry: 1000\n\n"), "{text}");
    assert!(text.contains("id: 1\ndata: {\"at_ms\":1001,"), "{text}");
    served.publisher.publish(picture_at(1002));
    let text = read_until(&mut stream, "\n\n", 1).await;
    assert!(text.contains("id: 2\ndata: {\"at_ms\":1002,"), "{text}");
}

#[tokio::test]
async fn a_command_over_the_loopback_is_one_of_this_machine() {
    let served = served().await;
    let request =
        "POST /api/v1/exceptions/e1/acknowledge HTTP/1.1\r\nhost: board\r\ncontent-length: 0\r\n\r\n";
    let mut connection = open(served.address, request).await;
    let answer = read_until(&mut connection, "Idempotency-Key", 1).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "it is looked at, and lacks its key: {answer}");
}

#[tokio::test]
async fn at_most_four_pictures_a_second_go_out_and_the_last_one_always_does() {
    let served = served().await;
    let mut stream = open(served.address, LIVE).await;
    read_until(&mut stream, "data: ", 1).await;
    for number in 1..=50 {
        served.publisher.publish(picture_at(number));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = read_until(&mut stream, "data: {\"at_ms\":50,", 1).await;
    let pictures = text.matches("data: ").count();
    assert!((3..=6).contains(&pictures), "{pictures} pictures in a good second");
    let metrics = served.prometheus.render(&View::default());
    let skipped = 50 - pictures;
    assert!(metrics.contains(&format!("andon_board_pictures_skipped_total {skipped}\n")), "{metrics}");
}

#[tokio::test]
async fn a_client_that_does_not_read_skips_pictures_and_holds_nobody_up() {
    let served = served().await;
    // Larger than what the system buffers for a connection, so that the second one has to wait.
    let large = |at_ms: i64| {
        let bay = Bay { reason: "x".repeat(8 << 20), ..Bay::default() };
        View { at_ms, bays: vec![bay], ..View::default() }
    };
    served.publisher.publish(large(1));
    let mut slow = open(served.address, LIVE).await;
    // Give it the time to fill the line with the first picture.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut quick = open(served.address, LIVE).await;
    read_until(&mut quick, "\"usage\":[]}\n\n", 1).await;
    for at_ms in 2..=6 {
        served.publisher.publish(large(at_ms));
        let text = read_until(&mut quick, "\"usage\":[]}\n\n", 1).await;
        assert!(text.contains(&format!("data: {{\"at_ms\":{at_ms},")), "the quick one has each picture");
    }
    let text = read_until(&mut slow, "\"at_ms\":6,", 1).await;
    assert!(text.contains("\"at_ms\":1,"), "it goes on with what it had begun");
    for skipped in [3, 4] {
        assert!(
            !text.contains(&format!("\"at_ms\":{skipped},")),
            "picture {skipped} was queued for a slow client"
        );
    }
}

#[tokio::test]
async fn a_quiet_stream_gives_signs_of_life() {
    let served = served().await;
    let mut stream = open(served.address, LIVE).await;
    let text = read_until(&mut stream, "event: heartbeat\ndata: {}\n\n", 1).await;
    assert!(text.contains("\n: still here\n"), "{text}");
}

#[tokio::test]
async fn when_all_seats_are_taken_the_next_one_is_told_so_and_a_free_seat_is_given_again() {
    let served = served().await;
    let mut streams = Vec::new();
    for _ in 0..live::CLIENTS_MAX {
        let mut stream = open(served.address, LIVE).await;
        read_until(&mut stream, "data: ", 1).await;
        streams.push(stream);
    }
    let mut refused = open(served.address, LIVE).await;
    let text = read_until(&mut refused, "}\n", 1).await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    assert!(text.contains("retry-after: 5\r\n") && text.contains("all 256 live streams are taken"), "{text}");
    let metrics = served.prometheus.render(&View::default());
    assert!(metrics.contains("andon_board_live_refused_total 1\n"), "{metrics}");

    drop(streams.pop());
    let again = async {
        loop {
            // The server notices a closed line when it next has something to say.
            served.publisher.publish(workshop());
            let mut stream = open(served.address, LIVE).await;
            if read_until(&mut stream, "}", 1).await.starts_with("HTTP/1.1 200 ") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("the seat of the closed stream is free");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let served = served().await;
    let long = "x".repeat(60_000);
    let request = format!("GET /livez HTTP/1.1\r\nhost: board\r\nx-long: {long}\r\n\r\n");
    let text = read_to_end(&mut open(served.address, &request).await, 5).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");

    let many: String = (0..100).map(|number| format!("x-{number}: 1\r\n")).collect();
    let request = format!("GET /livez HTTP/1.1\r\nhost: board\r\n{many}\r\n");
    let text = read_to_end(&mut open(served.address, &request).await, 5).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
}

#[tokio::test]
async fn a_request_that_never_ends_is_ended() {
    let served = served().await;
    let mut slow = open(served.address, "GET /livez HTTP/1.1\r\nhost: bo").await;
    let mut silent = open(served.address, "").await;
    let (slow, silent) = tokio::join!(read_to_end(&mut slow, 15), read_to_end(&mut silent, 15));
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408 "), "{slow}");
    assert!(silent.is_empty() || silent.starts_with("HTTP/1.1 408 "), "{silent}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_remedy() {
    let served = served().await;
    let (_publisher, board) = Board::new();
    let refused = serve(served.address, board, Prometheus::new("0.1.0"), std::future::pending()).await;
    let Err(reason @ ServeError::PortTaken { .. }) = refused else {
        panic!("the port is taken: {refused:?}")
    };
    let words = reason.to_string();
    assert!(words.contains(&served.address.to_string()) && words.contains("`--http`"), "{words}");

    let (_publisher, board) = Board::new();
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
    let refused = serve(elsewhere, board, Prometheus::new("0.1.0"), std::future::pending()).await;
    assert!(matches!(refused, Err(ServeError::NoSuchAddress { .. })), "{refused:?}");
}

#[tokio::test]
async fn at_shutdown_streams_end_and_the_port_is_free_again() {
    let served = served().await;
    let mut stream = open(served.address, LIVE).await;
    read_until(&mut stream, "data: ", 1).await;
    let mut idle = open(served.address, "GET /livez HTTP/1.1\r\nhost: board\r\n\r\n").await;
    read_until(&mut idle, "ok\n", 1).await;
    served.end.send(()).expect("the server waits for it");
    read_to_end(&mut stream, 5).await;
    read_to_end(&mut idle, 5).await;
    tokio::time::timeout(Duration::from_secs(5), served.handle)
        .await
        .expect("it ends")
        .expect("without a panic");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}
