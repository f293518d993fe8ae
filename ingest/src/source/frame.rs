//! Packets in the bytes that a broker sends, found in place.
//!
//! Only PUBLISH is read here: it comes a million times a second, and its topic and payload go from the read
//! buffer straight into the intake's entry. All other packets are rumqttc's business.
//!
//! **Long messages.** A client that refuses a packet for its size must drop the connection, and of QoS 1 the
//! broker sends it again at once: one such message would stop everything behind it for ever. So a packet of
//! any length that MQTT allows is taken, but only its first bytes are kept, enough for the decoder to
//! quarantine it for its length; the rest is skipped as it comes in and takes no memory.

use std::borrow::Cow;

/// Room for many messages in one read.
const READ_BYTES: usize = 256 << 10;
/// With less room than this the unread bytes are moved to the front before the next read.
const ROOM_BYTES_MIN: usize = 64 << 10;

/// Bytes from the broker that are not taken yet.
#[derive(Debug)]
pub(super) struct Unread {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the packet that begins at `start`: what must be there before it can be taken.
    wanted: usize,
    /// What is to come of a packet that was taken already.
    skip: usize,
    body_bytes_max: usize,
}

/// A packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Publish(Published<'a>),
    /// Any other, whole.
    Other(&'a [u8]),
}

/// A message, in the read buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published<'a> {
    pub(crate) topic: Cow<'a, str>,
    /// At least its first `payload_bytes_max + 1` bytes, if it is longer than that.
    pub(crate) payload: &'a [u8],
    /// To acknowledge; none for QoS 0.
    pub(crate) packet_id: Option<u16>,
    /// The broker says that it has sent it before.
    pub(crate) is_redelivered: bool,
}

/// The bytes are no MQTT 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent a malformed packet: {what}")]
pub(super) struct Malformed {
    what: &'static str,
}

impl Unread {
    /// Payloads are kept whole up to `payload_bytes_max`.
    pub(super) fn new(payload_bytes_max: usize) -> Self {
        let (topic_bytes_max, packet_id_bytes) = (2 + usize::from(u16::MAX), 2);
        // One byte more, so that a payload that was cut is seen to be too long.
        let body_bytes_max = payload_bytes_max.saturating_add(topic_bytes_max + packet_id_bytes + 1);
        Unread { bytes: vec![0; READ_BYTES], start: 0, end: 0, wanted: 0, skip: 0, body_bytes_max }
    }

    /// Forgets everything: the next bytes are those of a new connection.
    pub(super) fn clear(&mut self) {
        (self.start, self.end, self.wanted, self.skip) = (0, 0, 0, 0);
    }

    /// Where to read the next bytes to; never empty. Then tell [`filled`](Self::filled).
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.wanted <= READ_BYTES && self.bytes.len() > READ_BYTES {
                self.bytes = vec![0; READ_BYTES];
            }
        }
        if self.start + self.wanted > self.bytes.len() || self.bytes.len() - self.end < ROOM_BYTES_MIN {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.wanted > self.bytes.len() || self.bytes.len() == self.end {
            // Bounded: `wanted` is, and it is more than what is there.
            self.bytes.resize(self.wanted.max(self.end + READ_BYTES), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were read to [`room`](Self::room).
    pub(super) fn filled(&mut self, bytes: usize) {
        self.end += bytes;
        self.skip_what_is_there();
    }

    fn skip_what_is_there(&mut self) {
        let skipped = self.skip.min(self.end - self.start);
        self.start += skipped;
        self.skip -= skipped;
    }

    /// Takes the next packet, if it is there.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let unread = &self.bytes[self.start..self.end];
        let Some((head_bytes, remaining)) = head(unread)? else {
            self.wanted = 0;
            return Ok(None);
        };
        let is_publish = unread[0] >> 4 == 3;
        let kept = remaining.min(self.body_bytes_max);
        if kept < remaining && !is_publish {
            return Err(Malformed { what: "it is no message, and too long for anything else" });
        }
        if unread.len() < head_bytes + kept {
            self.wanted = head_bytes + kept;
            return Ok(None);
        }
        let frame = self.start..self.start + head_bytes + kept;
        self.start = frame.end;
        self.wanted = 0;
        self.skip = remaining - kept;
        self.skip_what_is_there();
        let frame = &self.bytes[frame];
        if is_publish {
            published(frame[0], &frame[head_bytes..]).map(|message| Some(Frame::Publish(message)))
        } else {
            Ok(Some(Frame::Other(frame)))
        }
    }
}

/// Bytes of the fixed header, and of what remains after it.
#[inline]
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut remaining = 0;
    for (place, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(Some((place + 2, remaining)));
        }
    }
    if bytes.len() < 5 { Ok(None) } else { Err(Malformed { what: "its length does not end" }) }
}

#[inline]
fn published(flags: u8, body: &[u8]) -> Result<Published<'_>, Malformed> {
    let short = Malformed { what: "a message ends before its payload" };
    let (topic_bytes, rest) = body.split_first_chunk().ok_or(short)?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*topic_bytes))).ok_or(short)?;
    let (packet_id, payload) = if flags & 0b0110 == 0 {
        (None, rest)
    } else {
        let (packet_id, payload) = rest.split_first_chunk().ok_or(short)?;
        (Some(u16::from_be_bytes(*packet_id)), payload)
    };
    if packet_id == Some(0) {
        return Err(Malformed { what: "a message of QoS 1 without packet id" });
    }
    // A topic that is not UTF-8 is against the rules; dropping the connection for it would only bring it
    // again. Mended, it is unknown and ends in quarantine.
    let topic = std::str::from_utf8(topic).map_or_else(|_| String::from_utf8_lossy(topic), Cow::Borrowed);
    Ok(Published { topic, payload, packet_id, is_redelivered: flags & 8 != 0 })
}

#[cfg(test)]
mod tests;
