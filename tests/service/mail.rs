//! Customers who are told by mail, through a mail server that fails on purpose and a service that is killed meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::deliveries::{standing, until_held, until_sent};
use crate::mail_server::MailServer;
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, command};
use crate::{a_replay_says_the_same, alone};

fn accept(andon: &mut Andon, job: &str, channel: &str, address: &str) {
    let contact = json!({ "channel": channel, "address": address });
    let card = json!({ "job": job, "customer": "C7", "vehicle": "Vélo\r\nBcc: eve@example.com", "contact": contact,
        "steps": [{ "step": "S01" }] });
    let body = json!({ "actor": "office", "site": "lyon", "card": card });
    let (code, answer) = andon.post("/api/v1/jobs", &format!("card-{job}"), &body);
    assert_eq!(code, 200, "{answer}");
}

pub(crate) fn configure(shop: &Shop, deliver: &str) {
    let text = std::fs::read_to_string(shop.config()).expect("just written");
    std::fs::write(shop.config(), text + deliver).expect("written");
}

fn until_failed(andon: &mut Andon, words: &str) {
    until(&format!("the mail fails: {words}"), 40, || {
        let now = standing(andon, "customers");
        let is_so = now["failure"].as_str().is_some_and(|failure| failure.contains(words));
        if is_so { Ok(()) } else { Err(now) }
    });
}

fn until_letters(server: &MailServer, beyond: usize) {
    until("the mail server has the letter", 40, || {
        let letters = server.letters();
        if letters.len() > beyond { Ok(()) } else { Err(letters) }
    });
}

#[test]
fn a_customer_gets_each_mail_once_though_the_mail_server_fails_and_the_service_is_killed() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let Some(mut server) = MailServer::away() else { return };
    let shop = Shop::new(broker.port, "");
    let deliver = format!(
        "[deliver.mail.customers]\nserver = \"smtp://127.0.0.1:{}\"\nfrom = \"Workshop Lyon <workshop@example.com>\"\n\
         from_item = 1\ntimeout = \"20s\"\n",
        server.port
    );
    configure(&shop, &deliver);
    let functions = "[notification.contacts.C9]\nchannel = \"mail\"\naddress = \"fleet@c9.example\"\n";
    std::fs::write(shop.folder().join("functions.toml"), functions).expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();

    // Nobody is there, then somebody who is busy: tried again. What goes by another channel is passed over.
    accept(&mut andon, "J1", "mail", "ann@home.example");
    accept(&mut andon, "J2", "sms", "+33 612345678");
    accept(&mut andon, "J3", "mail", "bob@home.example");
    until_failed(&mut andon, "onnection");
    server.comes("busy");
    until_failed(&mut andon, "451");
    assert_eq!(server.letters().len(), 0);
    server.is("takes");
    until_sent(&mut andon, "customers", 3);
    let now = standing(&mut andon, "customers");
    assert_eq!((&now["sent"], &now["passed"]), (&json!(2), &json!(1)), "{now}");

    // It has the letter and breaks off before it says so: nobody knows, and it is sent again.
    server.is("cuts");
    let before = server.letters().len();
    accept(&mut andon, "J4", "mail", "cleo@home.example");
    until_letters(&server, before);
    until_failed(&mut andon, "it was sent, and then");

    // So after a kill while the server says nothing.
    server.is("silent");
    let before = server.letters().len();
    until_letters(&server, before);
    andon.kill();
    drop(andon);
    server.is("takes");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    until_sent(&mut andon, "customers", 4);

    // A customer whose card names no address is known from the configuration.
    let card = json!({ "job": "J5", "customer": "C9", "steps": [{ "step": "S01" }] });
    let body = json!({ "actor": "office", "site": "lyon", "card": card });
    assert_eq!(andon.post("/api/v1/jobs", "card-J5", &body).0, 200);
    until_sent(&mut andon, "customers", 5);

    // Nobody of that name: a person has to look, and others wait.
    server.is("refuses");
    accept(&mut andon, "J6", "mail", "typo@home.example");
    assert_eq!(until_held(&mut andon, "customers", "550"), 6);
    let url = andon.url();
    until("the operator sees it", 10, || {
        let status = command(&["status", "--url", &url]);
        let line = "customers of notifications: 1 items wait, 1 were for others; HELD at item 6: permanent error (550): 5.1.1 \
                    <address> nobody of that name";
        if status.contains(line) { Ok(()) } else { Err(status) }
    });
    server.is("takes");
    let body = json!({ "actor": "Q1", "item": 6, "reason": "has moved" });
    assert_eq!(andon.post("/api/v1/deliveries/customers/skip", "d-1", &body).0, 200);
    accept(&mut andon, "J7", "mail", "dora@home.example");
    until_sent(&mut andon, "customers", 7);

    let queue = andon.json("/api/v1/queues/notifications");
    let letters = server.letters();
    each_customer_has_one_mail(&letters, queue["items"].as_array().expect("a list"));
    let (_, metrics) = andon.get("/metrics");
    let counted = "andon_deliveries_total{courier=\"customers\",outcome=\"held\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    let (log, told) = (andon.log(), andon.json("/api/v1/deliveries").to_string());
    assert!(log.contains("not delivered"), "{log}");
    andon.stop();
    let commands = shop.history().text("SELECT * FROM commands");
    for said in [log, told, commands] {
        assert!(!said.contains("home.example") && !said.contains("612345678"), "an address is in {said}");
    }
    a_replay_says_the_same(&shop);
}

