//! The tables in a PostgreSQL that stops now and then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ingest::journal::Journal;
use ingest::storage::DiskStorage;
use pipelines::checkpoint::CheckpointFolder;
use pipelines::config::Config;
use pipelines::run::epochs::{CheckpointWriter, Epochs, Opened};
use pipelines::wire;
use serde_json::{Map, Value, json};
use sinks::deliver::{Delivery, Fanout, Route};
use sinks::store::{Address, StoreSink};

use crate::andon::{Andon, until};
use crate::mosquitto::Mosquitto;
use crate::server::{PASSWORD, Server};
use crate::shop::{Shop, ask, sqlite, text};
use crate::work::Work;
use crate::{alone, each_reading_is_there_once, job, until_exported};

/// So that the journal holds all from the first message on.
const KEEP_ALL: &str = "[retention]\njournal = \"64GiB\"\n";

/// Has its tables in `database` of the server.
pub(crate) fn with_store(shop: &Shop, server: &Server, database: &str) {
    let file = std::fs::read_to_string(shop.config()).expect("just written");
    let url = server.url(database);
    std::fs::write(shop.config(), format!("{file}[store]\nurl = \"{url}\"\n")).expect("written");
}

#[test]
fn a_postgresql_that_stops_is_waited_for_and_holds_what_an_sqlite_file_would() {
    let _alone = alone();
    let Some(broker) = Mosquitto::start("") else { return };
    let mut server = Server::start();
    let database = server.database();
    let shop = Shop::new(broker.port, KEEP_ALL);
    with_store(&shop, &server, &database);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut work = Work::on(broker.port);
    (0..20).for_each(|number| job(&mut work, number));
    work.settle();
    until_exported(&mut andon, &shop, &work);

    // Away for some seconds: messages are acknowledged all the while, which `settle` waits for.
    server.kill();
    let mut number = 20..;
    let mut more = |work: &mut Work| {
        number.by_ref().take(20).for_each(|number| job(work, number));
        work.settle();
    };
    more(&mut work);
    let reason = andon.until_not_ready(&["it cannot be reached"]);
    eprintln!("without PostgreSQL: {}", reason.trim());
    assert!(
        reason.contains(&format!("postgres: `postgres://andon:***@127.0.0.1:{}", server.port)),
        "{reason}"
    );
    std::thread::sleep(Duration::from_secs(2));
    more(&mut work);
    server.start_again();
    andon.until_ready();
    until_exported(&mut andon, &shop, &work);

    // Once more, and Andon is killed meanwhile: started without its store it waits for that, and says so.
    server.kill();
    more(&mut work);
    andon.until_not_ready(&["it cannot be reached"]);
    andon.kill();
    let mut andon = Andon::run(&shop);
    andon.until_not_ready(&["it cannot be reached"]);
    server.start_again();
    andon.until_ready();
    more(&mut work);
    until_exported(&mut andon, &shop, &work);

    // Another on the same database ends, and says why.
    let other = Shop::of("other", "127.0.0.1", broker.port, "127.0.0.1", "");
    with_store(&other, &server, &database);
    let mut second = Andon::run(&other);
    assert_eq!(second.ended(40).code(), Some(1));
    assert!(second.log().contains("another Andon writes to it"), "{}", second.log());

    let (code, queue) = andon.get("/api/v1/queues/audit?limit=3");
    assert_eq!(code, 200, "{queue}");
    assert!(queue.contains("\"offset\":1"), "{queue}");
    andon.stop();
    let verified = ask(&["audit", "verify", "--config", text(&shop.config())]).expect("the chain is whole");
    assert!(verified.contains("queue audit is whole"), "{verified}");
    each_reading_is_there_once(&shop.history(), &work);
    the_tables_are_those_of_an_sqlite_file(&shop, &server, &database);
    nothing_holds_the_password(&shop);
    let backup = shop.folder().join("backup");
    let made = ask(&["backup", "--config", text(&shop.config()), "--out", text(&backup), "--json"]);
    let made: Value = serde_json::from_str(&made.expect("a backup")).expect("JSON");
    assert!(made["tables_elsewhere"].as_str().is_some_and(|url| url.contains("andon:***@")), "{made}");

    // A dump of the same time goes on with it in another place.
    let elsewhere = Shop::new(broker.port, KEEP_ALL);
    let copied = server.copied(&database);
    with_store(&elsewhere, &server, &copied);
    ask(&["restore", text(&backup), "--config", text(&elsewhere.config())]).expect("it is restored");
    let mut andon = Andon::run(&elsewhere);
    andon.until_ready();
    more(&mut work);
    let jobs = work.events / 4;
    until("the new jobs are in the tables", 60, || {
        let seen = server.ask(&copied, "SELECT count(*) FROM job_cards");
        if seen == format!("{jobs}\n") { Ok(()) } else { Err(seen) }
    });
    andon.stop();
}

