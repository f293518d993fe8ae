//! Balances of meters and tanks, in both databases alike.

use serde_json::{Value, json};

use super::*;

/// A revision of what the meter `tool` of a site in Bern showed in a day; one without is the site's.
fn balance(tool: Option<&str>, day: (&str, i64), booked: f64, revision: u32) -> Emission {
    balance_of("bern", tool, day, booked, revision)
}

fn balance_of(
    site: &str,
    tool: Option<&str>,
    (date, started_ms): (&str, i64),
    booked: f64,
    revision: u32,
) -> Emission {
    let number = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let count = |value: u32| -> ArrayRef { Arc::new(UInt32Array::from(vec![value])) };
    let row_id = format!("balance-{site}-{}-{date}-{revision}", tool.unwrap_or_default());
    emission(
        "balances",
        vec![
            ("row_id", Arc::new(StringArray::from(vec![row_id]))),
            ("site", name(Some(site))),
            ("bay", name(tool.map(|_| "bay-1"))),
            ("tool", name(tool)),
            ("metric", name(Some("energy"))),
            ("resource", name(Some("electricity"))),
            ("kind", name(Some("counter"))),
            ("local_date", name(Some(date))),
            ("started", time(Some(started_ms))),
            ("ended", time(Some(started_ms + 86_400_000))),
            ("meter_start", number(100.0)),
            ("meter_end", number(112.5)),
            ("resets", count(0)),
            ("reset_quantity", number(0.0)),
            ("metered", number(12.5)),
            ("booked", number(booked)),
            ("unassigned", number(12.5 - booked)),
            ("difference", number(0.0)),
            ("unit", name(Some("kW.h"))),
            ("readings", Arc::new(UInt64Array::from(vec![70]))),
            ("revision", count(revision)),
            ("final", Arc::new(BooleanArray::from(vec![revision > 1]))),
        ],
    )
}

#[tokio::test]
async fn the_newest_revision_of_a_meters_day_is_read_by_its_date() {
    let (monday, tuesday) = (("2026-11-23", 1_795_388_400_000), ("2026-11-24", 1_795_474_800_000));
    for store in Store::each() {
        let mut sink = store.open().await;
        let first = [balance(Some("meter"), monday, 8.0, 1), balance(None, monday, 3.0, 1)];
        committed(&mut sink, 1, &first).await;
        let later = [balance(Some("meter"), monday, 9.0, 2), balance(None, tuesday, 2.0, 1)];
        committed(&mut sink, 2, &later).await;
        committed(&mut sink, 3, &[balance(Some("meter"), monday, 8.5, 1)]).await;

        let asked = async |site: Option<&str>, date: Option<&str>| {
            let (site, date) = (site.map(str::to_owned), date.map(str::to_owned));
            let rows = reader::ask(&store.address, &reader::Question::Balances { site, date }).await;
            let rows = rows.expect("answers").into_iter();
            rows.map(|row| json!([row["tool"], row["local_date"], row["booked"], row["final"]]))
                .collect::<Vec<Value>>()
        };
        let of_site = json!([null, "2026-11-23", 3.0, 0]);
        let of_bay = json!(["meter", "2026-11-23", 9.0, 1]);
        assert_eq!(asked(None, Some("2026-11-23")).await, [of_site, of_bay]);
        assert_eq!(asked(Some("bern"), None).await, [json!([null, "2026-11-24", 2.0, 0])], "the newest day");
        assert!(asked(Some("oslo"), None).await.is_empty());
        let starts = store.texts("SELECT started FROM balances_iso ORDER BY started, tool NULLS LAST").await;
        assert_eq!(starts.len(), 3);
        assert_eq!(starts[0], "2026-11-22T23:00:00.000Z");
    }
}

#[tokio::test]
async fn the_newest_day_is_that_of_each_site_for_days_do_not_begin_everywhere_at_once() {
    let (monday, tuesday) = (("2026-11-23", 1_795_388_400_000), ("2026-11-24", 1_795_474_800_000));
    for store in Store::each() {
        let mut sink = store.open().await;
        let west = [balance(None, monday, 2.0, 1), balance(None, ("2026-11-22", 1_795_302_000_000), 1.0, 2)];
        committed(&mut sink, 1, &west).await;
        committed(&mut sink, 2, &[balance_of("tokyo", None, tuesday, 3.0, 1)]).await;

        let asked = async |site: Option<&str>, date: Option<&str>| {
            let (site, date) = (site.map(str::to_owned), date.map(str::to_owned));
            let rows = reader::ask(&store.address, &reader::Question::Balances { site, date }).await;
            let rows = rows.expect("answers").into_iter();
            rows.map(|row| json!([row["site"], row["local_date"]])).collect::<Vec<Value>>()
        };
        let (bern, tokyo) = (json!(["bern", "2026-11-23"]), json!(["tokyo", "2026-11-24"]));
        assert_eq!(asked(None, None).await, [bern.clone(), tokyo.clone()]);
        assert_eq!(asked(Some("bern"), None).await, [bern], "though it is tomorrow already in Tokyo");
        assert_eq!(asked(None, Some("2026-11-24")).await, [tokyo], "a day that is named is that day");
    }
}
