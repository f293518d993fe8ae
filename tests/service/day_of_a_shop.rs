//! A day of a workshop of twelve bays, with faults, through Mosquitto, and the people who sign, reset, hand over and post: its
//! books balance, each customer is told once, each job is billed once, each exception has an end.
//!
//! By its messages the day was the one before yesterday; it goes by in less than a minute. So whatever waits for time to pass
//! between arrivals has no time: rules with `silent_after` and `held_after` are left out.
//!
//! The same day again, with `kill -9` every few seconds and a takeover at noon, has the same rows, in SQLite and in PostgreSQL.
//! Not compared is what arrival gives: ordinals of messages and what has one in it (row ids, ids and evidence of exceptions),
//! revisions (how often something was told while it became), how far a device's clock is from ours, epochs, when somebody did
//! something, places in queues. The queue `audit`, which tells of starts, takeovers and refused commands, is another in each
//! run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ingest::time::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::alone;
use crate::andon::{Andon, until};
use crate::day::{Day, LEAK_L};
use crate::deliveries::{Mood, Receiver};
use crate::mosquitto::Mosquitto;
use crate::postgres::with_store;
use crate::server::Server;
use crate::shop::{Shop, sqlite};
use crate::standby::{begin, promote, regions};

/// All that the shop uses has a price, so that nothing stays held for the lack of one.
const FUNCTIONS: &str = r#"
[qa]
inspectors = ["Q1"]
[billing]
labour = "worked"
labour_per_h = 90
"#;

const SOLD: [&str; 12] = [
    "oil_5w30",
    "brake_fluid_dot4",
    "coolant_g12",
    "atf_6",
    "balance_weight_10g",
    "drain_plug_gasket",
    "oil_filter",
    "brake_pad_set",
    "gearbox_filter",
    "gearbox_pan_gasket",
    "timing_belt_kit",
    "water_pump",
];

/// What is compared: of which table, what of it, and which rows. Views ending in `_iso` are alike in both databases.
const TABLES: [(&str, &str, &str); 11] = [
    (
        "exceptions_iso",
        "rule, severity, site, bay, tool, job, step, raised_ms, state, value, limit_min, limit_max, message, \
         operator_state, actor",
        "rule <> 'clock_suspect'",
    ),
    (
        "usage_iso",
        "site, bay, job, step, resource, quantity, unit, planned, readings, started_ms, ended_ms, final",
        "true",
    ),
    (
        "ledger_iso",
        "site, bay, job, step, resource, lot, quantity, unit, from_value, to_value, first_ts_ms, last_ts_ms, readings, \
         local_date, started_ms, ended_ms, final",
        "true",
    ),
    // A card is planned when it comes, which is at another moment of each run.
    (
        "steps_iso",
        "site, bay, job, step, operation, technician, event, seq, ts_ms, elapsed_s, standard_s",
        "event NOT IN ('planned', 'slipped')",
    ),
    (
        "checks_iso",
        "site, bay, job, step, metric, joint, pset, class, expected, counted, within, missing, surplus, spec_min, \
         spec_max, unit, started_ms, ended_ms, final",
        "true",
    ),
    (
        "balances_iso",
        "site, bay, tool, metric, resource, unit, local_date, kind, started_ms, ended_ms, meter_start, meter_end, \
         resets, reset_quantity, metered, booked, unassigned, difference, readings, final",
        "true",
    ),
    ("job_cards", "site, job, customer, vehicle, state, steps, steps_closed, released_by, reason", "true"),
    (
        "job_steps",
        "site, job, step, ordinal, operation, skills, state, bay, technician, reason, worked_s, standard_s",
        "true",
    ),
    (
        "inspections",
        "site, job, step, bay, technician, classes, verdict, reason, missing, CAST(evidence AS TEXT) AS evidence, \
         signed_by, note",
        "true",
    ),
    (
        "invoice_lines",
        "site, job, line, kind, step, item, quantity, unit, price, amount, currency, state, reason, posted_by, note",
        "true",
    ),
    ("queue_items", "queue, site, job, kind, key, CAST(body AS TEXT) AS body", "queue <> 'audit'"),
];

/// Who is told outside.
struct Outside {
    erp: Receiver,
    /// Whoever calls the customers.
    messenger: Receiver,
}