/// Row for row.
fn the_tables_are_those_of_an_sqlite_file(shop: &Shop, server: &Server, database: &str) {
    let file = filled(shop);
    let mut counts = BTreeMap::new();
    for table in StoreSink::streams().into_iter().chain(["epochs"]) {
        let id = if table == "epochs" { "epoch" } else { "row_id" };
        let sql = format!("SELECT * FROM {table} ORDER BY {id}");
        let expected: Vec<Value> = sqlite(&file, &sql);
        let order = if table == "epochs" { id.to_owned() } else { format!("{id} COLLATE \"C\"") };
        let sql = format!("SELECT to_json(of) FROM {table} AS of ORDER BY of.{order}");
        let found = server.ask(database, &sql);
        let found: Vec<Value> = found.lines().map(|row| serde_json::from_str(row).expect("a row")).collect();
        assert_eq!(found.len(), expected.len(), "rows of {table}");
        for (found, expected) in found.iter().zip(&expected) {
            let (found, expected) = (as_object(found), as_object(expected));
            assert_eq!(found.len(), expected.len(), "columns of {table}");
            for (name, expected) in expected {
                assert!(is_same(found, name, expected), "{name} of {table}: {expected} in SQLite, {found:?}");
            }
        }
        counts.insert(table, found.len());
    }
    eprintln!("rows in PostgreSQL: {counts:?}");
    for table in ["exceptions", "usage", "ledger", "steps", "checks", "job_cards", "job_steps", "queue_items"]
    {
        assert!(counts[table] > 0, "there are {table}: {counts:?}");
    }
}

fn as_object(row: &Value) -> &Map<String, Value> {
    row.as_object().expect("a row is an object")
}

/// Times and flags are numbers in SQLite, JSON is text.
fn is_same(found: &Map<String, Value>, name: &str, expected: &Value) -> bool {
    if let Some(name) = name.strip_suffix("_ms") {
        let ms = found[name].as_str().map(|time| {
            time.parse::<jiff::Timestamp>().expect("PostgreSQL writes times by the standard").as_millisecond()
        });
        return json!(ms) == *expected;
    }
    match &found[name] {
        Value::Bool(flag) => json!(u8::from(*flag)) == *expected,
        Value::Number(number) => number.as_f64() == expected.as_f64(),
        found @ (Value::Object(_) | Value::Array(_)) => expected
            .as_str()
            .is_some_and(|text| serde_json::from_str::<Value>(text).ok().as_ref() == Some(found)),
        found => found == expected,
    }
}

/// An SQLite store that a journal like the shop's fills, from its beginning to its end.
fn filled(shop: &Shop) -> PathBuf {
    let folder = shop.folder().join("again");
    let mut config = Config::load(&shop.config()).expect("it served");
    let journal = std::mem::replace(&mut config.journal.folder, folder.join("journal"));
    config.checkpoint.folder = folder.join("checkpoints");
    std::fs::create_dir_all(&config.journal.folder).expect("a folder");
    for file in std::fs::read_dir(journal).expect("the journal") {
        let file = file.expect("a file");
        if Path::new(&file.file_name()).extension().is_some_and(|kind| kind == "journal") {
            std::fs::copy(file.path(), config.journal.folder.join(file.file_name())).expect("copied");
        }
    }
    let file = folder.join("andon.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = runtime.block_on(StoreSink::open(&Address::of_file(&file))).expect("opens");
    let mut sinks = Fanout::default();
    let streams = StoreSink::streams().map(str::to_owned).into_iter().collect();
    sinks.add(Delivery::spawn(Box::new(store), 100_000).expect("a thread"), Route::Streams(streams));
    let (journal, recovered) = Journal::open(Arc::new(DiskStorage), &config.journal).expect("whole");
    assert_eq!(recovered.first_offset.0, 1, "all of it is there");
    let checkpoints = CheckpointFolder::open(Arc::new(DiskStorage), &config.checkpoint.folder, 2);
    let opened = Opened {
        engine: wire::engine(&config).expect("it served"),
        newest: None,
        journal,
        recovered,
        checkpoints: checkpoints.expect("a folder"),
        writer: CheckpointWriter::Thread,
        sinks: Arc::new(sinks),
    };
    let (mut epochs, _) = Epochs::open(&config, opened).expect("opens");
    epochs.recover(&mut |_| false, || false).expect("all of it applies");
    file
}

/// Neither in the log nor in anything that was kept.
fn nothing_holds_the_password(shop: &Shop) {
    let in_the_url = shop.config();
    let mut folders = vec![shop.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path != in_the_url {
                let bytes = std::fs::read(&path).expect("readable");
                for word in [PASSWORD, "sesame"] {
                    let holds = bytes.windows(word.len()).any(|part| part == word.as_bytes());
                    assert!(!holds, "{} holds `{word}`", path.display());
                }
            }
        }
    }
}
