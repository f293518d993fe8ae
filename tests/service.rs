//! The built service as people meet it: a configuration folder, Debian's Mosquitto, HTTP, signals.
//!
//! One story runs at a time, since some measure how long things take. `ANDON_KILLS` and `ANDON_BROKER_KILLS`
//! set how often `kills` and `broker_kills` do so, `ANDON_DAY_S` in how many seconds the day of a shop goes by,
//! `ANDON_SOAK_S` for how many seconds memory is watched; where Mosquitto, Chromium, aiosmtpd or the right to mount is
//! absent, a story says so and is skipped.

#[path = "support/andon.rs"]
mod andon;
#[path = "support/bucket.rs"]
mod bucket;
#[path = "support/bustle.rs"]
mod bustle;
#[path = "support/cut_wire.rs"]
mod cut_wire;
#[path = "support/day.rs"]
mod day;
#[allow(dead_code, reason = "the benchmark uses the rest")]
#[path = "../benches/load/floor.rs"]
mod floor;
#[path = "support/mail_server.rs"]
mod mail_server;
#[path = "support/memory.rs"]
mod memory;
#[allow(dead_code, reason = "the intake's own tests use the rest")]
#[path = "../ingest/tests/support/mosquitto.rs"]
mod mosquitto;
#[path = "../sinks/tests/support/postgres.rs"]
mod server;
#[path = "support/shop.rs"]
mod shop;
#[path = "support/tight_disk.rs"]
mod tight_disk;
#[path = "support/witness.rs"]
mod witness;
#[path = "support/work.rs"]
mod work;

#[path = "service/backup.rs"]
mod backup;
#[path = "service/bad_input.rs"]
mod bad_input;
#[path = "service/board.rs"]
mod board;
#[path = "service/broker_away.rs"]
mod broker_away;
#[path = "service/broker_kills.rs"]
mod broker_kills;
#[path = "service/changed_rules.rs"]
mod changed_rules;
#[path = "service/day_of_a_shop.rs"]
mod day_of_a_shop;
#[path = "service/deliveries.rs"]
mod deliveries;
#[path = "service/demo.rs"]
mod demo;
#[path = "service/full_disk.rs"]
mod full_disk;
#[path = "service/functions.rs"]
mod functions;
#[path = "service/interface.rs"]
mod interface;
#[path = "service/kills.rs"]
mod kills;
#[path = "service/lamps.rs"]
mod lamps;
#[path = "service/mail.rs"]
mod mail;
#[path = "service/older_checkpoint.rs"]
mod older_checkpoint;
#[path = "service/operators.rs"]
mod operators;
#[path = "service/postgres.rs"]
mod postgres;
#[path = "service/repair.rs"]
mod repair;
#[path = "service/routing.rs"]
mod routing;
#[path = "service/soak.rs"]
mod soak;
#[path = "service/standby.rs"]
mod standby;
#[path = "service/technician.rs"]
mod technician;

use std::sync::{Mutex, MutexGuard, PoisonError};

use andon::{Andon, until};
use shop::{History, Shop};
use work::Work;

/// Held by the story that runs.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until all that was published has been applied and is in the exports.
fn until_exported(andon: &mut Andon, shop: &Shop, work: &Work) {
    until("all readings are applied", 60, || {
        let counts = andon.counts();
        let of = work.readings;
        if counts.get("applied") >= of {
            Ok(())
        } else {
            Err((counts, format!("of {of}"), andon.get("/readyz")))
        }
    });
    until("all readings are in the exports", 60, || {
        let seen = shop.history().count_now("SELECT count(*) AS count FROM telemetry");
        if seen.as_ref().is_ok_and(|seen| *seen >= work.readings) { Ok(()) } else { Err(seen) }
    });
}

/// Each reading is in the exports, and none of them twice.
fn each_reading_is_there_once(history: &History, work: &Work) {
    let rows = history.rows(
        "SELECT count(*) AS rows, count(DISTINCT row_id) AS ids, count(DISTINCT seq) AS numbers FROM telemetry",
    );
    let counts = ["rows", "ids", "numbers"].map(|name| rows[0][name].as_u64().expect("a count"));
    assert_eq!(counts, [work.readings; 3], "rows, distinct ids and distinct seq of stream telemetry");
}

