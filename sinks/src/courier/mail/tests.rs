use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use serde_json::json;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn mail(port: u16) -> Mail {
    Mail {
        host: "127.0.0.1".into(),
        port,
        security: Security::StartTlsIfOffered,
        login: None,
        authority: None,
        from: "Workshop Lyon <shop@example.com>".parse().expect("a sender"),
    }
}

fn stored(body: &serde_json::Value) -> Stored {
    let row = json!({
        "number": 7, "ts_ms": 1_772_445_600_000_i64, "kind": "ready", "key": "lyon/J1/ready",
        "stored": body.to_string(), "previous": "", "hash": "ab12",
    });
    Stored::of(&row).expect("an item")
}

fn told(address: &str, text: &str) -> Stored {
    stored(&json!({ "channel": "mail", "address": address, "text": text }))
}

fn letter(address: &str, text: &str) -> String {
    let letter = Letter::new(&mail(1), "notifications", &told(address, text)).expect("a letter");
    String::from_utf8(letter.content).expect("text")
}

/// Lines of the head, those that were folded put together.
fn head(letter: &str) -> Vec<String> {
    let (head, _) = letter.split_once("\r\n\r\n").expect("a head and a body");
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_repeat_is_the_same_letter_under_the_same_name() {
    let text = "Your car is ready.\nCome and get it: 7 € are due.";
    let one = letter("ann@example.com", text);
    assert_eq!(one, letter("ann@example.com", text));
    let head = head(&one);
    for line in [
        "From: \"Workshop Lyon\" <shop@example.com>",
        "To: ann@example.com",
        "Subject: Your car is ready.",
        "Message-ID: <ab12@notifications.andon>",
        "Date: Mon, 02 Mar 2026 10:00:00 +0000",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(head.iter().any(|is| is == line), "{line} is not in {head:#?}");
    }
}

/// A vehicle's name comes from a job card, and so from whoever may publish one.
#[test]
fn what_a_card_says_begins_no_header_and_names_no_other_recipient() {
    let names =
        ["Your V1\r\nBcc: eve@example.com is ready", "V1\rBcc: eve@example.com", "V\u{e9}lo\nBcc: x@y.zz"];
    for text in names {
        for told in [text.to_owned(), text.replace(['\r', '\n'], "\u{0}\r\n"), format!("{text}\n\n.\r\nQUIT")]
        {
            let letter = letter("ann@example.com", &told);
            let head = head(&letter);
            assert!(!head.iter().any(|line| line.to_lowercase().starts_with("bcc")), "{head:#?}");
            assert_eq!(head.iter().filter(|line| line.starts_with("To: ")).count(), 1, "{head:#?}");
        }
    }
    for address in [
        "ann@example.com\r\nRCPT TO:<eve@example.com>",
        "ann@example.com, eve@example.com",
        "<ann@example.com>",
        "\"ann\r\n\"@example.com",
        "ann",
        "",
    ] {
        let refused = Letter::new(&mail(1), "notifications", &told(address, "x"));
        let why = refused.expect_err(address);
        assert_eq!(why, "its address is none of mail; see item 7 of `notifications`");
    }
}

#[test]
fn a_long_first_line_is_cut_in_the_subject_and_whole_in_the_body() {
    let long = "é".repeat(400);
    let subject = subject(&long, "ready");
    assert_eq!(subject.chars().count(), SUBJECT_CHARS_MAX + 1);
    assert_eq!(super::subject(" \n\n", "ready"), "ready");
    assert!(letter("ann@example.com", &long).lines().all(|line| line.len() <= 998));
}

#[test]
fn only_items_of_its_own_channel_are_letters() {
    assert!(Letter::is_for(&told("ann@example.com", "x")));
    assert!(!Letter::is_for(&stored(&json!({ "channel": "sms", "address": "+33 1", "text": "x" }))));
    assert!(!Letter::is_for(&stored(&json!({ "customer": "C7", "text": "x" }))));
}

/// A server that says each of `answers` to one command, then breaks off.
fn server(answers: &'static [&'static str]) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody comes");
        let mut lines = BufReader::new(&stream).lines();
        let mut heard = Vec::new();
        for (place, answer) in answers.iter().enumerate() {
            if place > 0 {
                let is_content = answers[place - 1].starts_with("354");
                while let Some(Ok(line)) = lines.next() {
                    let is_end = !is_content || line == ".";
                    heard.push(line);
                    if is_end {
                        break;
                    }
                }
            }
            (&stream).write_all(answer.as_bytes()).expect("it listens");
        }
        heard
    });
    (port, thread)
}

