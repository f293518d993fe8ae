//! The whole service in memory: a workshop publishes, a broker delivers, the intake journals, the engine applies,
//! exports and tables are filled, and the power goes at the n-th operation of the storage.
//!
//! Intake, journal, engine, checkpoints, epochs, the mirror and the Parquet export are the service's own code, driven
//! step by step in one thread. Broker, clock and disks are models, and so is the store: a file of its own engine is
//! beyond this storage, so a ledger with the transactions of the SQLite sink stands for it. What SQLite, threads,
//! sockets and a real disk do is seen by the kills of the built program (`tests/service`).
//!
//! After each life with faults: what is shown equals, byte by byte, what an undisturbed run over the same journal
//! shows; every acknowledged message is in it exactly once; time never goes back. Every third life has a mirror on a
//! disk that has faults of its own: after each process it holds the journal's entries in their order, and those that
//! were acknowledged if that was promised; at the end all, and its checkpoint leads to the same state.
//!
//! A seed that fails is printed. `ANDON_SEED=… cargo test --release --test simulation one_seed -- --nocapture` runs
//! it alone; `ANDON_CRASHES` is the number of crash points (5,000).

#[path = "simulation/abroad.rs"]
mod abroad;
#[path = "simulation/broker.rs"]
mod broker;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/outcome.rs"]
mod outcome;
#[path = "simulation/plant.rs"]
mod plant;
#[path = "simulation/work.rs"]
mod work;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use faults::Kind;
use ingest::time::{Clock, SystemClock};
use life::{Life, Summary};
use plant::Plant;

/// Lives one seed; the panic names it, and how to see it again.
fn live(plant: &Plant, seed: u64) -> Summary {
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Life::new(plant, seed).run()));
    match lived {
        Ok(Ok(summary)) => summary,
        Ok(Err(wrong)) => panic!(
            "seed {seed}: {wrong}\n\nto see it again: ANDON_SEED={seed} cargo test --release --test simulation \
             one_seed -- --nocapture"
        ),
        Err(panic) => {
            eprintln!(
                "seed {seed} panicked; to see it again: ANDON_SEED={seed} cargo test --release --test \
                 simulation one_seed -- --nocapture"
            );
            std::panic::resume_unwind(panic)
        }
    }
}

/// Ends the other threads when one has failed.
struct Failed<'a>(&'a AtomicU64);

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        self.0.store(u64::MAX / 2, Ordering::SeqCst);
    }
}

#[test]
fn a_fault_at_any_operation_changes_nothing_that_is_shown() {
    let wanted =
        std::env::var("ANDON_CRASHES").ok().and_then(|crashes| crashes.parse().ok()).unwrap_or(5_000);
    let clock = SystemClock::default();
    let (next, crashes) = (AtomicU64::new(1), AtomicU64::new(0));
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        let lives = || {
            let plant = Plant::new();
            while crashes.load(Ordering::SeqCst) < wanted {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                let failed = Failed(&crashes);
                let summary = live(&plant, seed);
                std::mem::forget(failed);
                crashes.fetch_add(summary.crashes(), Ordering::SeqCst);
                total.lock().unwrap_or_else(PoisonError::into_inner).add(&summary);
            }
        };
        let others: Vec<_> = (0..2).map(|_| scope.spawn(lives)).collect();
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (lives, us) = (next.into_inner() - 1, clock.monotonic_us());
    eprintln!(
        "{lives} lives, {:.2} ms each on one of two threads; {total}",
        2.0 * us as f64 / 1000.0 / lives as f64
    );
    for kind in Kind::ALL {
        assert!(total.of(kind) > 0, "no life had {kind:?}: {total}");
    }
    assert!(total.refused > 0, "no flipped bit was refused: {total}");
    assert!(total.redelivered > 0 && total.acknowledged > 0, "{total}");
}

#[test]
fn one_seed() {
    let seed = std::env::var("ANDON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let summary = live(&Plant::new(), seed);
    eprintln!("seed {seed}: {summary}");
}

#[test]
fn the_same_seed_twice_gives_the_same_bytes() {
    let plant = Plant::new();
    for seed in 1..=20 {
        let lives = [(); 2].map(|()| {
            let mut life = Life::new(&plant, seed);
            let summary = life.run().unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
            (summary.to_string(), life.files())
        });
        assert_eq!(lives[0].0, lives[1].0, "seed {seed}");
        assert!(lives[0].1 == lives[1].1, "seed {seed} left other bytes the second time");
    }
}
