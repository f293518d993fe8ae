//! A file that takes the place of a smaller one: the old rows and new ones.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use ingest::time::Epoch;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::file::FileWriter;
use super::seal;
use super::shape::{GROUP_ROWS_MAX, Shape, Stream};

/// First epoch of a file's rows, in its key-value metadata.
const FIRST_EPOCH: &str = "andon.first_epoch";

/// Row groups of the same magnitude that stand side by side. More make larger footers, fewer more work.
const GROUPS_OF_A_SIZE_MAX: usize = 8;

/// A file's bytes and footer.
#[derive(Debug)]
pub(super) struct Grown {
    bytes: Bytes,
    metadata: ParquetMetaData,
    shape: Arc<Shape>,
}

impl Grown {
    /// None if the file has other columns than `shape`.
    pub(super) fn of(bytes: Bytes, shape: &Arc<Shape>) -> Result<Option<Self>> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes)?;
        seal::check(&bytes, &metadata)?;
        if metadata.file_metadata().schema_descr().root_schema() != shape.parquet.root_schema() {
            return Ok(None);
        }
        Ok(Some(Grown { bytes, metadata, shape: Arc::clone(shape) }))
    }

    pub(super) fn rows(&self) -> usize {
        self.metadata.row_groups().iter().map(group_rows).sum()
    }

    /// Of the whole file.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The epoch in which the file began.
    fn first_epoch(&self) -> Option<String> {
        let facts = self.metadata.file_metadata().key_value_metadata()?;
        facts.iter().find(|fact| fact.key == FIRST_EPOCH)?.value.clone()
    }

    /// How many row groups stay as they are when `added` rows come; the others are encoded anew with them. Once
    /// [`GROUPS_OF_A_SIZE_MAX`] neighbours are about as large as each other they become one, so that there are
    /// never many; once the file is full, the small ones that are left do.
    fn kept_groups(&self, added: usize, is_full: bool) -> usize {
        let mut sizes: Vec<usize> = self.metadata.row_groups().iter().map(group_rows).collect();
        let mut following = added;
        loop {
            let is_alike = |rows: &&usize| magnitude(**rows) <= magnitude(following);
            let alike = sizes.iter().rev().take_while(is_alike).count();
            if alike + 1 < GROUPS_OF_A_SIZE_MAX || following >= GROUP_ROWS_MAX {
                break;
            }
            following += sizes.drain(sizes.len() - alike..).sum::<usize>();
        }
        if is_full {
            let small = sizes.iter().rev().take_while(|rows| **rows < GROUP_ROWS_MAX / 8).count();
            sizes.truncate(sizes.len() - small);
        }
        sizes.len()
    }

    /// Copies the first `kept` row groups, decodes the others.
    fn write_into(&self, kept: usize, out: &mut FileWriter<Vec<u8>>) -> Result<()> {
        for group in &self.metadata.row_groups()[..kept] {
            out.copy_group(&self.bytes, group)?;
        }
        if kept < self.metadata.num_row_groups() {
            let options = ArrowReaderOptions::new().with_schema(Arc::clone(&self.shape.rows));
            let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(self.bytes.clone(), options)?
                .with_row_groups((kept..self.metadata.num_row_groups()).collect())
                .with_batch_size(8_192)
                .build()?;
            for batch in reader {
                out.write(&batch?)?;
            }
        }
        Ok(())
    }
}

/// Eights of eights of rows.
fn magnitude(rows: usize) -> u32 {
    rows.max(1).ilog(8)
}

fn group_rows(group: &parquet::file::metadata::RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

/// A file of the old rows, if any, and `added`, whose newest epoch is `epoch`.
pub(super) fn write_grown(
    stream: &Stream,
    old: Option<Grown>,
    added: &[RecordBatch],
    is_full: bool,
    epoch: Epoch,
) -> Result<Vec<u8>> {
    let mut out = FileWriter::new(Arc::clone(&stream.shape), Vec::new())?;
    let mut first_epoch = None;
    if let Some(old) = old {
        first_epoch = old.first_epoch();
        let count = added.iter().map(RecordBatch::num_rows).sum();
        old.write_into(old.kept_groups(count, is_full), &mut out)?;
    }
    for batch in added {
        out.write(batch)?;
    }
    let last_epoch = epoch.0.to_string();
    let mut facts = facts(stream, Some((first_epoch.unwrap_or_else(|| last_epoch.clone()), last_epoch)));
    facts.push(seal::blank());
    Ok(seal::seal(out.close(facts)?))
}

/// A file without rows.
pub(super) fn write_empty(stream: &Stream) -> Result<Vec<u8>> {
    FileWriter::new(Arc::clone(&stream.shape), Vec::new())?.close(facts(stream, None))
}

/// What a file says about itself.
pub(super) fn facts(stream: &Stream, epochs: Option<(String, String)>) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("andon.stream", stream.name.clone()),
        ("andon.writer", concat!("andon ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if let Some((first, last)) = epochs {
        facts.push((FIRST_EPOCH, first));
        facts.push(("andon.last_epoch", last));
    }
    facts
}
