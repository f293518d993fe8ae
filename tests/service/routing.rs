//! Who is told of an exception by mail, and who next when nobody comes.

use serde_json::{Value, json};

use crate::andon::{Andon, until};
use crate::mail::configure;
use crate::mail_server::MailServer;
use crate::mosquitto::Mosquitto;
use crate::shop::{Shop, command};
use crate::work::Work;
use crate::{a_replay_says_the_same, alone};

const FUNCTIONS: &str = r#"
[routing.routes.tools]
severity = ["critical", "high", "medium"]
rules = ["tool_offline"]
levels = [{ tell = ["lead"] }, { after = "6s", tell = ["skill:supervision"] }]

[assignment.sites.lyon]
bays = ["bay-01"]

[assignment.technicians.S1]
site = "lyon"
skills = ["supervision"]

[notification.contacts.lead]
channel = "mail"
address = "lead@shop.example"

[notification.contacts.S1]
channel = "mail"
address = "s1@shop.example"
"#;

fn offline(work: &mut Work, tools: &[&str]) {
    for tool in tools {
        work.message(&format!("workshop/lyon/bay-01/{tool}/status"), br#"{"online":false}"#);
    }
    work.settle();
}

fn open(andon: &mut Andon, tool: &str) -> String {
    until(&format!("{tool} is offline"), 30, || {
        let listed = andon.json("/api/v1/exceptions?state=all")["exceptions"].clone();
        let of_tool = |one: &&Value| one["tool"] == tool && one["rule"] == "tool_offline";
        let id =
            listed.as_array().and_then(|all| all.iter().find(of_tool)?["id"].as_str().map(str::to_owned));
        id.ok_or(listed)
    })
}

/// Who has a letter about that exception.
fn told(server: &MailServer, id: &str) -> Vec<String> {
    let about = format!("Exception {id}.");
    let letters = server.letters();
    let of_it =
        letters.iter().filter(|letter| letter["text"].as_str().is_some_and(|text| text.contains(&about)));
    of_it.filter_map(|letter| letter["to"][0].as_str().map(str::to_owned)).collect()
}

#[test]
fn nobody_comes_and_the_next_are_told_and_whoever_comes_ends_it() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let Some(mut server) = MailServer::away() else { return };
    server.comes("takes");
    let shop = Shop::new(broker.port, "");
    let deliver = format!(
        "[deliver.mail.people]\nserver = \"smtp://127.0.0.1:{}\"\nfrom = \"andon@shop.example\"\nfrom_item = 1\n",
        server.port
    );
    configure(&shop, &deliver);
    std::fs::write(shop.folder().join("functions.toml"), FUNCTIONS).expect("written");
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);

    // Of the first one the lead hears and acknowledges; of the second nobody does, though the service is killed meanwhile.
    offline(&mut work, &["wrench_1"]);
    let first = open(&mut andon, "wrench_1");
    until("the lead hears of it", 30, || {
        let told = told(&server, &first);
        if told == ["lead@shop.example"] { Ok(()) } else { Err(told) }
    });
    let (code, answer) =
        andon.post(&format!("/api/v1/exceptions/{first}/acknowledge"), "a-1", &json!({"actor": "lead"}));
    assert_eq!(code, 200, "{answer}");
    offline(&mut work, &["wrench_2"]);
    let second = open(&mut andon, "wrench_2");
    andon.kill();
    drop(andon);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    until("those who supervise hear of it", 40, || {
        let told = told(&server, &second);
        if told == ["lead@shop.example", "s1@shop.example"] { Ok(()) } else { Err(told) }
    });
    assert_eq!(told(&server, &first), ["lead@shop.example"]);
    let subject = server.letters()[0]["subject"].as_str().expect("a subject").to_owned();
    assert!(subject.ends_with(": tool_offline on bay-01, lyon"), "{subject}");

    // More than anybody can look at.
    let tools: Vec<String> = (3..14).map(|number| format!("wrench_{number}")).collect();
    offline(&mut work, &tools.iter().map(String::as_str).collect::<Vec<_>>());
    until("it is a flood", 30, || {
        let flood = andon.json("/api/v1/exceptions/flood")["sites"][0].clone();
        let is_so = flood["in_flood"] == true && flood["raised_per_10min"].as_u64() >= Some(13);
        if is_so && flood["rules"][0] == json!({"name": "tool_offline", "raised": 13}) {
            Ok(())
        } else {
            Err(flood)
        }
    });
    let url = andon.url();
    until("the operator sees it", 10, || {
        let status = command(&["status", "--url", &url]);
        if status.contains("FLOOD on lyon") { Ok(()) } else { Err(status) }
    });
    andon.stop();
    a_replay_says_the_same(&shop);
}
