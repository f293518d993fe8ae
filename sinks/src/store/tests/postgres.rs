//! What holds of a PostgreSQL server alone: it goes away and comes back, others use it, and people look into it.

use super::super::postgres::connect_to_read;
use super::*;

fn store() -> Store {
    Store::postgres()
}

fn address(url: &str) -> Address {
    Address::parse(url, Path::new("")).expect("a good URL")
}

#[tokio::test]
async fn a_server_that_dies_between_prepare_and_commit_loses_and_doubles_nothing() {
    let mut server = Server::start();
    let database = server.database();
    let mut sink = StoreSink::open(&address(&server.url(&database))).await.expect("opens");
    committed(&mut sink, 1, &[steps(0, 3), exception("a", "high", "active", None)]).await;
    sink.write(&steps(3, 4)).await.expect("writes");
    sink.write(&exception("a", "high", "cleared", Some(1_795_332_900_000))).await.expect("writes");
    let receipt = sink.prepare(Epoch(2), Offset(9)).await.expect("prepares");
    server.kill();
    for _ in 0..2 {
        let error = sink.commit(Epoch(2), &receipt).await.expect_err("it is down");
        assert!(error.is_passing(), "{error}");
        assert!(!error.to_string().contains(server::PASSWORD), "{error}");
    }
    sink.write(&steps(7, 2)).await.expect("rows wait in memory");
    let error = sink.prepare(Epoch(3), Offset(12)).await.expect_err("it is down");
    assert!(error.to_string().contains("it cannot be reached"), "{error}");
    server.start_again();
    assert_eq!(server.ask(&database, "SELECT count(*) FROM steps"), "3\n");
    for _ in 0..2 {
        sink.commit(Epoch(2), &receipt).await.expect("commits, and again");
        assert_eq!(server.ask(&database, "SELECT count(*), max(epoch) FROM steps"), "7|2\n");
    }
    let receipt = sink.prepare(Epoch(3), Offset(12)).await.expect("prepares");
    // This time the commit is done, and only its answer is lost: a new process makes it again.
    sink.commit(Epoch(3), &receipt).await.expect("commits");
    server.kill();
    server.start_again();
    drop(sink);
    let mut sink = StoreSink::open(&address(&server.url(&database))).await.expect("opens");
    sink.commit(Epoch(3), &receipt).await.expect("it is there");
    let rows =
        "SELECT (SELECT count(*) FROM steps), state, (SELECT count(*) FROM staged_steps) FROM exceptions";
    assert_eq!(server.ask(&database, rows), "9|cleared|0\n");
}

#[tokio::test]
async fn a_session_that_an_operator_ends_is_made_anew() {
    let store = store();
    let mut sink = store.open().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'andon'";
    let end = format!("{end} AND datname = '{}'", store.database);
    sink.write(&steps(0, 3)).await.expect("writes");
    SERVER.ask("postgres", &end);
    assert!(sink.prepare(Epoch(1), Offset(1)).await.expect_err("it was ended").is_passing());
    let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
    SERVER.ask("postgres", &end);
    assert!(sink.commit(Epoch(1), &receipt).await.expect_err("it was ended").is_passing());
    sink.commit(Epoch(1), &receipt).await.expect("commits");
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 3);
}

/// The server makes rows durable, and nobody hears of it: the same rows come again.
#[tokio::test]
async fn rows_whose_staging_had_no_answer_are_staged_once() {
    let store = store();
    let mut sink = store.open().await;
    committed(&mut sink, 1, &[steps(0, 3)]).await;
    SERVER.ask(
        &store.database,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON staged_steps DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let impatient = Duration::from_millis(200);
    // First of an epoch in the making, for there is no more room for rows; then of the epoch itself.
    for epoch in 2..4 {
        sink.write(&steps(epoch * 10, 1)).await.expect("writes");
        let number = i64::try_from(epoch).expect("small");
        let staging = sink.stage((epoch == 3).then_some(number));
        assert!(tokio::time::timeout(impatient, staging).await.is_err(), "the commit takes longer");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let number = u64::try_from(number).expect("small");
        let receipt = sink.prepare(Epoch(number), Offset(number)).await.expect("prepares");
        sink.commit(Epoch(number), &receipt).await.expect("has what the receipt says");
    }
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 5);
}

#[tokio::test]
async fn a_second_program_on_the_same_database_is_refused() {
    let store = store();
    let mut first = store.open().await;
    let error = StoreSink::open_within(&store.address, Duration::ZERO).await.expect_err("it is taken");
    assert!(!error.is_passing());
    let text = error.to_string();
    assert!(text.contains("another Andon writes to it (session ") && text.contains("127.0.0.1"), "{text}");
    assert!(!text.contains(server::PASSWORD), "{text}");
    committed(&mut first, 1, &[steps(0, 3)]).await;
    // One that ends a little later was the process before this one.
    let ending = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(first);
    });
    let mut second = store.open().await;
    ending.await.expect("ended");
    committed(&mut second, 2, &[steps(3, 3)]).await;
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 6);
}

