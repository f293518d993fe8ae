//! A payload with room behind it, from which words are read without a look at where it ends.

/// Keeps a copy of one payload.
#[derive(Debug)]
pub(super) struct Padded(Box<[u8; PAYLOAD_BYTES_MAX + 8]>);

/// What most payloads are far below.
const PAYLOAD_BYTES_MAX: usize = 1024;

impl Default for Padded {
    fn default() -> Self {
        Padded(Box::new([0; PAYLOAD_BYTES_MAX + 8]))
    }
}

impl Padded {
    /// Copies a payload in; false if it is too long. Behind it may be anything: whoever reads on there ends
    /// behind the payload, and has to see that.
    #[inline(always)]
    pub(super) fn fill(&mut self, payload: &[u8]) -> bool {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return false;
        }
        self.0[..payload.len()].copy_from_slice(payload);
        true
    }

    /// Eight bytes as they lie in memory.
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> u64 {
        let rest = &self.0[at % PAYLOAD_BYTES_MAX..];
        u64::from_le_bytes(*rest.first_chunk().expect("there is room behind each place"))
    }
}
