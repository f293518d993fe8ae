//! A board with a made-up workshop, to look at the page without a broker:
//! `cargo run --release -p sinks --example board -- [ADDRESS] [BAYS]`
//!
//! Every state is there, steps go on and overrun, exceptions come and go, a data line falls silent.

use std::net::SocketAddr;
use std::time::Duration;

use ingest::time::{Clock, SystemClock};
use sinks::board::{Board, serve};
use sinks::channels::Missing;
use sinks::prometheus::Prometheus;
use sinks::view::{Bay, BayState, Counts, ExceptionView, Latency, Status, Trend, UsageView, View};

const OPERATIONS: [(&str, f64); 6] = [
    ("Front axle torque", 900.0),
    ("Oil and filter change", 1_200.0),
    ("Brake fluid flush", 1_500.0),
    ("Wheel alignment, four wheels", 2_700.0),
    ("High-voltage isolation check", 1_800.0),
    ("Air conditioning service", 3_600.0),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let bays: usize = arguments.next().as_deref().unwrap_or("12").parse()?;
    let (publisher, board) = Board::new();
    let prometheus = Prometheus::new(env!("CARGO_PKG_VERSION"));
    prometheus.install()?;
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let (address, served) = serve(listen, board, prometheus, stop).await?;
    println!("http://{address}/");
    let clock = SystemClock::default();
    let started_ms = clock.now_ms();
    while !served.is_finished() {
        publisher.publish(workshop(bays, clock.now_ms(), started_ms));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}

fn workshop(bays: usize, now_ms: i64, started_ms: i64) -> View {
    let seconds = (now_ms - started_ms) as f64 / 1000.0;
    let messages = 1_284_000 + (seconds * 1250.0) as u64;
    let counts = Counts {
        messages,
        decoded: messages - 17,
        undecodable: 17,
        readings: messages + 400,
        applied: messages - 120,
        duplicates: 503,
        quarantined: 17,
        on_time: messages - 132,
        corrections: 9,
        late: 3,
        exceptions: 31,
        ..Counts::default()
    };
    let bays: Vec<Bay> = (0..bays).map(|number| bay(number, bays, now_ms, seconds)).collect();
    let exceptions = exceptions(&bays, now_ms, started_ms);
    let not_ready = if seconds % 60.0 > 50.0 {
        vec![
            "no connection to the broker at 127.0.0.1:1883, trying again in 4 s (connection refused)"
                .to_owned(),
        ]
    } else {
        Vec::new()
    };
    let status = Status {
        configuration: "0123456789ab".to_owned(),
        configuration_refused: Vec::new(),
        windows_waiting: Vec::new(),
        version: "0.1.0".to_owned(),
        not_ready,
        counts,
        messages_per_second: 1250.0 + 40.0 * (seconds / 3.0).sin(),
        watermark_lag_ms: Some(31_200 + (300.0 * seconds.sin()) as i64),
        latency_ms: Latency { p50: 4.8, p99: 11.3, max: 38.0 },
        journal_offset: messages / 40,
        epoch: (seconds / 5.0) as u64 + 1200,
        exceptions_open: exceptions.iter().filter(|one| one.is_open()).count() as u64,
        exceptions_suppressed: exceptions.iter().filter(|one| one.state == "suppressed").count() as u64,
        exceptions_shelved: 0,
        floods: Vec::new(),
        role: "primary".to_owned(),
        mirror: None,
        missing: Missing::default(),
        deliveries: Vec::new(),
    };
    let usage = vec![UsageView {
        site: "lyon".to_owned(),
        bay: "bay-03".to_owned(),
        job: "J000103".to_owned(),
        step: "S02".to_owned(),
        resource: "oil_5w30".to_owned(),
        quantity: 4.2,
        unit: "L".to_owned(),
        ended_ms: now_ms - 60_000,
    }];
    View { at_ms: now_ms, status, bays, exceptions, usage, ..View::default() }
}

fn bay(number: usize, bays: usize, now_ms: i64, seconds: f64) -> Bay {
    let name = if bays > 99 { format!("bay-{:03}", number + 1) } else { format!("bay-{:02}", number + 1) };
    // Of twelve: one or two stopped (one comes and goes), two at risk, one of each odd kind, the rest on time.
    let state = match number % 12 {
        2 => BayState::Stopped,
        6 if seconds % 20.0 > 10.0 => BayState::Stopped,
        1 | 7 => BayState::AtRisk,
        4 => BayState::Waiting,
        5 => BayState::Free,
        8 => BayState::NoData,
        _ => BayState::Normal,
    };
    let (operation, standard_s) = OPERATIONS[number % OPERATIONS.len()];
    let share = match state {
        BayState::Stopped => 1.62,
        BayState::AtRisk => 1.08,
        _ => 0.15 + 0.11 * (number % 7) as f64,
    };
    let elapsed_s = standard_s * share + seconds;
    let reason = match state {
        BayState::Stopped if number % 12 == 2 => {
            format!("over 1.5 times the standard of {:.0} min", standard_s / 60.0)
        }
        BayState::Stopped => "critical: torque out of spec".to_owned(),
        BayState::AtRisk => "over standard time".to_owned(),
        BayState::Waiting => "step is paused: waiting for parts".to_owned(),
        BayState::NoData => "nothing heard for 4 min".to_owned(),
        BayState::Free => "no step".to_owned(),
        BayState::Normal => String::new(),
    };
    let works = state != BayState::Free;
    let text = |text: &str| works.then(|| text.to_owned());
    Bay {
        site: "lyon".to_owned(),
        bay: name,
        job: text(&format!("J{:06}", 100 + number)),
        step: text(&format!("S{:02}", 1 + number % 5)),
        operation: text(operation),
        technician: text(&format!("T{:02}", 10 + number % 20)),
        started_ms: works.then(|| now_ms - (elapsed_s * 1000.0) as i64),
        elapsed_s: works.then_some(if state == BayState::Waiting { standard_s * share } else { elapsed_s }),
        standard_s: works.then_some(standard_s),
        paused: state == BayState::Waiting,
        expected: Vec::new(),
        resources: Vec::new(),
        state,
        reason,
        last_arrived_ms: Some(match state {
            BayState::NoData => now_ms - 240_000 - (seconds * 1000.0) as i64,
            _ => now_ms - 400 - ((number as i64 * 1700) % 9000),
        }),
        watermark_ms: Some(now_ms - 31_000),
        exceptions_open: match state {
            BayState::Stopped => 2,
            BayState::AtRisk => 1,
            _ => 0,
        },
        trends: trends(number, seconds),
    }
}

fn trends(number: usize, seconds: f64) -> Vec<Trend> {
    let kinds = [
        ("torque_1", "torque", "N.m", 87.0, 6.0),
        ("lift_1", "height", "m", 1.1, 0.4),
        ("air_1", "pressure", "bar", 6.8, 0.3),
        ("power_1", "power", "kW", 3.1, 2.0),
    ];
    let line = |&(tool, metric, unit, mean, swing): &(&str, &str, &str, f64, f64)| {
        let point = |at: usize| {
            let t = seconds.floor() + at as f64 + 7.0 * number as f64;
            mean + swing * ((t / 5.0).sin() * 0.6 + (t * 1.7).sin() * 0.4)
        };
        Trend {
            tool: tool.to_owned(),
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            points: (0..60).map(point).collect(),
        }
    };
    kinds.iter().take(1 + number % 4).map(line).collect()
}

fn exceptions(bays: &[Bay], now_ms: i64, started_ms: i64) -> Vec<ExceptionView> {
    let mut all = Vec::new();
    for (number, bay) in bays.iter().enumerate().filter(|(_, bay)| bay.exceptions_open > 0) {
        let over = ExceptionView {
            id: format!("step_overrun/{}", bay.bay),
            rule: "step_overrun".to_owned(),
            severity: if bay.state == BayState::Stopped { "medium" } else { "low" }.to_owned(),
            raised_ms: started_ms - 61_000 * (number as i64 + 1),
            value: bay.elapsed_s,
            limit_max: bay.standard_s.map(|standard| standard * 1.2),
            message: format!("{} takes longer than planned", bay.operation.as_deref().unwrap_or("step")),
            response: "Ask the technician what is missing, and move the next job if needed".to_owned(),
            ..base(bay)
        };
        all.push(over);
        if bay.state == BayState::Stopped {
            all.push(ExceptionView {
                id: format!("torque_out_of_spec/{}", bay.bay),
                rule: "torque_out_of_spec".to_owned(),
                severity: "critical".to_owned(),
                tool: "torque_1".to_owned(),
                raised_ms: now_ms - (now_ms - started_ms) % 20_000 + 10_000 - 20_000,
                state: if number % 12 == 2 { "latched" } else { "active" }.to_owned(),
                value: Some(97.25),
                limit_min: Some(80.0),
                limit_max: Some(95.0),
                message: "torque_1 tightened to 97.25 N.m, allowed 80 to 95".to_owned(),
                response: "Stop, loosen, tighten again, then have QA reset the joint".to_owned(),
                ..base(bay)
            });
        }
        if number % 12 == 7 {
            all.push(ExceptionView {
                id: format!("over_dispense/{}", bay.bay),
                rule: "over_dispense".to_owned(),
                severity: "high".to_owned(),
                tool: "reel_2".to_owned(),
                raised_ms: now_ms - 754_000,
                value: Some(5.1),
                limit_max: Some(4.6),
                message: "reel_2 gave 5.1 L of oil_5w30, planned 4.2 L".to_owned(),
                response: "Check the level; the booking is held until it is confirmed".to_owned(),
                ..base(bay)
            });
        }
    }
    let closed: Vec<ExceptionView> = bays
        .iter()
        .filter(|bay| bay.state == BayState::Normal)
        .take(3)
        .enumerate()
        .map(|(number, bay)| ExceptionView {
            id: format!("silent_tool/{}", bay.bay),
            rule: "silent_tool".to_owned(),
            severity: "medium".to_owned(),
            tool: "lift_1".to_owned(),
            raised_ms: started_ms - 900_000,
            cleared_ms: Some(started_ms - 130_000 * (number as i64 + 1)),
            state: "cleared".to_owned(),
            message: "lift_1 has sent nothing for 30 s".to_owned(),
            response: "Check power and network of the tool".to_owned(),
            ..base(bay)
        })
        .collect();
    all.extend(closed);
    all
}

fn base(bay: &Bay) -> ExceptionView {
    ExceptionView {
        site: bay.site.clone(),
        bay: bay.bay.clone(),
        job: bay.job.clone(),
        step: bay.step.clone(),
        state: "active".to_owned(),
        evidence: serde_json::json!({
            "rule_version": "3f9a11c0b7de",
            "window": { "start": "2026-11-22T07:34:00Z", "end": "2026-11-22T07:35:00Z" },
            "watermark": "2026-11-22T07:34:28Z",
            "rows": ["m104332.0", "m104371.0"],
        }),
        ..ExceptionView::default()
    }
}
