//! A simulated workshop as a recording: NDJSON lines as `mosquitto_sub -F %J` prints them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;

use flate2::write::GzEncoder;
use serde::de::IgnoredAny;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::{Published, SimulateError, SimulateSettings, Workshop};

/// What a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub messages: u64,
    /// Of the payloads.
    pub payload_bytes: u64,
}

/// Instead of a path: the process's output.
pub const STDOUT: &str = "-";

/// 100 years.
const FOR_MS_MAX: i64 = 100 * 366 * 86_400_000;

/// Lines between two calls of `progress`.
const PROGRESS_LINES: u64 = 65_536;

/// Writes `for_ms` milliseconds of a workshop to `path`, or to [`STDOUT`]; a name that ends in `.zst` or `.gz` is compressed. Calls
/// `progress` with the share that is done (0 to 1) now and then.
///
/// # Errors
/// Settings that no shop can have; a file that cannot be written (what has been written so far stays).
pub fn write_recording(
    settings: SimulateSettings,
    for_ms: i64,
    path: &Path,
    mut progress: impl FnMut(f64),
) -> Result<(Recorded, Workshop), SimulateError> {
    let failed = |error| SimulateError::Record { path: path.display().to_string(), error };
    if !(1..=FOR_MS_MAX).contains(&for_ms) {
        return Err(SimulateError::Setting(format!(
            "a recording of {for_ms} ms; 1 ms to 100 years are possible"
        )));
    }
    let start_ms = settings.start_ms;
    let mut shop = Workshop::new(settings)?;
    let end_ms = start_ms + for_ms;
    let mut file = Compression::create(path).map_err(failed)?;
    let mut recorded = Recorded { messages: 0, payload_bytes: 0 };
    let mut line = Vec::with_capacity(512);
    let mut stamp = Stamp::default();
    loop {
        let message = shop.next_message();
        if message.at_ms >= end_ms {
            break;
        }
        line.clear();
        push_line(&mut line, &message, &mut stamp);
        file.write_all(&line).map_err(failed)?;
        recorded.messages += 1;
        recorded.payload_bytes += message.payload.len() as u64;
        if recorded.messages.is_multiple_of(PROGRESS_LINES) {
            progress((message.at_ms - start_ms) as f64 / for_ms as f64);
        }
    }
    file.finish().map_err(failed)?;
    progress(1.0);
    Ok((recorded, shop))
}

/// The text of the last whole second: most messages share theirs with the one before.
#[derive(Debug, Default)]
struct Stamp {
    second: Option<i64>,
    text: String,
}

impl Stamp {
    fn push(&mut self, line: &mut Vec<u8>, at_ms: i64) {
        let second = at_ms.div_euclid(1000);
        if self.second != Some(second) {
            let at = jiff::Timestamp::from_second(second).expect("settings keep times within 9999");
            self.text = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some(second);
        }
        line.extend_from_slice(self.text.as_bytes());
        let micros = at_ms.rem_euclid(1000) * 1000;
        // Writing to memory does not fail.
        let _ = write!(line, ".{micros:06}+0000");
    }
}

/// Appends the line of a message, with its line feed.
fn push_line(line: &mut Vec<u8>, message: &Published, stamp: &mut Stamp) {
    let payload = &message.payload;
    line.extend_from_slice(b"{\"tst\":\"");
    stamp.push(line, message.at_ms);
    // Topics and payloads of the simulator are UTF-8; topics need no escape.
    let (retain, bytes) = (u8::from(message.retain), payload.len());
    let _ = write!(line, "\",\"topic\":\"{}\",\"qos\":{},\"retain\":{retain},", message.topic, message.qos);
    let _ = write!(line, "\"payloadlen\":{bytes},\"payload\":");
    if serde_json::from_slice::<IgnoredAny>(payload).is_ok() {
        line.extend_from_slice(payload);
    } else {
        let text = String::from_utf8_lossy(payload);
        let _ = serde_json::to_writer(&mut *line, &text);
    }
    line.extend_from_slice(b"}\n");
}

