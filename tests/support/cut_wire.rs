//! A network of a test's own, whose wire to this machine can be cut.

use std::process::Command;

/// The machine's end of the wire, and the end within.
pub(crate) const HERE: &str = "10.213.77.1";
pub(crate) const THERE: &str = "10.213.77.2";
const NAME: &str = "andon-test";

/// A network namespace, gone when dropped.
pub(crate) struct CutWire(());

impl CutWire {
    /// Lays the wire. `None`, with a line that says so, where that is not allowed.
    pub(crate) fn lay() -> Option<CutWire> {
        let _ = ip(&["netns", "del", NAME]);
        let wire = CutWire(());
        let done = [
            format!("netns add {NAME}"),
            format!("link add {NAME} type veth peer name inner netns {NAME}"),
            format!("addr add {HERE}/30 dev {NAME}"),
            format!("link set {NAME} up"),
            format!("-n {NAME} addr add {THERE}/30 dev inner"),
            format!("-n {NAME} link set inner up"),
            format!("-n {NAME} link set lo up"),
        ]
        .iter()
        .try_for_each(|words| ip(&words.split(' ').collect::<Vec<_>>()));
        match done {
            Ok(()) => Some(wire),
            Err(error) => {
                eprintln!("skipped: a network cannot be made, which takes iproute2 and root: {error}");
                None
            }
        }
    }

    /// Begins a command within.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", NAME]);
        command
    }

    /// Nothing goes over it any more, and nobody is told.
    pub(crate) fn cut(&self) {
        ip(&["-n", NAME, "link", "set", "inner", "down"]).expect("it was up");
    }

    pub(crate) fn mend(&self) {
        ip(&["-n", NAME, "link", "set", "inner", "up"]).expect("it was down");
    }
}

impl Drop for CutWire {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", NAME]);
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
