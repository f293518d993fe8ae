//! Deliveries with sinks that fail on demand.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use async_trait::async_trait;

use super::*;

/// What a test sees of its sink, and tells it.
#[derive(Debug, Default)]
struct Control {
    is_full: AtomicBool,
    is_broken: AtomicBool,
    tries: AtomicUsize,
    rows: AtomicUsize,
    log: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Shelf(&'static str, Arc<Control>);

impl Shelf {
    fn try_it(&self, what: String) -> Result<(), SinkError> {
        self.1.tries.fetch_add(1, Ordering::SeqCst);
        if self.1.is_full.load(Ordering::SeqCst) {
            let (target, reason) = ("DIR".to_owned(), "no space".to_owned());
            return Err(SinkError::Unavailable { sink: self.0.to_owned(), target, reason });
        }
        if self.1.is_broken.load(Ordering::SeqCst) {
            return Err(SinkError::Refused { sink: self.0.to_owned(), what, reason: "it is bad".to_owned() });
        }
        self.1.log.lock().expect("whole").push(what);
        Ok(())
    }
}

#[async_trait]
impl Sink for Shelf {
    fn name(&self) -> &str {
        self.0
    }
    async fn write(&mut self, emission: &Emission) -> Result<(), SinkError> {
        self.try_it(format!("write {} of {}", emission.rows.num_rows(), emission.stream))?;
        self.1.rows.fetch_add(emission.rows.num_rows(), Ordering::SeqCst);
        Ok(())
    }
    async fn prepare(&mut self, epoch: Epoch, _resume_at: Offset) -> Result<Receipt, SinkError> {
        self.try_it(format!("prepare {}", epoch.0))?;
        Ok(Receipt(format!("{} {}", self.0, epoch.0)))
    }
    async fn commit(&mut self, epoch: Epoch, receipt: &Receipt) -> Result<(), SinkError> {
        self.try_it(format!("commit {} with {}", epoch.0, receipt.0))
    }
}

fn shelf(name: &'static str, queue_rows_max: usize) -> (Delivery, Arc<Control>) {
    let control = Arc::new(Control::default());
    let delivery = Delivery::spawn(Box::new(Shelf(name, Arc::clone(&control))), queue_rows_max);
    (delivery.expect("a thread"), control)
}

fn emission(stream: &str, rows: usize) -> Emission {
    let ids = StringArray::from_iter_values((0..rows).map(|row| row.to_string()));
    let rows = RecordBatch::try_from_iter([("row_id", Arc::new(ids) as _)]).expect("one column");
    Emission { stream: stream.into(), rows }
}

/// Waits for what another thread does; a minute is for a machine under load.
fn until(what: &str, is_true: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if is_true() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited a minute for: {what}");
}

#[test]
fn calls_reach_the_sink_in_order() {
    let (delivery, control) = shelf("shelf", 100);
    for _ in 0..3 {
        delivery.write(emission("steps", 2)).expect("room");
    }
    let receipt = delivery.prepare(Epoch(1), Offset(1)).and_then(Answer::wait).expect("prepares");
    delivery.commit(Epoch(1), receipt).and_then(Answer::wait).expect("commits");
    let log = control.log.lock().expect("whole").join(", ");
    assert_eq!(log, "write 2 of steps, write 2 of steps, write 2 of steps, prepare 1, commit 1 with shelf 1");
}

#[test]
fn a_full_queue_holds_the_engine_back_and_loses_nothing() {
    let (delivery, control) = shelf("shelf", 10);
    control.is_full.store(true, Ordering::SeqCst);
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                delivery.write(emission("telemetry", 4)).expect("goes on");
                written.fetch_add(4, Ordering::SeqCst);
            }
        });
        until("the queue is full", || written.load(Ordering::SeqCst) == 8);
        until("the sink is tried again", || control.tries.load(Ordering::SeqCst) > 1);
        let waiting = DeliveryState::Waiting("shelf: DIR: no space, waiting".to_owned());
        assert_eq!(delivery.state(), waiting);
        assert_eq!(written.load(Ordering::SeqCst), 8, "the third write waits");
        control.is_full.store(false, Ordering::SeqCst);
    });
    delivery.prepare(Epoch(1), Offset(1)).and_then(Answer::wait).expect("prepares");
    assert_eq!(control.rows.load(Ordering::SeqCst), 80);
    assert_eq!(delivery.state(), DeliveryState::Working);
}

