//! What goes wrong, drawn from the seed.

use std::io;

use ingest::storage::{CrashStorage, PowerCut};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The process is killed at an operation; the machine goes on.
    Kill,
    /// The power goes at an operation; what was not synced is lost.
    PowerCut,
    /// The same; of what was not synced any sectors and names are left.
    TornCut,
    /// An operation fails: a write, a sync, a read.
    Failure,
    /// The same on the mirror's disk.
    Abroad,
    /// The disk is full for a while.
    FullDisk,
    /// Reads are short at recovery.
    ShortReads,
    /// A bit of what is read at recovery is another one.
    FlippedBit,
    /// The connection is lost.
    Disconnect,
    /// The broker forgets the session and what waited in it.
    LostSession,
    /// The wall clock jumps.
    ClockForwards,
    ClockBackwards,
}

impl Kind {
    pub(crate) const ALL: [Kind; 12] = [
        Kind::Kill,
        Kind::PowerCut,
        Kind::TornCut,
        Kind::Failure,
        Kind::Abroad,
        Kind::FullDisk,
        Kind::ShortReads,
        Kind::FlippedBit,
        Kind::Disconnect,
        Kind::LostSession,
        Kind::ClockForwards,
        Kind::ClockBackwards,
    ];
}

/// Plans the next fault of the storage: at which operation, and which.
pub(crate) fn plan(storage: &CrashStorage, rng: &mut fastrand::Rng, operation: u64) -> Kind {
    let call = storage.calls() + operation;
    match rng.u8(..10) {
        0..2 => {
            storage.cut_power_at(call, PowerCut::KeepAll);
            Kind::Kill
        }
        2..5 => {
            storage.cut_power_at(call, PowerCut::LoseUnsynced);
            Kind::PowerCut
        }
        5..8 => {
            storage.cut_power_at(call, PowerCut::KeepSome);
            Kind::TornCut
        }
        _ => {
            let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
            storage.fail_at(call, kinds[rng.usize(..2)]);
            Kind::Failure
        }
    }
}
