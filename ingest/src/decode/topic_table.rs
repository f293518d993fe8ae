//! The topics of all channels, by number and by text. Each intake names its topics anew, so a look-up must be cheap:
//! a hash and the number in eight bytes, then one comparison with a text that lies among the others.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Texts numbered 0, 1, 2 … by first sight.
#[derive(Debug, Default)]
pub(super) struct TopicTable {
    text: String,
    /// Where each topic ends in `text`.
    ends: Vec<usize>,
    numbers: HashTable<Numbered>,
}

#[derive(Clone, Copy, Debug)]
struct Numbered {
    /// Upper half of the hash.
    tag: u32,
    number: u32,
}

fn hash_of(topic: &str) -> (u64, u32) {
    let hash = xxh3_64(topic.as_bytes());
    (hash, (hash >> 32) as u32)
}

impl TopicTable {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[number]]
    }

    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|number| self.get(number))
    }

    #[inline]
    pub(super) fn find(&self, topic: &str) -> Option<u32> {
        let (hash, tag) = hash_of(topic);
        let is_it = |known: &Numbered| known.tag == tag && self.get(known.number as usize) == topic;
        self.numbers.find(hash, is_it).map(|known| known.number)
    }

    /// Adds a topic that is not there; its number.
    pub(super) fn add(&mut self, topic: &str) -> u32 {
        let number = u32::try_from(self.ends.len()).expect("channels are bounded below 2^32");
        self.text.push_str(topic);
        self.ends.push(self.text.len());
        let (hash, tag) = hash_of(topic);
        let TopicTable { text, ends, numbers } = self;
        numbers.insert_unique(hash, Numbered { tag, number }, |known| {
            let place = known.number as usize;
            let start = place.checked_sub(1).map_or(0, |before| ends[before]);
            hash_of(&text[start..ends[place]]).0
        });
        number
    }
}