#[test]
fn a_large_emission_passes_a_small_queue() {
    let (delivery, control) = shelf("shelf", 10);
    delivery.write(emission("telemetry", 1_000)).expect("goes in alone");
    delivery.write(emission("telemetry", 1_000)).expect("goes in after it");
    delivery.prepare(Epoch(1), Offset(1)).and_then(Answer::wait).expect("prepares");
    assert_eq!(control.rows.load(Ordering::SeqCst), 2_000);
}

#[test]
fn a_refusal_comes_back_at_the_next_call_and_at_all_after_it() {
    let (delivery, control) = shelf("shelf", 10);
    control.is_broken.store(true, Ordering::SeqCst);
    delivery.write(emission("steps", 1)).expect("is taken in");
    let refused = delivery.prepare(Epoch(1), Offset(1)).and_then(Answer::wait);
    assert!(refused.is_err());
    until("the end is known", || matches!(delivery.state(), DeliveryState::Ended(_)));
    let error = delivery.write(emission("steps", 1)).expect_err("has ended");
    assert_eq!(error.to_string(), "sink `shelf` refused write 1 of steps: it is bad");
    assert_eq!(delivery.prepare(Epoch(1), Offset(1)).map(|_| ()), Err(error));
}

#[test]
fn stopping_ends_the_wait_for_a_full_disk() {
    let (delivery, control) = shelf("shelf", 10);
    control.is_full.store(true, Ordering::SeqCst);
    let mut fanout = Fanout::default();
    fanout.add(delivery, Route::All);
    let stopper = fanout.stopper();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fanout.prepare(Epoch(1), Offset(1)).wait());
        until("the sink waits", || !fanout.not_ready().is_empty());
        stopper.stop();
        let error = waiting.join().expect("no panic").expect_err("was stopped");
        assert!(error.to_string().contains("the program is stopping"), "{error}");
    });
}

#[test]
fn a_fanout_routes_by_stream_and_collects_receipts() {
    let (first, of_first) = shelf("first", 10);
    let (second, of_second) = shelf("second", 10);
    let mut fanout = Fanout::default();
    fanout.add(first, Route::All);
    fanout.add(second, Route::Streams(["steps".to_owned()].into()));
    for stream in ["telemetry", "steps", "late"] {
        fanout.write(&emission(stream, 1)).expect("room");
    }
    let mut receipts = fanout.prepare(Epoch(7), Offset(1)).wait().expect("prepares");
    assert_eq!(receipts["second"], Receipt("second 7".to_owned()));
    receipts.remove("first");
    fanout.commit(Epoch(7), &receipts).wait().expect("commits");
    let logs = [of_first, of_second].map(|control| control.log.lock().expect("whole").join(", "));
    assert_eq!(logs[0], "write 1 of telemetry, write 1 of steps, write 1 of late, prepare 7");
    assert_eq!(logs[1], "write 1 of steps, prepare 7, commit 7 with second 7");
}

#[test]
fn a_queue_of_rows_holds_few_rows_of_long_text() {
    let payload = StringArray::from(vec!["x".repeat(64 * 1024)]);
    let rows = RecordBatch::try_from_iter([("payload", Arc::new(payload) as _)]).expect("one column");
    let quarantined = Emission { stream: "quarantine".into(), rows };
    assert_eq!(weight(&quarantined), 1 + 64 * 1024 / TEXT_BYTES_OF_A_ROW);
    let doubled = [quarantined.rows.clone(), quarantined.rows.clone()];
    let both = arrow::compute::concat_batches(&quarantined.rows.schema(), &doubled).expect("one schema");
    let part = Emission { stream: "quarantine".into(), rows: both.slice(1, 1) };
    assert_eq!(weight(&part), weight(&quarantined), "a slice weighs what it shows");
    assert_eq!(weight(&emission("steps", 100)), 100, "short ids weigh nothing beside their rows");
}