impl Outside {
    fn start() -> Outside {
        Outside { erp: Receiver::start(Mood::Takes), messenger: Receiver::start(Mood::Takes) }
    }

    fn queues(&self) -> [(&'static str, &Receiver); 2] {
        [("billing", &self.erp), ("notifications", &self.messenger)]
    }
}

/// A shop's configuration as the day needs it.
fn furnish(shop: &Shop, outside: &Outside) {
    let text = std::fs::read_to_string(shop.config()).expect("just written");
    let text =
        text.replace("lateness = \"1s\"", "lateness = \"30s\"").replace("idle = \"1s\"", "idle = \"15min\"");
    let deliver = outside.queues().map(|(queue, receiver)| {
        format!(
            "[deliver.webhooks.of_{queue}]\nqueue = \"{queue}\"\nurl = \"http://{}/{queue}\"\n\
             in_doubt = \"resend\"\nfrom = 1\n",
            receiver.address
        )
    });
    std::fs::write(shop.config(), text + &deliver.concat()).expect("written");
    let mut functions = FUNCTIONS.to_owned();
    for resource in SOLD {
        functions += &format!("[billing.prices.{resource}]\nprice = 12.5\n");
    }
    for resource in ["electricity", "compressed_air"] {
        functions += &format!("[billing.prices.{resource}]\nprice = 0\n");
    }
    std::fs::write(shop.folder().join("functions.toml"), functions).expect("written");
    for rule in std::fs::read_dir(shop.folder().join("rules")).expect("rules") {
        let path = rule.expect("a rule").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        if text.contains("silent_after") || text.contains("held_after") {
            std::fs::remove_file(&path).expect("removed");
            continue;
        }
        // Their causes are among those that are left out.
        let others = text.lines().filter(|line| !line.starts_with("suppressed_by"));
        std::fs::write(&path, others.collect::<Vec<_>>().join("\n") + "\n").expect("written");
    }
}

/// Who signs, resets, hands over and posts. What is refused since it is too early is tried again.
#[derive(Default)]
struct People {
    commands: u64,
    resets: u64,
    signed: u64,
    posted: u64,
}

impl People {
    fn say(&mut self, andon: &mut Andon, path: &str, body: &Value) -> bool {
        self.commands += 1;
        let (code, answer) = andon.post(path, &format!("command-{}", self.commands), body);
        assert!([200, 404, 409].contains(&code), "{path} {body}: {code} {answer}");
        code == 200
    }

    /// Resets what is latched, signs what is held, and hands over what is ready; how much of that there was.
    fn look_round(&mut self, andon: &mut Andon) -> usize {
        let open = andon.json("/api/v1/exceptions?state=open");
        let latched = |one: &&Value| one["state"] == "latched";
        let ids: Vec<Value> =
            list(&open, "exceptions").iter().filter(latched).map(|one| one["id"].clone()).collect();
        for id in &ids {
            let path = format!("/api/v1/exceptions/{}/reset", id.as_str().expect("an id"));
            self.resets +=
                u64::from(self.say(andon, &path, &json!({"actor": "Q1", "reason": "tightened again"})));
        }
        let jobs = andon.json("/api/v1/jobs?state=open&limit=500");
        let mut held = Vec::new();
        for job in list(&jobs, "jobs") {
            let steps = list(job, "steps").iter().filter(|step| step["state"] == "qa_hold");
            held.extend(steps.map(|step| (job["job"].clone(), step["step"].clone())));
        }
        for (job, step) in &held {
            let path = format!(
                "/api/v1/jobs/{}/steps/{}/sign_off",
                job.as_str().expect("a name"),
                step.as_str().expect("a name")
            );
            self.signed += u64::from(self.say(andon, &path, &json!({"actor": "Q1", "note": "looked at"})));
        }
        let ready: Vec<&Value> =
            list(&jobs, "jobs").iter().filter(|job| job["state"] == "ready").map(|job| &job["job"]).collect();
        for job in &ready {
            let path = format!("/api/v1/jobs/{}/release", job.as_str().expect("a name"));
            self.say(andon, &path, &json!({"actor": "Q1"}));
        }
        ids.len() + held.len() + ready.len()
    }

