//! Queries that share slides say what each says by itself.

use proptest::prelude::*;

use super::law::{Event, history, known_series, run};
use super::{Bench, Reading, telemetry, window_plan};
use crate::window::{Frontier, Input, SharedSlides};

/// Each list shares slides.
const TOGETHER: [&[&str]; 3] = [
    &[
        "SELECT site, bay, tool, window_start, window_end, count(*) AS n, max(value) AS most \
         FROM tumble(telemetry, ts, INTERVAL '5 seconds') WHERE metric = 'torque' \
         GROUP BY site, bay, tool, window_start, window_end",
        "SELECT site, bay, tool, window_end, sum(value) AS total, min(value) AS least, stddev(value) AS s, count(value) AS k \
         FROM hop(telemetry, ts, INTERVAL '5 seconds', INTERVAL '20 seconds') WHERE metric = 'torque' \
         GROUP BY site, bay, tool, window_start, window_end HAVING count(*) > 1",
        "SELECT site, bay, tool, window_start, count(*) AS n FROM hop(telemetry, ts, INTERVAL '5 seconds', INTERVAL '10 seconds') \
         WHERE metric = 'torque' GROUP BY site, bay, tool, window_start, window_end",
    ],
    &[
        "SELECT site, window_start, avg(value) AS mean FROM tumble(telemetry, ts, INTERVAL '4 seconds') \
         WHERE value > -50 GROUP BY site, window_start, window_end",
        "SELECT site, window_start, sum(value) FILTER (WHERE metric = 'angle') AS angles, max(value * 2) AS twice, \
         count(*) FILTER (WHERE value > 0) AS positive, var_pop(value) AS v \
         FROM hop(telemetry, ts, INTERVAL '4 seconds', INTERVAL '8 seconds') \
         WHERE value > -50 GROUP BY site, window_start, window_end",
    ],
    &[
        "SELECT metric, window_start, count(*) FILTER (WHERE job IS NULL) AS idle, count(*) AS n \
         FROM tumble(telemetry, ts, INTERVAL '10 seconds') GROUP BY metric, window_start, window_end",
        "SELECT metric, window_start, max(value) AS most FROM tumble(telemetry, ts, INTERVAL '10 seconds') \
         GROUP BY metric, window_start, window_end HAVING max(value) > 0",
    ],
];

struct Together {
    benches: Vec<Bench>,
    slides: SharedSlides,
    waiting: Vec<Reading>,
    messages: u64,
}

fn slides_of(benches: &[Bench]) -> SharedSlides {
    SharedSlides::new(&benches.iter().map(|bench| &bench.plan).collect::<Vec<_>>())
        .expect("they share slides")
}

impl Together {
    fn new(queries: &[&str], reverse: bool) -> Self {
        let benches: Vec<Bench> = queries
            .iter()
            .map(|sql| {
                let mut bench = Bench::new(sql, 10_000_000);
                bench.table = known_series(reverse);
                bench
            })
            .collect();
        Together { slides: slides_of(&benches), benches, waiting: Vec::new(), messages: 1 }
    }

    fn push(&mut self) {
        let readings = std::mem::take(&mut self.waiting);
        let Together { benches, slides, .. } = self;
        let table = &mut benches[0].table;
        let rows = telemetry(&readings, self.messages, table);
        self.messages += readings.len() as u64;
        let batch = rows.batch.project(slides.columns()).expect("columns of the stream");
        let (series, bay, ts_ms) = (&rows.series, &rows.bay, &rows.ts_ms);
        let input = Input { rows: &batch, series, bay, ts_ms, runs_ms: &[] };
        let ended_ms = benches.iter().map(|bench| bench.operator.ended_ms()).max().expect("some");
        let ended = slides.push(&input, &benches[0].table, ended_ms).expect("no row fails");
        let is_behind = slides.are_behind();
        let ended: Vec<Reading> = ended.iter().map(|&row| readings[row as usize].clone()).collect();
        for (member, bench) in benches.iter_mut().enumerate() {
            if is_behind {
                slides.follow(member, &mut bench.operator, &bench.table).expect("it follows");
            }
            bench.push(&ended);
        }
    }

    fn give(&mut self, until_ms: i64) {
        let given = self.slides.take(until_ms);
        for (member, bench) in self.benches.iter_mut().enumerate() {
            self.slides.give(member, &given, &mut bench.operator).expect("it takes them");
        }
        self.slides.keep(given);
    }

