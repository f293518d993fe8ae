//! A PostgreSQL of a test's own on a free loopback port, with a folder of its own.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Who may log in, and with what.
pub(crate) const USER: &str = "andon";
pub(crate) const PASSWORD: &str = "open:sesame/@1";
const PASSWORD_IN_A_URL: &str = "open%3Asesame%2F%401";

/// A server. It ends with the process that started it, however that ends, and its folder with it.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: PathBuf,
    /// Root does not run one: then this user does.
    user: Option<(u32, u32)>,
    /// A shell that waits for it. Signals are written to it; the end of its input is the server's end.
    keeper: Option<Child>,
    databases: AtomicU32,
}

/// Starts the server and hands on signals until our end, then removes its folder.
const KEEPER: &str = r#"folder=$1; shift; "$@" </dev/null >>"$folder/log" 2>&1 & server=$!
while read -r signal; do kill -s "$signal" $server; wait $server; [ "$signal" = QUIT ] && exit; done
kill -s INT $server 2>/dev/null; wait $server; rm -rf "$folder""#;

impl Server {
    /// Whether this machine has what it takes.
    #[allow(dead_code, reason = "tests need one: they fail without")]
    pub(crate) fn is_installed() -> bool {
        Command::new(program("initdb")).arg("--version").output().is_ok()
    }

    /// Makes a new one and waits until it answers.
    pub(crate) fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let folder = tempfile::tempdir().expect("a folder").keep();
        let id = |of: &str| -> u32 {
            let id = Command::new("id").args([of, "postgres"]).output().expect("id starts").stdout;
            String::from_utf8_lossy(&id)
                .trim()
                .parse()
                .expect("Debian's package postgresql makes the user postgres")
        };
        let is_root =
            std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
        let user = is_root.then(|| (id("-u"), id("-g")));
        let password = folder.join("password");
        std::fs::write(&password, PASSWORD).expect("written");
        if let Some((uid, gid)) = user {
            for path in [&folder, &password] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root may");
            }
        }
        let mut server = Server { port, folder, user, keeper: None, databases: AtomicU32::new(0) };
        let data = server.folder.join("data");
        let mut made = server.command(&program("initdb"));
        made.args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            "--username",
            USER,
        ]);
        let made = made.arg("--pwfile").arg(&password).arg(data).output().expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.start_again();
        server
    }

    /// After [`Server::kill`].
    pub(crate) fn start_again(&mut self) {
        let mut keeper = self.command(Path::new("/bin/sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.folder).arg(program("postgres"));
        keeper.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        // What the system holds outlives the server; only a power cut would need fsync.
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=50"] {
            keeper.args(["-c", setting]);
        }
        keeper.arg("-p").arg(self.port.to_string()).stdin(Stdio::piped());
        self.keeper = Some(keeper.spawn().expect("a shell starts"));
        let is_up = || self.run("psql", &["-Xc", "SELECT 1", "postgres"]).is_ok();
        for _ in 0..400 {
            if is_up() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not answer on port {}:\n{log}", self.port);
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut keeper = self.keeper.take().expect("it runs");
        keeper.stdin.as_mut().expect("piped").write_all(b"QUIT\n").expect("the shell reads");
        keeper.wait().expect("it ends");
    }

    /// A new, empty database: its name.
    pub(crate) fn database(&self) -> String {
        let name = format!("shop_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Copies a database into a new one, by dump and restore.
    #[allow(dead_code, reason = "not all tests that share this file copy one")]
    pub(crate) fn copied(&self, from: &str) -> String {
        let (to, dump) = (self.database(), self.folder.join("dump"));
        let file = dump.to_str().expect("a plain name");
        self.run("pg_dump", &["--format=custom", "--file", file, from]).expect("dumped");
        self.run("pg_restore", &["--exit-on-error", "--dbname", &to, file]).expect("restored");
        to
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD_IN_A_URL}@127.0.0.1:{}/{database}", self.port)
    }

    /// What `psql` prints: a line for each row, columns parted by `|`.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        let asked = self.run("psql", &["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, database]);
        asked.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let port = self.port.to_string();
        let mut command = Command::new(program(name));
        command.args(["-h", "127.0.0.1", "-p", &port, "-U", USER]).args(arguments);
        let output = command.env("PGPASSWORD", PASSWORD).env("PGTZ", "UTC").output().expect("psql starts");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Debian keeps the server's programs beside each other, by version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|of| of.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}
