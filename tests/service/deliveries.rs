//! Items of a queue on their way to web servers that fail on purpose, and a service that is killed meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, command};
use crate::standby::{begin, promote, regions};
use crate::{a_replay_says_the_same, alone};

/// What came in: item, name by which it is known, signature, body.
pub(crate) type Came = (u64, String, Option<String>, String);

/// How the other side answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    /// Too busy: 503.
    Busy,
    /// Will never take it: 422.
    Refuses,
    /// Takes it, and breaks off before it says so.
    BreaksOff,
    /// Takes it, and never says so.
    Silent,
}

/// A web server outside.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<(Mood, Vec<Came>)>>,
}

impl Receiver {
    pub(crate) fn start(mood: Mood) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has one");
        let state = Arc::new(Mutex::new((mood, Vec::new())));
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&of_thread);
                std::thread::spawn(move || while serve(&stream, &state).is_some() {});
            }
        });
        Receiver { address, state }
    }

    fn is(&self, mood: Mood) {
        self.state.lock().expect("no panic").0 = mood;
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.state.lock().expect("no panic").1.clone()
    }

    /// Items that came, each once, in the order in which they came first.
    fn items(&self) -> Vec<u64> {
        let mut items: Vec<u64> = self.came().iter().map(|came| came.0).collect();
        items.dedup();
        items
    }
}

