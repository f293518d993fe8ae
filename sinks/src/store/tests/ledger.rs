//! The ledger, in both databases alike.

use serde_json::{Value, json};

use super::*;
use crate::store::reader::{PageQuestion, Paged, Question};

const LAST_MS: i64 = 1_795_332_840_123;

/// A row of a job, or of a day where there is none: who, of which lot, how much, revision.
fn row(id: u32, job: Option<&str>, lot: Option<&str>, quantity: f64, revision: u32) -> Emission {
    let number = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let text = |value: String| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let last_ms = LAST_MS + i64::from(id) * 60_000;
    emission(
        "ledger",
        vec![
            ("row_id", text(format!("{id}-{revision}"))),
            ("id", text(format!("{id:032x}"))),
            ("site", name(Some("bern"))),
            ("bay", name(Some("bay-1"))),
            ("job", name(job)),
            ("step", name(job.map(|_| "S04"))),
            ("resource", name(Some("oil_5w30"))),
            ("lot", name(lot)),
            ("quantity", number(Some(quantity))),
            ("unit", name(Some("L"))),
            ("from_value", number(job.is_none().then_some(40.5))),
            ("to_value", number(job.is_none().then_some(41.5))),
            ("first_ts", time(Some(last_ms - 1_000))),
            ("last_ts", time(Some(last_ms))),
            ("readings", Arc::new(UInt64Array::from(vec![12]))),
            ("evidence", text("[7, 8, 12]".to_owned())),
            ("local_date", name((job.is_none()).then_some("2026-11-22"))),
            ("started", time(Some(1_795_302_000_000))),
            ("ended", time(Some(1_795_388_400_000))),
            ("state", name(Some(if revision > 1 { "amended" } else { "posted" }))),
            ("revision", Arc::new(UInt32Array::from(vec![revision]))),
            ("final", Arc::new(BooleanArray::from(vec![true]))),
        ],
    )
}