    fn close(&mut self, end: Option<&Frontier<'_>>) {
        let ends_ms = |bench: &Bench| {
            let overall = bench.bays.iter().copied().min().unwrap_or(i64::MIN);
            let own = Frontier { bays: &bench.bays, sites: &bench.sites, overall };
            bench.operator.ends_ms(end.unwrap_or(&own))
        };
        self.give(self.benches.iter().map(ends_ms).max().expect("some"));
        self.benches.iter_mut().for_each(|bench| drop(bench.close(end)));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Nothing => return,
            Event::Batch | Event::Save | Event::Watermark(..) | Event::Release(_) => self.push(),
        }
        match event {
            Event::Nothing | Event::Batch => {}
            Event::Save => {
                self.give(i64::MAX);
                self.benches.iter_mut().for_each(Bench::save_and_restore);
                self.slides = slides_of(&self.benches);
            }
            Event::Watermark(bay, ms) => {
                for bench in &mut self.benches {
                    bench.set_watermark(bay, ms);
                    bench.set_site_watermark(["S0", "S1"][bay % 2], ms);
                }
                self.close(None);
            }
            Event::Release(bay) => {
                self.give(i64::MAX);
                for bench in &mut self.benches {
                    let mut out = Vec::new();
                    bench
                        .operator
                        .release(u32::try_from(bay).expect("few bays"), &mut out)
                        .expect("it shows");
                    bench.said.extend(super::lines(&out));
                }
            }
        }
    }

    fn hashes(&mut self) -> Vec<blake3::Hash> {
        self.give(i64::MAX);
        let hash = |bench: &mut Bench| bench.snapshot().1;
        self.benches.iter_mut().map(hash).collect()
    }
}

fn run_together(
    queries: &[&str],
    history: &[(Reading, Event)],
    cut: bool,
    reverse: bool,
) -> (Vec<Vec<String>>, Vec<blake3::Hash>) {
    let mut together = Together::new(queries, reverse);
    for (reading, event) in history {
        together.waiting.push(reading.clone());
        if cut || !matches!(event, Event::Batch | Event::Save) {
            together.happens(*event);
        }
    }
    together.push();
    let hashes = together.hashes();
    together.close(Some(&Frontier::end()));
    (together.benches.into_iter().map(|bench| bench.said).collect(), hashes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn queries_that_share_slides_say_what_each_says_alone(history in history(), of in 0..TOGETHER.len()) {
        let queries = TOGETHER[of];
        let (whole, hashes) = run_together(queries, &history, false, false);
        for (query, said) in queries.iter().zip(&whole) {
            prop_assert_eq!(said, &run(query, &history, false, false).said, "{}", query);
        }
        for reverse in [false, true] {
            let (cut, hashes_of_cut) = run_together(queries, &history, true, reverse);
            prop_assert_eq!(&whole, &cut);
            prop_assert_eq!(&hashes, &hashes_of_cut);
        }
    }
}

#[test]
fn only_queries_over_the_same_rows_groups_and_slides_share() {
    let shares = |one: &str, other: &str| window_plan(one).shares_slides_with(&window_plan(other));
    let query = |what: &str, windows: &str, rest: &str| {
        format!(
            "SELECT site, bay, window_start, {what} AS value FROM {windows} {rest} GROUP BY site, bay, window_start, window_end"
        )
    };
    let hop = "hop(telemetry, ts, INTERVAL '10 seconds', INTERVAL '60 seconds')";
    let tumble = "tumble(telemetry, ts, INTERVAL '10 seconds')";
    let one = query("count(*)", hop, "");
    assert!(shares(&one, &query("stddev(value)", tumble, "")));
    let wide = "tumble(telemetry, ts, INTERVAL '60 seconds')";
    let others = [
        query("count(*)", wide, ""),
        query("count(*)", tumble, "WHERE metric = 'torque'"),
        query("count(*)", tumble, "WHERE value > 3"),
        query("median(value)", tumble, ""),
        query("sum(CAST(text AS BIGINT))", tumble, ""),
        one.replace("site, bay", "site"),
    ];
    for other in others {
        assert!(!shares(&one, &other), "{other}");
    }
}