    /// In the evening: the rest of that, and the office looks at what of the bills is held.
    fn close(&mut self, andon: &mut Andon) {
        until("all is signed, reset and handed over", 120, || match self.look_round(andon) {
            0 => Ok(()),
            left => Err(left),
        });
        let released = andon.json("/api/v1/jobs?state=released&limit=500");
        let released = list(&released, "jobs").iter().map(|job| word(job, "job"));
        for job in released {
            let lines = until(&format!("the bill of {job}"), 30, || {
                let lines = andon.json(&format!("/api/v1/jobs/{job}/lines"));
                if list(&lines, "lines").is_empty() { Err(lines) } else { Ok(lines) }
            });
            for line in list(&lines, "lines").iter().filter(|line| line["state"] == "held") {
                let path = format!("/api/v1/jobs/{job}/lines/{}/post", line["line"]);
                let posted = self.say(andon, &path, &json!({"actor": "office", "note": "agreed"}));
                assert!(posted, "{line}");
                self.posted += 1;
            }
        }
    }
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().unwrap_or_else(|| panic!("no list {name} in {answer}"))
}

/// Where the tables of a run are.
type Ask<'a> = Box<dyn Fn(&str) -> Vec<Value> + 'a>;

/// Waits until the night has passed and all is in the tables, closes the shop, and gives the service back.
fn evening(andon: &mut Andon, people: &mut People, day: &Day, ask: &Ask<'_>) {
    let meters = day.counters.len() + day.dispensed.len() + 1;
    until("the balances of the day are final", 240, || {
        let sql = "SELECT count(*) AS count FROM balances_iso WHERE final = 1";
        let found = ask(sql)[0]["count"].clone();
        if found.as_u64() >= Some(meters as u64) { Ok(()) } else { Err((found, andon.counts())) }
    });
    people.close(andon);
    until("all lines are posted", 60, || {
        let sql = "SELECT (SELECT count(*) FROM invoice_lines) AS lines, (SELECT count(*) FROM queue_items WHERE \
                   queue = 'billing') AS items";
        let found = ask(sql)[0].clone();
        if found["lines"] == found["items"] { Ok(()) } else { Err(found) }
    });
    // One by one, each attempt in the journal and its mirror before it goes out.
    until("all bills and words to customers are sent", 150, || {
        let (code, body) = andon.get("/api/v1/deliveries");
        let all: Value = serde_json::from_str(&body).unwrap_or_default();
        let of_courier = |one: &Value| one["settled"].as_u64() > Some(0) && one["waiting"] == 0;
        let couriers = all["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
        let are_done = couriers.len() == 2 && couriers.iter().all(of_courier);
        if code == 200 && are_done { Ok(()) } else { Err(body) }
    });
}

/// The compared tables, sorted; numbers as SQLite and PostgreSQL both mean them.
fn tables(ask: &Ask<'_>) -> BTreeMap<&'static str, Vec<String>> {
    let told = |(table, columns, which): (&'static str, &str, &str)| {
        let rows = ask(&format!("SELECT {columns} FROM {table} WHERE {which}"));
        let line = |row: &Value| {
            let row = row.as_object().expect("a row");
            let named = |(name, value): (&String, &Value)| match value.as_f64() {
                Some(number) => format!("{name}={number}"),
                None => format!("{name}={value}"),
            };
            let mut columns: Vec<String> = row.iter().map(named).collect();
            columns.sort_unstable();
            columns.join(" ")
        };
        let mut rows: Vec<String> = rows.iter().map(line).collect();
        rows.sort_unstable();
        (table, rows)
    };
    TABLES.into_iter().map(told).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6 * one.abs().max(1.0)
}

fn word(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}")).to_owned()
}

/// Consumption booked and unassigned is what meters say; what steps used is what is booked; the tank lost its leak.
fn the_books_balance(day: &Day, ask: &Ask<'_>) {
    let balances = ask("SELECT * FROM balances_iso WHERE final = 1 AND metered IS NOT NULL");
    let mut counters = 0;
    let mut dispensers = BTreeMap::new();
    let mut booked: BTreeMap<String, f64> = BTreeMap::new();
    for row in &balances {
        let of = |name: &str| number(&row[name]);
        if row["kind"] == "level" {
            assert!(is_near(of("difference"), LEAK_L), "the leak: {row}");
            continue;
        }
        assert_eq!(of("difference").to_bits(), 0, "{row}");
        assert!(is_near(of("booked") + of("unassigned"), of("metered")), "{row}");
        *booked.entry(word(row, "resource")).or_default() += of("booked");
        if row["kind"] == "counter" {
            counters += 1;
            let shown = day.counters[&(word(row, "bay"), word(row, "tool"), word(row, "metric"))];
            assert_eq!((of("meter_start"), of("meter_end")), (shown.first, shown.last), "{row}");
            assert_eq!(of("resets"), shown.falls as f64, "{row}");
            assert!(is_near(of("metered"), shown.last - shown.first + shown.fallen), "{row}");
        } else {
            dispensers.insert((word(row, "bay"), word(row, "resource")), of("metered"));
        }
    }
    assert_eq!(counters, day.counters.len());
    assert!(day.counters.values().any(|shown| shown.falls > 0), "some counter was set back");
    assert_eq!(dispensers.len(), day.dispensed.len());
    for (place, litres) in &day.dispensed {
        assert!(is_near(dispensers[place], *litres), "{place:?}: {litres}");
    }
    for (resource, quantity) in &booked {
        let sql = format!("SELECT sum(quantity) AS quantity FROM usage_iso WHERE resource = '{resource}'");
        let used = number(&ask(&sql)[0]["quantity"]);
        assert!(is_near(used, *quantity), "{resource}: steps used {used}, and {quantity} is booked");
    }
    the_ledger_says_the_same(ask);
}

/// Its lots add up to what steps used, its days to what no step accounts for.
fn the_ledger_says_the_same(ask: &Ask<'_>) {
    for (rows, others) in [
        (
            "SELECT resource, sum(quantity) AS quantity FROM ledger_iso WHERE job IS NOT NULL GROUP BY resource",
            "SELECT resource, sum(quantity) AS quantity FROM usage_iso GROUP BY resource",
        ),
        (
            "SELECT resource, sum(quantity) AS quantity FROM ledger_iso WHERE job IS NULL GROUP BY resource",
            "SELECT resource, sum(unassigned) AS quantity FROM balances_iso WHERE kind <> 'level' GROUP BY resource \
             HAVING sum(unassigned) <> 0",
        ),
    ] {
        let sums = |sql: &str| -> BTreeMap<String, f64> {
            ask(sql).iter().map(|row| (word(row, "resource"), number(&row["quantity"]))).collect()
        };
        let (rows, others) = (sums(rows), sums(others));
        assert!(!others.is_empty() && rows.keys().eq(others.keys()), "{rows:?} and {others:?}");
        assert!(
            rows.values().zip(others.values()).all(|(one, other)| is_near(*one, *other)),
            "{rows:?} {others:?}"
        );
    }
}

/// A day on which nothing happens proves nothing.
fn all_of_it_happened(ask: &Ask<'_>) {
    for (what, sql) in [
        ("steps that were assigned", "SELECT count(*) AS count FROM steps_iso WHERE event = 'assigned'"),
        (
            "steps that took too long",
            "SELECT count(*) AS count FROM exceptions_iso WHERE rule LIKE 'step_overrun%'",
        ),
        (
            "joints that were bad",
            "SELECT count(*) AS count FROM exceptions_iso WHERE rule LIKE 'torque%' AND actor = 'Q1'",
        ),
        (
            "bad joints of steps that lack no good one in the end: they were tightened again",
            "SELECT count(*) AS count FROM exceptions_iso AS e JOIN inspections AS i ON i.job = e.job AND i.step = e.step \
             WHERE e.rule = 'torque_out_of_spec' AND i.missing = 0",
        ),
        (
            "fluids that were held and released",
            "SELECT count(*) AS count FROM invoice_lines WHERE kind = 'resource' AND posted_by = 'office'",
        ),
        ("records that were signed", "SELECT count(*) AS count FROM inspections WHERE signed_by = 'Q1'"),
        ("jobs that were handed over", "SELECT count(*) AS count FROM job_cards WHERE released_by = 'Q1'"),
    ] {
        let count = ask(sql)[0]["count"].as_u64().expect("a count");
        eprintln!("{count} {what}");
        assert!(count > 0, "there were {what}");
    }
}

/// Labour is what was clocked, on the job and on its bill.
fn labour_is_what_was_clocked(day: &Day, ask: &Ask<'_>) {
    let steps = ask("SELECT job, step, worked_s FROM job_steps WHERE worked_s > 0");
    assert_eq!(steps.len(), day.worked_s.values().filter(|worked_s| **worked_s > 0.0).count());
    for row in &steps {
        let clocked = day.worked_s[&(word(row, "job"), word(row, "step"))];
        assert!(is_near(number(&row["worked_s"]), clocked), "{row}: {clocked} s were clocked");
    }
    let sold = ask("SELECT job, step, quantity FROM invoice_lines WHERE kind = 'labour'");
    assert!(sold.len() > 50, "{} lines of labour", sold.len());
    for row in &sold {
        let clocked_h = day.worked_s[&(word(row, "job"), word(row, "step"))] / 3600.0;
        assert!((number(&row["quantity"]) - clocked_h).abs() < 1e-4, "{row}: {clocked_h} h were clocked");
    }
}

/// Told once each, billed once, and nothing is open.
fn each_customer_is_told_and_each_job_billed_once(ask: &Ask<'_>, outside: &Outside) {
    let none = |what: &str, sql: &str| assert_eq!(ask(sql), Vec::<Value>::new(), "{what}");
    none(
        "items under one key",
        "SELECT queue, key FROM queue_items WHERE queue <> 'audit' GROUP BY queue, key HAVING count(*) > 1",
    );
    none(
        "jobs that were handed over and whose customer was not told all",
        "SELECT job FROM job_cards WHERE state = 'released' AND (SELECT count(*) FROM queue_items AS of WHERE of.job \
         = job_cards.job AND queue = 'notifications' AND kind IN ('accepted', 'started', 'ready')) <> 3",
    );
    none(
        "steps of jobs that were handed over without a line, or with two",
        "SELECT s.job, s.step FROM job_steps AS s JOIN job_cards AS c ON c.job = s.job WHERE c.state = 'released' AND \
         s.worked_s > 0 AND (SELECT count(*) FROM invoice_lines AS l WHERE l.job = s.job AND l.step = s.step AND \
         l.kind = 'labour') <> 1",
    );
    none("lines that are held", "SELECT job, line FROM invoice_lines WHERE state <> 'posted'");
    none(
        "exceptions without an end",
        "SELECT id, rule FROM exceptions_iso WHERE state <> 'cleared' OR cleared_ms IS NULL",
    );
    none(
        "exceptions that end before they begin",
        "SELECT id FROM exceptions_iso WHERE cleared_ms < raised_ms",
    );
    for (queue, receiver) in outside.queues() {
        let items = ask(&format!("SELECT key FROM queue_items WHERE queue = '{queue}'"));
        let items: BTreeSet<String> = items.iter().map(|row| word(row, "key")).collect();
        let came = receiver.came();
        let keys: BTreeMap<&str, &str> = came.iter().map(|(_, key, _, body)| (&**key, &**body)).collect();
        assert_eq!(keys.len(), items.len(), "items of {queue} that the other side can tell apart");
        assert!(came.iter().all(|(_, key, _, body)| keys[&**key] == body), "a repeat says the same");
    }
}

fn undisturbed(day: &Day, broker: &Mosquitto, seconds: u64) -> BTreeMap<&'static str, Vec<String>> {
    let outside = Outside::start();
    let shop = Shop::new(broker.port, "");
    furnish(&shop, &outside);
    let mut andon = Andon::run(&shop);
    andon.until_ready();
    let mut people = People::default();
    let told = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| day.play(broker.port, seconds, &told));
        while told.load(Ordering::SeqCst) < day.messages() {
            people.look_round(&mut andon);
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    let file = shop.data().join("andon.db");
    let ask: Ask<'_> = Box::new(|sql| sqlite(&file, sql));
    evening(&mut andon, &mut people, day, &ask);
    let People { commands, resets, signed, posted } = people;
    eprintln!("{commands} commands: {resets} resets, {signed} signatures, {posted} lines posted by hand");
    assert!(resets > 5 && signed > 20 && posted > 0, "people had something to do");
    andon.stop();
    all_of_it_happened(&ask);
    the_books_balance(day, &ask);
    labour_is_what_was_clocked(day, &ask);
    each_customer_is_told_and_each_job_billed_once(&ask, &outside);
    tables(&ask)
}

/// The leader is killed now and then; at noon for good, and the standby takes over, which is killed then. The standby's store
/// is a PostgreSQL where one is given.
fn disturbed(
    day: &Day,
    broker: &Mosquitto,
    seconds: u64,
    server: Option<&Server>,
) -> BTreeMap<&'static str, Vec<String>> {
    let outside = Outside::start();
    let (_mirror, lyon, paris) = regions(broker, "ack = \"mirrored\"");
    furnish(&lyon, &outside);
    furnish(&paris, &outside);
    let database = server.map(|server| (server, server.database()));
    if let Some((server, database)) = &database {
        with_store(&paris, server, database);
    }
    let (mut andon, mut standby) = begin(&lyon, &paris);
    let mut people = People::default();
    let told = AtomicU64::new(0);
    let clock = SystemClock::default();
    let mut kills = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| day.play(broker.port, seconds, &told));
        let mut shop = &lyon;
        loop {
            let share = told.load(Ordering::SeqCst) as f64 / day.messages() as f64;
            if share >= 1.0 {
                break;
            }
            people.look_round(&mut andon);
            if clock.monotonic_us() / 4_000_000 <= kills {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            kills += 1;
            andon.kill();
            if share >= 0.5 && std::ptr::eq(shop, &raw const lyon) {
                let taken_s = promote(&mut standby, &paris);
                eprintln!("at noon the standby took over within {taken_s:.1} s");
                std::mem::swap(&mut andon, &mut standby);
                shop = &paris;
            } else {
                andon = Andon::run(shop);
            }
            andon.until_ready();
        }
    });
    eprintln!("{kills} kills");
    assert!(kills >= 4, "it was disturbed: {kills} kills");
    let file = paris.data().join("andon.db");
    let ask: Ask<'_> = match &database {
        None => Box::new(|sql| sqlite(&file, sql)),
        Some((server, database)) => Box::new(move |sql| {
            let rows = server.ask(database, &format!("SELECT to_json(of) FROM ({sql}) AS of"));
            rows.lines().map(|row| serde_json::from_str(row).expect("a row")).collect()
        }),
    };
    evening(&mut andon, &mut people, day, &ask);
    andon.stop();
    all_of_it_happened(&ask);
    the_books_balance(day, &ask);
    labour_is_what_was_clocked(day, &ask);
    each_customer_is_told_and_each_job_billed_once(&ask, &outside);
    tables(&ask)
}