#[tokio::test]
async fn a_table_that_another_session_locks_is_waited_for() {
    let store = store();
    let mut sink = store.open().await;
    sink.write(&steps(0, 3)).await.expect("writes");
    let receipt = sink.prepare(Epoch(1), Offset(1)).await.expect("prepares");
    // Shorter than it is, so that the test is.
    let Some(Connection::Postgres(connection)) = sink.connection.as_mut() else { panic!("is open") };
    sqlx::raw_sql("SET lock_timeout = '100ms'").execute(connection).await.expect("set");
    let Place::Postgres(options) = &store.address.place else { panic!("of a server") };
    let mut other = connect_to_read(options).await.expect("connects");
    let lock = "SET default_transaction_read_only = off; BEGIN; LOCK TABLE steps IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.expect("locks");
    let error = sink.commit(Epoch(1), &receipt).await.expect_err("is locked");
    assert!(error.is_passing() && error.to_string().contains("another session holds a lock"), "{error}");
    drop(other);
    sink.commit(Epoch(1), &receipt).await.expect("commits");
    assert_eq!(store.texts("SELECT row_id FROM steps").await.len(), 3);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_why() {
    let store = store();
    let good = SERVER.url(&store.database);
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    SERVER.ask("postgres", latin);
    SERVER.ask("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    let wrong = [
        (good.replace("sesame", "barley"), false, "check user and password"),
        (SERVER.url("nowhere"), false, "make it with `createdb`"),
        (SERVER.url("latin"), false, "make it in UTF-8"),
        (good.replace("andon:open%3Asesame%2F%401", "guest:guest"), false, "give it a database of its own"),
        (good.replace(&SERVER.port.to_string(), "1"), true, "start it, or check host and port"),
    ];
    for (url, is_passing, remedy) in wrong {
        let error = StoreSink::open(&address(&url)).await.expect_err(remedy);
        assert_eq!(error.is_passing(), is_passing, "{error}");
        let text = error.to_string();
        assert!(text.contains(remedy), "{text}");
        assert!(!text.contains("sesame") && !text.contains("barley") && !text.contains(":guest@"), "{text}");
    }
}

#[tokio::test]
async fn a_newer_programs_database_is_refused() {
    let store = store();
    drop(store.open().await);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'newer', true, '', 0)";
    SERVER.ask(&store.database, newer);
    let error = StoreSink::open(&store.address).await.expect_err("is newer");
    assert!(
        error.to_string().ends_with(
            "its version is 99, this program knows 6; use the program that wrote it, or a newer one"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn people_find_types_of_their_own_in_it() {
    let store = store();
    let mut sink = store.open().await;
    committed(&mut sink, 1, &[exception("a", "high", "active", None), usage(4.25, 2), item(1)]).await;
    let ask = |sql: &str| SERVER.ask(&store.database, sql);
    assert_eq!(ask("SELECT raised + interval '1 hour' FROM exceptions"), "2026-11-22 08:34:00.123+00\n");
    assert_eq!(ask("SELECT quantity, final, ended - started FROM usage"), "4.25|t|00:10:00\n");
    assert_eq!(ask("SELECT body->>'amount' FROM queue_items"), "42.5\n");
    assert_eq!(
        ask("SELECT raised_ms, raised FROM exceptions_iso"),
        "1795332840123|2026-11-22T07:34:00.123Z\n"
    );
    let described = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'v') AND relname !~ '^_sqlx' \
                     AND relnamespace = 'public'::regnamespace AND obj_description(oid, 'pg_class') IS NULL";
    assert_eq!(ask(described), "0\n", "each table and view has a comment");
    let planned = "SET enable_seqscan = off; EXPLAIN SELECT * FROM exceptions WHERE cleared IS NULL ORDER BY severity, raised";
    assert!(ask(planned).contains("exceptions_open"));
}

/// Devices say what they like: a NUL in a name, a date in a thousand years.
#[tokio::test]
async fn what_only_postgresql_does_not_take_does_not_end_the_sink() {
    let store = store();
    let mut sink = store.open().await;
    let mut odd = exception("nul\0", "high", "active", Some(i64::MAX));
    committed(&mut sink, 1, std::slice::from_ref(&odd)).await;
    assert_eq!(
        store.texts("SELECT id || ' ' || cleared FROM exceptions_iso").await,
        ["nul\u{fffd} 9999-12-31T23:59:59.999Z"]
    );
    odd = exception("nul\0", "high", "active", Some(i64::MIN));
    committed(&mut sink, 2, &[odd]).await;
    assert_eq!(store.texts("SELECT cleared FROM exceptions_iso").await, ["0001-01-01T00:00:00.000Z"]);
}