/// A file, compressed or not.
enum Compression {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Zstd(Box<ZstdEncoder<'static, BufWriter<File>>>),
}

impl Compression {
    fn create(path: &Path) -> io::Result<Self> {
        let file = if path == Path::new(STDOUT) {
            File::from(io::stdout().as_fd().try_clone_to_owned()?)
        } else {
            File::create(path)?
        };
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Compression::Gzip(Box::new(GzEncoder::new(file, flate2::Compression::fast()))),
            Some("zst") => Compression::Zstd(Box::new(ZstdEncoder::new(file, 3)?)),
            _ => Compression::Plain(file),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Compression::Plain(file) => file.write_all(bytes),
            Compression::Gzip(file) => file.write_all(bytes),
            Compression::Zstd(file) => file.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Compression::Plain(mut file) => file.flush(),
            Compression::Gzip(file) => file.finish()?.flush(),
            Compression::Zstd(file) => file.finish()?.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::simulate::Faults;

    fn line(payload: &[u8]) -> String {
        let message = Published {
            at_ms: 1_795_332_840_123,
            topic: "workshop/lyon/bay-01/steps".into(),
            payload: payload.to_vec(),
            qos: 1,
            retain: false,
        };
        let mut line = Vec::new();
        push_line(&mut line, &message, &mut Stamp::default());
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_is_what_mosquitto_sub_prints() {
        let expected = r#"{"tst":"2026-11-22T07:34:00.123000+0000","topic":"workshop/lyon/bay-01/steps","qos":1,"retain":0,"payloadlen":12,"payload":{"a": [1.5]}}"#;
        assert_eq!(line(br#"{"a": [1.5]}"#), format!("{expected}\n"));
    }

    fn settings() -> SimulateSettings {
        SimulateSettings { faults: Faults::all(), speed: 30.0, rate: 200.0, ..SimulateSettings::default() }
    }

    #[test]
    fn a_recording_is_the_same_whether_it_is_compressed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            let mut shares = Vec::new();
            let (recorded, _) =
                write_recording(settings(), 60_000, &path, |share| shares.push(share)).unwrap();
            assert_eq!(shares.last(), Some(&1.0));
            (recorded, std::fs::read(path).unwrap())
        };
        let (plain, gzip, zstd) = (write("shop.ndjson"), write("shop.ndjson.gz"), write("shop.ndjson.zst"));
        let mut unzipped = Vec::new();
        flate2::read::GzDecoder::new(&*gzip.1).read_to_end(&mut unzipped).unwrap();
        assert!(unzipped == plain.1 && zstd::decode_all(&*zstd.1).unwrap() == plain.1);
        assert!(gzip.1.len() * 2 < plain.1.len() && zstd.1.len() * 2 < plain.1.len());
        assert_eq!((plain.0, plain.0), (gzip.0, zstd.0));

        let lines = String::from_utf8(plain.1).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len() as u64, plain.0.messages);
        assert!(lines[0]["tst"] == "2026-01-05T07:00:00.000000+0000", "{}", lines[0]);
        let last = lines[lines.len() - 1]["tst"].as_str().unwrap();
        assert!(last < "2026-01-05T07:01:00" && last > "2026-01-05T07:00:59", "{last}");
        assert!(lines.iter().any(|line| line["payload"].is_string()), "what is malformed is a string");
    }

    #[test]
    fn a_recording_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/shop.ndjson");
        let error = write_recording(settings(), 1000, &path, |_| {}).unwrap_err().to_string();
        assert!(error.contains("absent/shop.ndjson") && error.contains("check the folder"), "{error}");
        let error = write_recording(settings(), 0, &path, |_| {}).unwrap_err().to_string();
        assert!(error.contains("a recording of 0 ms"), "{error}");
    }

    #[test]
    fn a_payload_that_is_no_json_is_a_string() {
        let cut = line(br#"{"ts":12,"value":NaN"#);
        assert!(
            cut.ends_with("\"payloadlen\":20,\"payload\":\"{\\\"ts\\\":12,\\\"value\\\":NaN\"}\n"),
            "{cut}"
        );
    }
}
