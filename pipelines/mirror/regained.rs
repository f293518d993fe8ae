//! What the mirror has of our own writing and the journal here has not.
//!
//! Under `ack = "mirrored"` a chunk is on its way to the mirror while the journal here is still being synced, so a power
//! cut may leave the mirror ahead. What is in the log counts, acknowledged or not: it is taken back before we lead again.

use ingest::journal::{Journal, Place};
use ingest::time::Offset;

use super::chunk::Chunk;
use super::store::{Store, list_all};
use super::{JOURNAL, MirrorError, decoded};

/// Appends what is missing in `journal` up to `end`, as far as the mirror has it without a gap.
///
/// # Errors
/// A mirror that is not reachable, or a chunk in it that is damaged; a journal that cannot be written.
pub(super) async fn regain(store: &dyn Store, journal: &mut Journal, end: Place) -> Result<(), MirrorError> {
    let before = journal.next_offset();
    if before >= end.offset {
        return Ok(());
    }
    let chunks = list_all(store, JOURNAL, "").await?;
    let firsts: Vec<Offset> = chunks.iter().filter_map(|found| Chunk::first_of(&found.name)).collect();
    let from = firsts.iter().rposition(|first| *first <= before).unwrap_or(firsts.len());
    for &first in &firsts[from..] {
        let Some(known) = journal.next_offset().0.checked_sub(first.0) else { break };
        let Some(bytes) = store.get(&Chunk::name(first)).await? else { break };
        let chunk = decoded(store, first, &bytes)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        for entry in chunk.entries.iter().skip(known) {
            journal.append(entry)?;
        }
    }
    journal.sync()?;
    let entries = journal.next_offset().0 - before.0;
    if entries > 0 {
        tracing::warn!(
            from = before.0,
            entries,
            "what the mirror has of our own and the journal here had not is taken back from there"
        );
    }
    Ok(())
}