fn of(named: &[(&'static str, &str)]) -> PageQuestion {
    let named = named.iter().map(|(column, value)| (*column, (*value).to_owned())).collect();
    PageQuestion { named, ..PageQuestion::default() }
}

async fn asked(store: &Store, question: PageQuestion) -> Vec<Value> {
    let limit = if question.limit == 0 { 100 } else { question.limit };
    let question = Question::Page(PageQuestion { limit, ..question });
    reader::ask(&store.address, &question).await.expect("answers")
}

fn told(rows: &[Value]) -> Vec<Value> {
    rows.iter().map(|row| json!([row["job"], row["lot"], row["quantity"], row["state"]])).collect()
}

#[tokio::test]
async fn a_lot_that_is_recalled_gives_the_jobs_that_got_it_and_what_nobody_accounts_for() {
    for store in Store::each() {
        let mut sink = store.open().await;
        let first = [
            row(1, Some("J1"), Some("D-0417"), 2.2, 1),
            row(2, Some("J1"), Some("D-0422"), 2.0, 1),
            row(3, Some("J2"), Some("D-0422"), 4.0, 1),
            row(4, Some("J3"), None, 4.0, 1),
            row(5, None, Some("D-0422"), 0.25, 1),
        ];
        committed(&mut sink, 1, &first).await;
        committed(&mut sink, 2, &[row(2, Some("J1"), Some("D-0422"), 2.5, 2)]).await;
        // A word from before is no news.
        committed(&mut sink, 3, &[row(2, Some("J1"), Some("D-0422"), 2.0, 1)]).await;
        let recalled = asked(&store, of(&[("lot", "D-0422")])).await;
        let expected = [
            json!(["J1", "D-0422", 2.5, "amended"]),
            json!(["J2", "D-0422", 4.0, "posted"]),
            json!([null, "D-0422", 0.25, "posted"]),
        ];
        assert_eq!(told(&recalled), expected);
        assert_eq!((&recalled[2]["from_value"], &recalled[0]["from_value"]), (&json!(40.5), &Value::Null));
        assert_eq!(recalled[0]["evidence"], json!([7, 8, 12]));
        assert_eq!(recalled[2]["local_date"], json!("2026-11-22"));
        assert_eq!(recalled[2]["last_ts_ms"], json!(LAST_MS + 300_000));
        assert_eq!(asked(&store, of(&[("site", "bern"), ("job", "J1")])).await.len(), 2);
        assert_eq!(asked(&store, of(&[("site", "oslo"), ("job", "J1")])).await.len(), 0);
        assert_eq!(asked(&store, of(&[("lot", "D\0")])).await.len(), 0, "a name that no lot can have");
        let lasts = store.texts("SELECT last_ts FROM ledger_iso ORDER BY last_ts").await;
        assert_eq!((lasts.len(), lasts[0].as_str()), (5, "2026-11-22T07:35:00.123Z"));
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_a_time_is_cut_out_to_the_millisecond() {
    for store in Store::each() {
        let mut sink = store.open().await;
        let rows: Vec<Emission> = (1..=5).map(|id| row(id, Some("J1"), None, f64::from(id), 1)).collect();
        committed(&mut sink, 1, &rows).await;
        let quantities = |rows: &[Value]| rows.iter().map(|row| row["quantity"].as_f64()).collect::<Vec<_>>();
        let page = |after| PageQuestion { after, limit: 2, ..of(&[("resource", "oil_5w30")]) };
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let rows = asked(&store, page(after)).await;
            let Some(last) = rows.last() else { break };
            after = Some((
                last["last_ts_ms"].as_i64().expect("a time"),
                last["id"].as_str().expect("an id").to_owned(),
            ));
            all.extend(quantities(&rows));
        }
        assert_eq!(all, [1.0, 2.0, 3.0, 4.0, 5.0].map(Some));
        let (from_ms, to_ms) = (Some(LAST_MS + 120_000), Some(LAST_MS + 240_000));
        let cut = asked(&store, PageQuestion { from_ms, to_ms, ..PageQuestion::default() }).await;
        assert_eq!(quantities(&cut), [2.0, 3.0].map(Some));
        // As far as a number reaches.
        let (from_ms, to_ms) = (Some(i64::MIN), Some(i64::MAX));
        assert_eq!(asked(&store, PageQuestion { from_ms, to_ms, ..PageQuestion::default() }).await.len(), 5);
    }
}

#[tokio::test]
async fn exceptions_and_usage_have_pages_as_well_and_those_of_one_moment_are_told_apart() {
    for store in Store::each() {
        let mut sink = store.open().await;
        let ids = ["a", "b", "c"].map(|id| format!("{id:0>32}"));
        let rows: Vec<Emission> = ids.iter().map(|id| exception(id, "high", "active", None)).collect();
        committed(&mut sink, 1, &rows).await;
        committed(&mut sink, 2, &[usage(4.2, 1), exception(&ids[1], "high", "cleared", Some(LAST_MS))]).await;

        let page = |after| PageQuestion { of: Paged::Exceptions, after, limit: 2, ..of(&[("bay", "bay-1")]) };
        let first = asked(&store, page(None)).await;
        let told: Vec<&Value> = first.iter().map(|row| &row["state"]).collect();
        assert_eq!(told, ["active", "cleared"], "each as it was told last");
        let behind = Some((first[1]["raised_ms"].as_i64().expect("a time"), ids[1].clone()));
        let second = asked(&store, page(behind)).await;
        assert_eq!(second.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [&json!(ids[2])]);
        let of_others = PageQuestion { of: Paged::Exceptions, ..of(&[("severity", "low")]) };
        assert_eq!(asked(&store, of_others).await.len(), 0);

        let used = PageQuestion { of: Paged::Usage, ..of(&[("resource", "oil_5w30")]) };
        let used = asked(&store, used).await;
        assert_eq!(
            (&used[0]["quantity"], &used[0]["ended_ms"]),
            (&json!(4.2), &json!(1_795_333_440_000_i64))
        );
    }
}