/// Seconds in which the day goes by.
fn day_s() -> u64 {
    std::env::var("ANDON_DAY_S").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

#[test]
fn the_books_of_a_day_balance_labour_is_what_was_clocked_and_all_is_told_and_billed_once() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(broker) = Mosquitto::start("") else { return };
    let found = undisturbed(&Day::record(folder.path()), &broker, day_s());
    for (table, rows) in &found {
        eprintln!("{table}: {} rows", rows.len());
        assert!(!rows.is_empty(), "there are {table}");
    }
}

#[test]
#[ignore = "three days take minutes"]
fn the_same_day_with_kills_and_a_takeover_has_the_same_rows_in_sqlite_and_in_postgresql() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(broker) = Mosquitto::start("") else { return };
    let day = Day::record(folder.path());
    let expected = undisturbed(&day, &broker, day_s());
    drop(broker);
    let server = Server::start();
    for (store, server) in [("SQLite", None), ("PostgreSQL", Some(&server))] {
        let Some(broker) = Mosquitto::start("") else { return };
        let found = disturbed(&day, &broker, day_s(), server);
        for (table, rows) in &expected {
            let (here, there): (BTreeSet<&String>, BTreeSet<&String>) =
                (rows.iter().collect(), found[table].iter().collect());
            let (lack, surplus): (Vec<_>, Vec<_>) =
                (here.difference(&there).take(3).collect(), there.difference(&here).take(3).collect());
            assert!(
                lack.is_empty() && surplus.is_empty(),
                "{table} in {store}: without {lack:#?}, but with {surplus:#?}"
            );
            assert_eq!(rows.len(), found[table].len(), "rows of {table} in {store}");
        }
    }
}
