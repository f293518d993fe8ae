use ingest::config::Secret;
use serde_json::json;

use super::*;

fn webhook() -> Webhook {
    Webhook { url: "http://127.0.0.1:9/andon".into(), secret: Some(Secret("key".into())) }
}

/// The example of RFC 2104's page in many languages, so that a receiver's own code can be held against it.
#[test]
fn the_signature_is_the_usual_one() {
    let said = signature("key", "The quick brown fox jumps over the lazy dog");
    assert_eq!(said, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

fn stored(body: &str) -> Stored {
    let row = json!({
        "number": 7, "ts_ms": 1, "kind": "line", "key": "J1/1", "stored": body, "previous": "", "hash": "ab12",
    });
    Stored::of(&row).expect("an item")
}

/// Read as numbers and written again, one in some hundred was another by its last digit.
#[test]
fn a_repeat_is_the_same_request_and_its_body_is_what_is_stored() {
    let body = r#"{"amount":0.30000000000000004,"of":75.00042219674567}"#;
    let [one, other] = [0, 1].map(|_| Request::new(&webhook(), "billing", &stored(body)));
    assert_eq!((&one.body, &one.headers), (&other.body, &other.headers));
    assert!(one.headers.contains(&("idempotency-key", "ab12".into())), "{:?}", one.headers);
    assert!(one.body.contains(body), "{}", one.body);
}

#[test]
fn nobody_there_is_known_not_to_have_it() {
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one");
    let url = format!("http://{closed}/");
    let request = Request::new(&Webhook { url, ..webhook() }, "billing", &stored("{}"));
    let outcome = request.request(Duration::from_secs(5));
    assert!(matches!(outcome, Outcome::NotTaken(_)), "{outcome:?}");
}

#[test]
fn an_answer_that_breaks_off_leaves_it_in_doubt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("it has one"));
    let receiver = std::thread::spawn(move || {
        use std::io::Read as _;
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let _ = stream.read(&mut [0; 512]);
    });
    let request = Request::new(&Webhook { url, ..webhook() }, "billing", &stored("{}"));
    let outcome = request.request(Duration::from_secs(5));
    assert!(matches!(outcome, Outcome::InDoubt(_)), "{outcome:?}");
    receiver.join().expect("it ends");
}
