//! The time of a line, by what the lines before said: of lines within a minute only seconds and their
//! fraction differ.

use crate::decode::number::are_digits;
use crate::decode::timestamp::rfc3339;

/// The minute of the last line.
#[derive(Debug, Default)]
pub(super) struct Minute {
    /// Such as `2026-11-22T07:34`.
    head: [u64; 2],
    /// The last two digits of the fraction as zeros, the offset and the quote, such as `00+0000"`.
    tail: u64,
    start_ms: i64,
}

const SECONDS: u64 = u64::from_le_bytes(*b":00.0000");
/// The colon and the point in it.
const MARKS: u64 = 0x0000_0000_ff00_00ff;

const TWO_ZEROS: u64 = 0x3030;

impl Minute {
    /// The time that says `2026-11-22T07:34:00.123456+0000"`, with any offset; `None` if it looks otherwise.
    #[inline(always)]
    pub(super) fn time(&mut self, text: &[u8; 32]) -> Option<i64> {
        let (words, _) = text.as_chunks::<8>();
        let [first, second, third, fourth] = words.first_chunk()?.map(u64::from_le_bytes);
        let seconds = third ^ SECONDS;
        let digits = |place: u32| (seconds >> (8 * place) & 0xff) as i64;
        let second_of_minute = digits(1) * 10 + digits(2);
        if seconds & MARKS != 0 || !are_digits(seconds & !MARKS) || second_of_minute > 59 {
            return None;
        }
        let since_ms = second_of_minute * 1000 + digits(4) * 100 + digits(5) * 10 + digits(6);
        let tail = fourth ^ self.tail;
        let is_known = self.head == [first, second] && tail >> 16 == 0 && are_digits(tail);
        if !is_known {
            self.learn(text, since_ms)?;
        }
        Some(self.start_ms + since_ms)
    }

    #[cold]
    fn learn(&mut self, text: &[u8; 32], since_ms: i64) -> Option<()> {
        let (time, quote) = text.split_at(31);
        if quote != b"\"" || !time[24..26].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let start_ms = rfc3339(time)? - since_ms;
        let (words, _) = text.as_chunks::<8>();
        let word = |place: usize| u64::from_le_bytes(words[place]);
        let tail = word(3) & !0xffff | TWO_ZEROS;
        *self = Minute { head: [word(0), word(1)], tail, start_ms };
        Some(())
    }
}