fn sent(answers: &'static [&'static str], changed: impl FnOnce(Mail) -> Mail) -> (Outcome, Vec<String>) {
    let (port, thread) = server(answers);
    let mail = changed(mail(port));
    let letter = Letter::new(&mail, "notifications", &told("ann@example.com", "Ready.\r\n.\r\nstill"))
        .expect("a letter");
    let outcome = letter.hand_over(&mail, PATIENCE, &AtomicBool::new(false));
    (outcome, thread.join().expect("it ends"))
}

const HELLO: [&str; 2] = ["220 hi\r\n", "250-hi\r\n250 AUTH PLAIN\r\n"];

#[test]
fn each_answer_of_a_server_says_what_has_become_of_the_letter() {
    const TAKES: &[&str] =
        &[HELLO[0], HELLO[1], "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", "250 mine\r\n", "221 bye\r\n"];
    let (outcome, heard) = sent(TAKES, |mail| mail);
    assert_eq!(outcome, Outcome::Taken("250 mine".into()));
    assert_eq!(heard[0], "EHLO example.com");
    assert!(heard.contains(&"RCPT TO:<ann@example.com>".to_owned()), "{heard:?}");
    assert!(heard.contains(&"..".to_owned()), "a line of its own dot does not end it: {heard:?}");

    const BUSY: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "451 later\r\n"];
    assert!(matches!(sent(BUSY, |mail| mail).0, Outcome::NotTaken(why) if why.contains("451")));
    const UNKNOWN: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "550 who?\r\n"];
    assert!(matches!(sent(UNKNOWN, |mail| mail).0, Outcome::Refused(why) if why.contains("who?")));
    const SPAM: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", "554 spam\r\n"];
    assert!(matches!(sent(SPAM, |mail| mail).0, Outcome::Refused(_)));
    const FULL: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", "452 full\r\n"];
    assert!(matches!(sent(FULL, |mail| mail).0, Outcome::NotTaken(_)));
    const BEFORE: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n"];
    assert!(matches!(sent(BEFORE, |mail| mail).0, Outcome::NotTaken(_)));
    const AFTER: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "250 ok\r\n", "354 go on\r\n", ""];
    assert!(matches!(sent(AFTER, |mail| mail).0, Outcome::InDoubt(_)));
}

#[test]
fn nothing_is_said_in_the_clear_where_tls_is_asked_for() {
    let (outcome, heard) = sent(&HELLO, |mail| Mail { security: Security::StartTls, ..mail });
    assert!(matches!(&outcome, Outcome::NotTaken(why) if why.contains("no STARTTLS")), "{outcome:?}");
    assert_eq!(heard, ["EHLO example.com"]);
}

#[test]
fn nobody_there_is_known_not_to_have_it() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one").port();
    let mail = mail(closed);
    let letter = Letter::new(&mail, "notifications", &told("ann@example.com", "x")).expect("a letter");
    let outcome = letter.hand_over(&mail, PATIENCE, &AtomicBool::new(false));
    assert!(matches!(outcome, Outcome::NotTaken(_)), "{outcome:?}");
}

/// Or it would go out behind the back of whoever has gone on to the next attempt.
#[test]
fn a_letter_that_was_given_up_does_not_go_out_later() {
    const READY: &[&str] = &[HELLO[0], HELLO[1], "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"];
    let (port, thread) = server(READY);
    let mail = mail(port);
    let letter = Letter::new(&mail, "notifications", &told("ann@example.com", "x")).expect("a letter");
    let outcome = letter.hand_over(&mail, PATIENCE, &AtomicBool::new(true));
    assert!(matches!(outcome, Outcome::NotTaken(_)), "{outcome:?}");
    assert_eq!(thread.join().expect("it ends").last().map(String::as_str), Some("DATA"));
}

#[test]
fn a_sender_is_a_name_with_an_address() {
    for good in ["Workshop <shop@example.com>", "shop@example.com", "\"Shop, Lyon\" <shop@example.com>"] {
        assert!(good.parse::<Sender>().is_ok(), "{good}");
    }
    for bad in ["Workshop", "Workshop <shop>", "shop@example.com\r\nBcc: eve@example.com", ""] {
        assert!(bad.parse::<Sender>().is_err(), "{bad}");
    }
}
