//! One request of Andon's own HTTP interface, for the commands that ask a running service.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long the service may take to connect, and to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a command may take: it is answered when it is durable and applied.
const COMMAND_PATIENCE: Duration = Duration::from_secs(40);

/// The largest answer is the list of exceptions; more than this is something else.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Why the service could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Another scheme, a path, a user, or no host.
    #[error("`{0}` is no http://host:port; write for example http://127.0.0.1:8080")]
    NoUrl(String),
    /// No connection, or none that lasted for the answer.
    #[error("it is not reachable ({0}); is `andon run` started, and is this its `http.listen`?")]
    Unreachable(#[from] io::Error),
    /// An answer that is not 2xx.
    #[error("it answers `{answer}` to {path}; is it Andon?")]
    Refused {
        /// What was asked for.
        path: String,
        /// The first line of the answer.
        answer: String,
    },
    /// The service says why not.
    #[error("{detail}")]
    Problem {
        /// HTTP status.
        status: u16,
        /// Its `detail`.
        detail: String,
    },
    /// An answer without the fields that ours has.
    #[error("its {0} does not say `{1}`; is it Andon, of this version?")]
    Unlike(&'static str, &'static str),
}

/// The body that the service at `http://host:port` gives for `path`.
///
/// # Errors
/// As [`AskError`] says.
pub fn get(url: &str, path: &str) -> Result<String, AskError> {
    request(url, path, PATIENCE, |host| {
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    })
}

/// The answer to a command: JSON `body` to `path`, under a key that is the same for every repeat of it.
///
/// # Errors
/// As [`AskError`] says; [`AskError::Problem`] where the service refuses it.
pub fn post(url: &str, path: &str, key: &str, body: &str) -> Result<String, AskError> {
    request(url, path, COMMAND_PATIENCE, |host| {
        format!(
            "POST {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\nIdempotency-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })
}

fn request(
    url: &str,
    path: &str,
    patience: Duration,
    written: impl FnOnce(&str) -> String,
) -> Result<String, AskError> {
    let no_url = || AskError::NoUrl(url.to_owned());
    let host = url.strip_prefix("http://").ok_or_else(no_url)?.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '@', ' ', '\r', '\n']) {
        return Err(no_url());
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { host.to_owned() } else { format!("{host}:80") };
    // A name may have several addresses, such as `localhost` with ::1 first.
    let mut stream = Err(no_url());
    for address in target.to_socket_addrs()? {
        stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(AskError::from);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // HTTP/1.0: the answer is not chunked and ends with the connection. One write, so that a server which
    // answers early does not reset a request that is half sent.
    stream.write_all(written(host).as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let first = head.lines().next().unwrap_or_default();
    let status = first.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') {
        return Ok(body.to_owned());
    }
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    match (problem["detail"].as_str(), status.parse()) {
        (Some(detail), Ok(status)) => Err(AskError::Problem { status, detail: detail.to_owned() }),
        _ => Err(AskError::Refused { path: path.to_owned(), answer: first.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    /// A service that answers one request for `/api/v1/status` with `answer`.
    fn service(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(&stream).lines().map(|line| line.expect("a line"));
            assert_eq!(lines.next().as_deref(), Some("GET /api/v1/status HTTP/1.0"));
            assert!(lines.any(|line| line.is_empty()), "the request ends");
            (&stream).write_all(answer.as_bytes()).expect("answered");
        });
        url
    }

    fn ask(url: &str) -> Result<String, AskError> {
        get(url, "/api/v1/status")
    }

    #[test]
    fn a_service_is_asked() {
        let url = service("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"rules\":3}");
        assert_eq!(ask(&format!("{url}/")).expect("asked"), "{\"rules\":3}");
    }

    #[test]
    fn what_is_no_andon_or_not_there_is_said_so() {
        let error = ask(&service("HTTP/1.1 404 Not Found\r\n\r\n")).expect_err("refused").to_string();
        assert!(error.contains("`HTTP/1.1 404 Not Found` to /api/v1/status"), "{error}");
        let error = ask(&service("SSH-2.0-OpenSSH_9.6\r\n")).expect_err("no HTTP").to_string();
        assert!(error.contains("is it Andon?"), "{error}");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
        let error = ask(&format!("http://{free}/")).expect_err("nobody there");
        assert!(matches!(error, AskError::Unreachable(_)), "{error}");
        for url in ["ftp://a", "http://", "http://a/b", "http://user@a", "http://a\r\nb"] {
            assert!(matches!(ask(url), Err(AskError::NoUrl(_))), "{url}");
        }
    }
}
