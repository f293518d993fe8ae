//! The times of lines that are payloads themselves.

use memchr::memchr;

use crate::decode::scan::{Scan, Scanner};
use crate::decode::timestamp;

/// The largest `ts` of a payload (an object or an array of objects); `None` if it has none.
pub(super) fn newest_time(payload: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut scanner = Scanner::new(text);
    let mut newest_ms = None;
    let scanned = match scanner.peek() {
        b'[' => scanner.elements(|scanner| match scanner.peek() {
            b'{' => object(scanner, &mut newest_ms),
            _ => scanner.value().map(drop),
        }),
        _ => object(&mut scanner, &mut newest_ms),
    };
    // What breaks off is no JSON: its times count for nothing.
    scanned.and_then(|()| scanner.end()).ok()?;
    newest_ms
}

fn object(scanner: &mut Scanner<'_>, newest_ms: &mut Option<i64>) -> Scan<()> {
    let mut ts_ms = None;
    scanner.members(|scanner, name| {
        let value = scanner.value()?;
        if name.raw == "ts" {
            ts_ms = timestamp::read(value).ok();
        }
        Ok(())
    })?;
    *newest_ms = (*newest_ms).max(ts_ms);
    Ok(())
}

/// The first time in `lines`, for those that come before any; 0 if there is none.
pub(super) fn first_time(mut lines: &[u8]) -> i64 {
    while !lines.is_empty() {
        let end = memchr(b'\n', lines).unwrap_or(lines.len());
        if let Some(time_ms) = newest_time(lines[..end].trim_ascii()) {
            return time_ms;
        }
        lines = lines.get(end + 1..).unwrap_or(&[]);
    }
    0
}
