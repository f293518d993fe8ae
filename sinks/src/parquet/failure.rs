//! What can go wrong with a file, in the words of the sink.

use std::io;
use std::path::Path;

use parquet::errors::ParquetError;

use crate::sink::SinkError;

/// Name of the sink in errors and metrics.
pub const NAME: &str = "parquet";

/// A file operation failed. A full or read-only disk can be mended while we wait; an impossible name cannot.
pub(super) fn file_failed(path: &Path) -> impl Fn(io::Error) -> SinkError {
    let target = format!("`{}`", path.display());
    move |error| {
        let reason = match error.kind() {
            io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => {
                return refused(target.clone(), &error.to_string());
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "no space; make room there".to_owned()
            }
            io::ErrorKind::PermissionDenied => "no permission; allow this user to write there".to_owned(),
            io::ErrorKind::ReadOnlyFilesystem => "it is read-only; mount it writable".to_owned(),
            _ => error.to_string(),
        };
        SinkError::Unavailable { sink: NAME.to_owned(), target: target.clone(), reason }
    }
}

/// Rows could not be made a file, or a file not be made rows.
pub(super) fn made_badly(stream: &str) -> impl Fn(ParquetError) -> SinkError {
    let what = format!("rows of `{stream}`");
    move |error| match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => SinkError::Unavailable {
                sink: NAME.to_owned(),
                target: what.clone(),
                reason: cause.to_string(),
            },
            Err(cause) => refused(what.clone(), &cause.to_string()),
        },
        error => refused(what.clone(), &error.to_string()),
    }
}

/// Trying again cannot help.
pub(super) fn refused(what: impl Into<String>, reason: &str) -> SinkError {
    SinkError::Refused { sink: NAME.to_owned(), what: what.into(), reason: reason.to_owned() }
}
