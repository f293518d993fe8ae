//! Threads whose work can wait: who takes messages in goes first.

/// Of such a thread, as `nice` has it: about a tenth of a processor that others want as well.
const NICE: i32 = 10;

/// The calling thread steps back. Where the system does not let it, it works as all others do.
pub(crate) fn step_back() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}
