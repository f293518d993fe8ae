//! A shop's folder: the shipped configuration around an `andon.toml` of the test, and the data beside it.

use std::path::{Path, PathBuf};

/// A configuration folder that goes with the test.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    /// With the shipped metrics, assets and rules, for the broker on `port`. `journal` are further lines of
    /// `[journal]`. Bays wait a second for stragglers, so that a test need not wait longer.
    pub(crate) fn new(port: u16, journal: &str) -> Shop {
        Shop::of("andon", "127.0.0.1", port, "127.0.0.1", journal)
    }

    /// As [`new`](Self::new), for one of two services whose results are compared: bays wait so long that a pause of a
    /// busy machine releases none of them before its time.
    pub(crate) fn patient(client_id: &str, port: u16) -> Shop {
        let shop = Shop::of(client_id, "127.0.0.1", port, "127.0.0.1", "");
        let text = std::fs::read_to_string(shop.config()).expect("just written");
        std::fs::write(shop.config(), text.replace("idle = \"1s\"", "idle = \"15s\"")).expect("written");
        shop
    }

    /// The same, for a service that the broker knows as `client_id`, which meets the broker at `broker` and listens on
    /// `listen`.
    pub(crate) fn of(client_id: &str, broker: &str, port: u16, listen: &str, journal: &str) -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        for name in ["metrics.toml", "assets.toml"] {
            std::fs::copy(shipped.join(name), folder.path().join(name)).expect("copied");
        }
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("a folder");
        for rule in std::fs::read_dir(shipped.join("rules")).expect("the shipped rules") {
            let rule = rule.expect("a rule");
            std::fs::copy(rule.path(), rules.join(rule.file_name())).expect("copied");
        }
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let text = format!(
            "[source]\nbroker = \"mqtt://{broker}:{port}\"\nclient_id = \"{client_id}\"\ninflight_window = 5000\n\
             [journal]\n{journal}\n\
             [engine]\nlateness = \"1s\"\nidle = \"1s\"\ncut_interval = \"300ms\"\n\
             [http]\nlisten = \"{listen}:0\"\n"
        );
        std::fs::write(folder.path().join("andon.toml"), text).expect("written");
        Shop { folder }
    }

    /// Where everything is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file for `--config`.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("andon.toml")
    }

    /// Where journal, checkpoints, exports and tables go.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The exported streams.
    pub(crate) fn history(&self) -> History {
        History(self.data().join("export"))
    }

    /// The rows that `sql` gives of the store, as JSON objects.
    pub(crate) fn stored(&self, sql: &str) -> Vec<serde_json::Value> {
        sqlite(&self.data().join("andon.db"), sql)
    }

    /// What `andon replay --journal` makes of the service's journal, and its figures.
    pub(crate) fn replayed(&self) -> (History, serde_json::Value) {
        let out = self.folder().join("replayed");
        let (config, journal) = (self.config(), self.data().join("journal"));
        let arguments =
            ["replay", "--config", text(&config), "--journal", text(&journal), "--out", text(&out)];
        let printed = command(&arguments);
        let figures = printed.lines().last().expect("replay prints figures");
        let figures = serde_json::from_str(figures).expect("the last line is JSON");
        (History(out), figures)
    }
}

/// A folder of exported streams, asked with `andon query`.
pub(crate) struct History(PathBuf);

impl History {
    /// Of a folder.
    pub(crate) fn of(folder: &Path) -> History {
        History(folder.to_owned())
    }

    /// The rows that `sql` gives, as text.
    pub(crate) fn text(&self, sql: &str) -> String {
        command(&["query", "--history", text(&self.0), "--json", sql])
    }

    /// The rows that `sql` gives, as JSON objects.
    pub(crate) fn rows(&self, sql: &str) -> Vec<serde_json::Value> {
        rows(&self.text(sql))
    }

    /// The one number that `sql` gives as column `count`.
    pub(crate) fn count(&self, sql: &str) -> u64 {
        count(&self.rows(sql))
    }

    /// As [`History::count`] for a service that is at work, or what is in the way.
    pub(crate) fn count_now(&self, sql: &str) -> Result<u64, String> {
        ask(&["query", "--history", text(&self.0), "--json", sql]).map(|printed| count(&rows(&printed)))
    }
}

/// The rows that `sql` gives of an SQLite database, as JSON objects. Python has SQLite.
pub(crate) fn sqlite(store: &Path, sql: &str) -> Vec<serde_json::Value> {
    const ASK: &str = "import json, sqlite3, sys
store = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
store.row_factory = sqlite3.Row
print(json.dumps([dict(row) for row in store.execute(sys.argv[2])]))";
    let output = std::process::Command::new("python3")
        .args(["-c", ASK, text(store), sql])
        .output()
        .expect("python3 starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {error}");
    rows(&String::from_utf8_lossy(&output.stdout))
}

fn rows(printed: &str) -> Vec<serde_json::Value> {
    if printed.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(printed)
        .unwrap_or_else(|error| panic!("a query printed no JSON: {error}:\n{printed}"))
}

fn count(rows: &[serde_json::Value]) -> u64 {
    rows[0]["count"].as_u64().unwrap_or_else(|| panic!("no count in {rows:?}"))
}

/// Runs the program to its end and returns what it printed.
pub(crate) fn command(arguments: &[&str]) -> String {
    ask(arguments).unwrap_or_else(|error| panic!("{error}"))
}

/// As [`command`], or what it said.
pub(crate) fn ask(arguments: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_andon"))
        .args(arguments)
        .output()
        .expect("andon starts");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        Ok(out.into_owned())
    } else {
        Err(format!("andon {arguments:?} ended with {}:\n{out}{error}", output.status))
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("folders of tests have plain names")
}