/// Of each item of channel `mail` but the one that was skipped there is one `Message-ID`, whatever was repeated; and what
/// is repeated is the same to the byte.
fn each_customer_has_one_mail(letters: &[Value], items: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut by_id: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for letter in letters {
        by_id.entry(text(&letter["id"])).or_default().push(letter);
    }
    let wanted: BTreeMap<String, String> = items
        .iter()
        .filter(|item| item["body"]["channel"] == "mail" && item["job"] != "J6")
        .map(|item| {
            (format!("<{}@notifications.andon>", text(&item["hash"])), text(&item["body"]["address"]))
        })
        .collect();
    assert_eq!(by_id.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    assert_eq!(by_id.len(), 5);
    for (id, address) in &wanted {
        let repeats = &by_id[id];
        assert!(repeats.iter().any(|letter| letter["taken"] == true), "{repeats:?}");
        for letter in repeats {
            assert_eq!(letter["hash"], repeats[0]["hash"], "a repeat is another letter: {repeats:?}");
            assert_eq!(letter["to"], json!([address]), "somebody else has it");
            assert_eq!(
                (text(&letter["head_to"]), text(&letter["from"])),
                (address.clone(), "workshop@example.com".into())
            );
            let subject = text(&letter["subject"]);
            assert!(subject.starts_with("We have taken in "), "{letter}");
            assert!(!subject.contains(['\r', '\n']), "{letter}");
        }
    }
    let most = by_id.values().map(Vec::len).max();
    assert!(most >= Some(3), "one was cut, then silent, then taken: {letters:?}");
}

#[test]
fn a_mail_goes_over_tls_with_a_password_to_a_server_whose_authority_is_known() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let (Some(one), Some(other)) = (MailServer::away(), MailServer::away()) else { return };
    let shop = Shop::new(broker.port, "");
    let (certificate, key) = certificate(shop.folder());
    let mut smtps = one.with_tls(&certificate, &key, "smtps");
    let mut starttls = other.with_tls(&certificate, &key, "starttls");
    smtps.comes("takes");
    starttls.comes("takes");
    let rest = "from = \"workshop@example.com\"\nfrom_item = 1\nusername = \"andon\"\npassword = \"file:mail.secret\"\n";
    let deliver = format!(
        "[deliver.mail.one]\nserver = \"smtps://127.0.0.1:{}\"\nauthority = \"server.pem\"\n{rest}\
         [deliver.mail.other]\nserver = \"smtp://127.0.0.1:{}\"\nstarttls = \"required\"\nauthority = \"server.pem\"\n{rest}\
         [deliver.mail.stranger]\nserver = \"smtps://127.0.0.1:{}\"\n{rest}",
        smtps.port, starttls.port, smtps.port
    );
    configure(&shop, &deliver);
    std::fs::write(shop.folder().join("mail.secret"), "hunter2\n").expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    accept(&mut andon, "J1", "mail", "ann@home.example");
    until_sent(&mut andon, "one", 1);
    until_sent(&mut andon, "other", 1);
    for server in [&smtps, &starttls] {
        let letters = server.letters();
        assert!(letters.len() == 1 && letters[0]["is_tls"] == true, "{letters:?}");
    }
    until("who does not know the authority sends nothing", 20, || {
        let now = standing(&mut andon, "stranger");
        let is_so = now["failure"].as_str().is_some_and(|failure| failure.contains("certificate"));
        if is_so { Ok(()) } else { Err(now) }
    });
    assert_eq!(smtps.letters().len(), 1);
    assert!(!andon.log().contains("hunter2"));
    andon.stop();
}

/// A certificate for 127.0.0.1 that is its own authority, and its key.
fn certificate(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=mail"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .expect("the command openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder.join("server.pem"), folder.join("server.key"))
}
