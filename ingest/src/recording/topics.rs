//! Topics that lines had before: found again without being copied or looked through.

use crate::decode::text;

/// Topics by hash, one a place: where two share one they take turns, which only costs time.
#[derive(Debug)]
pub(super) struct KnownTopics {
    /// 1 + number of the topic of each hash; 0 for none.
    numbers: Vec<u32>,
    topics: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    topic: Box<str>,
    /// The number has meant another topic before.
    is_taken_over: bool,
}

/// Far more than there are topics, so that few share a place; what is never used costs no memory.
const HASH_BITS: u32 = 16;

/// Longer ones are not kept.
const TOPIC_BYTES_MAX: usize = 256;

impl Default for KnownTopics {
    fn default() -> Self {
        KnownTopics { numbers: vec![0; 1 << HASH_BITS], topics: Vec::new() }
    }
}

impl KnownTopics {
    #[inline]
    pub(super) fn get(&self, number: u32) -> &str {
        &self.topics[number as usize].topic
    }

    /// Whether the number has always meant its topic.
    #[inline]
    pub(super) fn is_alone(&self, number: u32) -> bool {
        !self.topics[number as usize].is_taken_over
    }

    /// The number of the topic that `bytes` begin with, up to a quote, and its length; `None` if it has
    /// escapes, is no UTF-8 or very long.
    #[inline(always)]
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<(u32, usize)> {
        let (words, _) = bytes.as_chunks::<8>();
        let mut hash = 0_u64;
        let mut whole_words = 0;
        let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (last, len) = words.iter().find_map(|word| {
            let word = u64::from_le_bytes(*word);
            let len = text::quote_in(word);
            if len < 8 {
                return Some((word & ((1 << (8 * len)) - 1), len));
            }
            hash = mix(hash, word);
            whole_words += 1;
            None
        })?;
        let place = (mix(hash, last) >> (64 - HASH_BITS)) as usize;
        let topic = bytes.get(..8 * whole_words + len)?;
        let number = self.numbers[place].wrapping_sub(1);
        match self.topics.get(number as usize) {
            Some(known) if known.topic.as_bytes() == topic => Some((number, topic.len())),
            _ => Some((self.learn(topic, place)?, topic.len())),
        }
    }

    #[cold]
    fn learn(&mut self, topic: &[u8], place: usize) -> Option<u32> {
        if topic.len() > TOPIC_BYTES_MAX || text::stop(topic, 0) < topic.len() {
            return None;
        }
        let topic = Box::from(std::str::from_utf8(topic).ok()?);
        if let Some(known) = self.topics.get_mut(self.numbers[place].wrapping_sub(1) as usize) {
            *known = Known { topic, is_taken_over: true };
        } else {
            self.topics.push(Known { topic, is_taken_over: false });
            self.numbers[place] = u32::try_from(self.topics.len()).ok()?;
        }
        Some(self.numbers[place] - 1)
    }
}
