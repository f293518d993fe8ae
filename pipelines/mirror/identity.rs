//! What this region remembers of its mirror, in the file `mirror` beside the journal's segments.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ingest::storage::Storage;
use ingest::time::{Clock, Offset};
use serde::{Deserialize, Serialize};

use super::MirrorError;

const NAME: &str = "mirror";

/// Who we are to the mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The journal's name.
    pub cluster: String,
    /// This region's name: it stays.
    pub node: String,
    /// The newest generation of which the journal here may hold an entry, and its writer.
    pub generation: u64,
    pub writer: String,
    /// Where the mirror ended, as far as we know, when the writer, who is ours, began to lead. Until the log has that
    /// writer's chunk there the place may be another's, whatever generation that has. None once it is ours for certain,
    /// and where another leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_from: Option<u64>,
    /// Epochs up to this offset have been shown; those behind it only once the mirror has them.
    pub shown: u64,
}

/// The file: JSON of both, in one object.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(flatten)]
    identity: Identity,
    /// The first half of BLAKE3 of the identity's JSON; older notes have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

impl Note {
    fn hash(identity: &Identity) -> String {
        let text = serde_json::to_vec(identity).expect("plain fields are JSON");
        blake3::hash(&text).to_hex()[..32].to_owned()
    }

    fn encode(identity: &Identity) -> Vec<u8> {
        let note = Note { identity: identity.clone(), hash: Some(Note::hash(identity)) };
        serde_json::to_vec(&note).expect("plain fields are JSON")
    }

    fn decode(text: &[u8]) -> Result<Identity, String> {
        let Note { identity, hash } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match hash {
            Some(hash) if hash != Note::hash(&identity) => {
                Err("its hash does not fit its content".to_owned())
            }
            _ => Ok(identity),
        }
    }
}

impl Identity {
    /// Reads it from the journal's folder.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(storage: &Arc<dyn Storage>, journal: &Path) -> Result<Option<Identity>, MirrorError> {
        match storage.read(&journal.join(NAME)) {
            Ok(text) => Note::decode(&text).map(Some).map_err(|reason| {
                let path = journal.join(NAME);
                let remedy = "put it back from a backup; or remove it and start with --standby: then this region \
                    follows the mirror, and can lead again";
                let reason = format!("`{}` is damaged: {reason}; {remedy}", path.display());
                MirrorError::Note(io::Error::other(reason))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(MirrorError::Note(error)),
        }
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn write(&self, storage: &Arc<dyn Storage>, journal: &Path) -> Result<(), MirrorError> {
        storage.create_folder(journal).map_err(MirrorError::Note)?;
        storage.create(&journal.join(NAME), &Note::encode(self)).map_err(MirrorError::Note)
    }

    /// A new node of a journal.
    #[must_use]
    pub fn new(cluster: String, clock: &dyn Clock) -> Identity {
        Identity {
            cluster,
            node: fresh(clock),
            generation: 0,
            writer: String::new(),
            claims_from: None,
            shown: 0,
        }
    }

    /// Name of a process of this node.
    #[must_use]
    pub fn process(&self, clock: &dyn Clock) -> String {
        format!("{}.{}", self.node, fresh(clock))
    }

    /// Epochs that have been shown, as an offset.
    #[must_use]
    pub fn shown(&self) -> Offset {
        Offset(self.shown)
    }
}

/// A name that nobody else has: of what the kernel draws, and of process and time where there is no such kernel.
/// Names tell writers apart and change no result.
#[must_use]
pub fn fresh(clock: &dyn Clock) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let text =
        format!("{}{host}{} {} {}", clock.drawn(), std::process::id(), clock.now_ms(), clock.boot_us());
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}