/// The tables of the store hold what the exported streams say last: each step event, the newest revision of each
/// booking, the newest word on each exception.
fn the_store_says_the_same(shop: &Shop) {
    let same = |table: &str, stored: &str, exported: &str| {
        let (stored, exported) = (shop.stored(stored), shop.history().rows(exported));
        assert!(!exported.is_empty(), "there are {table}");
        assert_eq!(stored, exported, "{table} of the store and of the exports");
    };
    let steps = "SELECT row_id, job, step, event, message FROM steps ORDER BY row_id";
    same("steps", steps, steps);
    same(
        "usage",
        "SELECT job, step, resource, quantity, revision, final FROM usage ORDER BY job, step, resource",
        "SELECT job, step, resource, quantity, revision, CAST(final AS INT) AS final FROM (SELECT *, row_number() \
         OVER (PARTITION BY site, job, step, resource ORDER BY revision DESC) AS place FROM usage) \
         WHERE place = 1 ORDER BY job, step, resource",
    );
    same(
        "ledger",
        "SELECT id, job, step, resource, quantity, state, revision, final FROM ledger WHERE job IS NOT NULL \
         ORDER BY id",
        "SELECT id, job, step, resource, quantity, state, revision, CAST(final AS INT) AS final FROM (SELECT *, \
         row_number() OVER (PARTITION BY id ORDER BY revision DESC) AS place FROM ledger) WHERE place = 1 \
         AND job IS NOT NULL ORDER BY id",
    );
    same(
        "checks",
        "SELECT job, step, metric, counted, missing, revision, final FROM checks ORDER BY job, step, metric",
        "SELECT job, step, metric, counted, missing, revision, CAST(final AS INT) AS final FROM (SELECT *, \
         row_number() OVER (PARTITION BY site, job, step, metric, joint, pset ORDER BY revision DESC) AS place \
         FROM checks) WHERE place = 1 ORDER BY job, step, metric",
    );
    let ids = "SELECT DISTINCT id, rule, raised_ms FROM exceptions ORDER BY id";
    let exported =
        "SELECT DISTINCT id, rule, CAST(raised AS BIGINT) AS raised_ms FROM exceptions ORDER BY id";
    same("exceptions", ids, exported);
    let known: Vec<serde_json::Value> = shop.history().rows("SELECT id, row_id FROM exceptions");
    for row in shop.stored("SELECT id, row_id FROM exceptions") {
        assert!(known.contains(&row), "{row} is a word that was exported");
    }
}

/// A replay of the journal gives the same rows as the service did.
fn a_replay_says_the_same(shop: &Shop) -> serde_json::Value {
    let (replayed, figures) = shop.replayed();
    for stream in [
        "telemetry",
        "steps",
        "usage",
        "ledger",
        "checks",
        "balances",
        "gaps",
        "exceptions",
        "quarantine",
        "commands",
        "late",
        "torque_per_minute",
    ]
    .into_iter()
    .chain(pipelines::functions::STREAMS)
    {
        let sql = format!("SELECT * FROM {stream} ORDER BY row_id");
        let (live, again) = (shop.history().text(&sql), replayed.text(&sql));
        if live == again {
            continue;
        }
        let differs = live.split("},{").zip(again.split("},{")).find(|(one, other)| one != other);
        panic!(
            "stream {stream} of the service ({} rows) is not that of the replay ({} rows): {differs:#?}",
            live.split("},{").count(),
            again.split("},{").count()
        );
    }
    figures
}

/// A job from its card to its end: joints, oil, now and then a reject or a message cut short.
fn job(work: &mut Work, number: u64) {
    let (bay, job) = (["bay-01", "bay-02", "bay-03"][number as usize % 3], format!("J{number:06}"));
    work.card(&job);
    work.step(bay, &job, "started");
    for joint in 0..12 {
        let torque =
            if joint == 7 && number.is_multiple_of(4) { 131.0 } else { 84.0 + f64::from(joint) / 4.0 };
        work.reading(bay, "wrench_7", "torque", torque);
        work.reading(bay, "wrench_7", "angle", 30.0 + f64::from(joint));
        work.reading(bay, "pump_1", "temperature", 19.5 + f64::from(joint));
    }
    if number.is_multiple_of(5) {
        work.nonsense(bay, "wrench_7");
    }
    work.booking(bay, 4.25);
    work.step(bay, &job, "finished");
}