/// Answers one request; none where the connection is over.
fn serve(mut stream: &TcpStream, state: &Mutex<(Mood, Vec<Came>)>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => headers.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let lines = headers.iter().filter_map(|line| line.split_once(": "));
        lines.filter(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let item = header("andon-item")?.parse().ok()?;
    let named = header("idempotency-key")?;
    let body = String::from_utf8(body).ok()?;
    let mut state = state.lock().expect("no panic");
    state.1.push((item, named, header("andon-signature"), body));
    let status = match state.0 {
        Mood::Takes => "200 OK",
        Mood::Busy => "503 Service Unavailable",
        Mood::Refuses => "422 Unprocessable Content",
        Mood::BreaksOff => return None,
        Mood::Silent => {
            drop(state);
            std::thread::sleep(Duration::from_secs(60));
            return None;
        }
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nhm").as_bytes()).ok()
}

fn accept(andon: &mut Andon, job: &str) {
    let card = json!({"job": job, "customer": "C7", "steps": [{"step": "S01"}]});
    let body = json!({"actor": "office", "site": "lyon", "card": card});
    let (code, answer) = andon.post("/api/v1/jobs", &format!("card-{job}"), &body);
    assert_eq!(code, 200, "{answer}");
}

pub(crate) fn standing(andon: &mut Andon, courier: &str) -> Value {
    let all = andon.json("/api/v1/deliveries");
    let of = all["deliveries"].as_array().expect("a list").iter().find(|one| one["courier"] == courier);
    of.cloned().unwrap_or_default()
}

pub(crate) fn until_sent(andon: &mut Andon, courier: &str, settled: u64) {
    until(&format!("{settled} items are with {courier}"), 40, || {
        let now = standing(andon, courier);
        if now["settled"] == settled && now["waiting"] == 0 { Ok(()) } else { Err(now) }
    });
}

pub(crate) fn until_held(andon: &mut Andon, courier: &str, words: &str) -> u64 {
    until(&format!("{courier} waits for a person"), 40, || {
        let now = standing(andon, courier);
        let is_held = now["held"].as_str().is_some_and(|held| held.contains(words));
        if is_held { Ok(now["settled"].as_u64().expect("a number") + 1) } else { Err(now) }
    })
}

#[test]
fn a_customer_is_told_once_each_though_the_other_side_fails_and_the_service_is_killed() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let shop = Shop::new(broker.port, "");
    let (mailer, till) = (Receiver::start(Mood::Busy), Receiver::start(Mood::Takes));
    let deliver = format!(
        "[deliver.webhooks.mailer]\nqueue = \"notifications\"\nurl = \"http://{}/told\"\n\
         secret = \"file:mailer.secret\"\nfrom = 1\ntimeout = \"3s\"\n\
         [deliver.webhooks.till]\nqueue = \"notifications\"\nurl = \"http://{}/\"\nin_doubt = \"hold\"\nfrom = 1\n",
        mailer.address, till.address
    );
    let text = std::fs::read_to_string(shop.config()).expect("just written");
    std::fs::write(shop.config(), text + &deliver).expect("written");
    std::fs::write(shop.folder().join("mailer.secret"), "between us\n").expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();

    // Too busy at first: the same item comes again and again, under the same name.
    accept(&mut andon, "J1");
    accept(&mut andon, "J2");
    until("the mailer was asked twice", 40, || {
        let came = mailer.came();
        if came.len() >= 2 { Ok(()) } else { Err(came) }
    });
    assert_eq!(mailer.items(), [1], "one after the other");
    until_sent(&mut andon, "till", 2);

    // It takes the next one and breaks off: nobody knows, and it is sent again. So after a kill.
    mailer.is(Mood::BreaksOff);
    let before = mailer.came().len();
    until("the mailer breaks off", 40, || {
        let came = mailer.came().len();
        if came > before { Ok(()) } else { Err(came) }
    });
    andon.kill();
    drop(andon);
    mailer.is(Mood::Takes);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    accept(&mut andon, "J3");
    until_sent(&mut andon, "mailer", 3);
    until_sent(&mut andon, "till", 3);
    assert_eq!(mailer.items(), [1, 2, 3]);
    let came = mailer.came();
    let queue = andon.json("/api/v1/queues/notifications");
    for (item, named, signature, body) in &came {
        let of_queue = &queue["items"][usize::try_from(*item).expect("a few") - 1];
        assert_eq!(named, of_queue["hash"].as_str().expect("a hash"), "an item keeps its name");
        assert_eq!(&serde_json::from_str::<Value>(body).expect("JSON"), of_queue);
        assert_eq!(signature.as_deref(), Some(&*signed("between us", body)));
    }
    assert_eq!(till.came().len(), 3, "the till was in doubt of none, and got each once: {:?}", till.came());

    // What is refused waits for a person; so does, for this one, what is in doubt.
    till.is(Mood::Refuses);
    accept(&mut andon, "J4");
    let item = until_held(&mut andon, "till", "422");
    assert_eq!(item, 4);
    let url = andon.url();
    until("the operator sees it", 10, || {
        let status = command(&["status", "--url", &url]);
        let is_seen = status.contains("till of notifications: 1 items wait; HELD at item 4: 422");
        if is_seen { Ok(()) } else { Err(status) }
    });
    until_sent(&mut andon, "mailer", 4);
    let body = |item: u64| json!({"actor": "Q1", "item": item, "reason": "the till knows of it now"});
    let (code, problem) = andon.post("/api/v1/deliveries/till/resend", "d-1", &body(3));
    assert_eq!(code, 409, "{problem}");
    till.is(Mood::BreaksOff);
    let (code, answer) = andon.post("/api/v1/deliveries/till/resend", "d-2", &body(4));
    assert_eq!(code, 200, "{answer}");
    until_held(&mut andon, "till", "look whether it has arrived");
    assert_eq!(andon.post("/api/v1/deliveries/till/resend", "d-2", &body(4)).0, 200, "the same, once");
    until_held(&mut andon, "till", "look whether it has arrived");
    till.is(Mood::Takes);
    accept(&mut andon, "J5");
    let (code, answer) = andon.post("/api/v1/deliveries/till/skip", "d-3", &body(4));
    assert_eq!(code, 200, "{answer}");
    until_sent(&mut andon, "till", 5);
    let now = standing(&mut andon, "till");
    assert_eq!((&now["sent"], &now["skipped"]), (&json!(4), &json!(1)), "{now}");
    assert_eq!(till.items(), [1, 2, 3, 4, 5]);

    // Each decision is in the audit, each step of each item in `commands`.
    until("the decisions are shown in the audit", 20, || {
        let audit = andon.json("/api/v1/queues/audit?limit=1000");
        let decisions = audit["items"].as_array().expect("a list").iter();
        let decisions = decisions.filter(|item| item["body"]["what"]["kind"] == "deliver");
        let said = decisions.filter_map(|item| item["body"]["what"]["progress"].as_str().map(str::to_owned));
        let said: Vec<String> = said.collect();
        let is_said = |word: &str| said.iter().any(|said| said == word);
        assert!(!is_said("attempt"), "{said:?}");
        if is_said("resend") && is_said("skip") { Ok(()) } else { Err(said) }
    });
    andon.stop();
    let sent = "SELECT count(*) AS count FROM commands WHERE kind = 'deliver' AND outcome = 'applied' \
                AND detail LIKE '% `till`: sent'";
    assert_eq!(shop.history().count(sent), 4);
    a_replay_says_the_same(&shop);
}

#[test]
fn a_standby_that_takes_over_knows_what_was_on_its_way() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let till = Receiver::start(Mood::Busy);
    let webhook = format!(
        "[deliver.webhooks.till]\nqueue = \"notifications\"\nurl = \"http://{}/\"\nin_doubt = \"hold\"\nfrom = 1\n\
         timeout = \"1min\"",
        till.address
    );
    let (mirror, lyon, paris) = regions(&broker, &webhook);
    let (mut leader, mut standby) = begin(&lyon, &paris);
    accept(&mut leader, "J1");
    until("the till is asked", 30, || if till.came().is_empty() { Err(()) } else { Ok(()) });

    // While the mirror is away nobody else could know of an attempt, so there is none.
    let (there, aside) = (mirror.path().join("mirror"), mirror.path().join("aside"));
    std::fs::rename(&there, &aside).expect("renamed");
    std::fs::write(&there, b"").expect("written");
    leader.until_not_ready(&["is not reachable"]);
    let before = till.came().len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(till.came().len(), before, "nothing goes out that only this machine knows of");
    std::fs::remove_file(&there).expect("removed");
    std::fs::rename(&aside, &there).expect("renamed");
    till.is(Mood::Silent);
    until("the till is asked again", 60, || {
        let came = till.came().len();
        if came > before { Ok(()) } else { Err(came) }
    });
    leader.kill();
    promote(&mut standby, &paris);
    standby.until_ready();

    // It may have arrived or not: a person looks.
    until_held(&mut standby, "till", "the service ended while it was sent");
    till.is(Mood::Takes);
    let body = json!({"actor": "Q1", "item": 1, "reason": "the till knows nothing of it"});
    let (code, answer) = standby.post("/api/v1/deliveries/till/resend", "d-1", &body);
    assert_eq!(code, 200, "{answer}");
    until_sent(&mut standby, "till", 1);
    let names: std::collections::BTreeSet<String> = till.came().into_iter().map(|came| came.1).collect();
    assert_eq!(names.len(), 1, "whoever sends it, it is the same item");
    standby.stop();
    a_replay_says_the_same(&paris);
}

/// What the signature of a body has to be, as another program finds it.
fn signed(secret: &str, body: &str) -> String {
    const ASK: &str = "import hashlib, hmac, sys
print('sha256=' + hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())";
    let mut python = std::process::Command::new("python3")
        .args(["-c", ASK, secret])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 starts");
    python.stdin.take().expect("it is piped").write_all(body.as_bytes()).expect("written");
    let output = python.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
