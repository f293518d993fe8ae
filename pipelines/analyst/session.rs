//! A session of DataFusion whose tables are the exported streams.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::calendar::Calendars;

/// Why exports cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no exports in {0}")]
    NoStreams(String),
    #[error("could not {0}: {1}")]
    Failed(&'static str, String),
}

impl OpenError {
    fn failed(what: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |error| OpenError::Failed(what, error.strip_backtrace())
    }
}

/// What a statement may do: history is for reading.
#[must_use]
pub fn reading() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// A session with every stream under `folder` as a table, and the sites' calendars.
///
/// # Errors
/// The folder has no streams, or a file in it cannot be read.
pub async fn open(folder: &Path, calendars: &Arc<Calendars>) -> Result<SessionContext, OpenError> {
    open_within(folder, calendars, SessionConfig::new(), Arc::default()).await
}

/// The same within bounds.
pub(super) async fn open_within(
    folder: &Path,
    calendars: &Arc<Calendars>,
    config: SessionConfig,
    bounds: Arc<RuntimeEnv>,
) -> Result<SessionContext, OpenError> {
    let mut context = SessionContext::new_with_config_rt(config.with_information_schema(true), bounds);
    crate::plan::register_window_functions(&mut context, calendars)
        .map_err(OpenError::failed("start SQL"))?;
    let no_streams = || OpenError::NoStreams(folder.display().to_string());
    let mut streams = 0;
    for entry in std::fs::read_dir(folder).map_err(|_| no_streams())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            let table = table(&context, &entry.path()).await;
            if let Some(table) = table.map_err(OpenError::failed("read the exports"))? {
                let registered = context.register_table(name.as_str(), Arc::new(table));
                registered.map_err(OpenError::failed("open a stream"))?;
                streams += 1;
            }
        }
    }
    if streams == 0 { Err(no_streams()) } else { Ok(context) }
}

async fn table(context: &SessionContext, folder: &Path) -> Result<Option<ListingTable>, DataFusionError> {
    let url = ListingTableUrl::parse(format!("{}/", folder.display()))?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default().with_skip_metadata(true)));
    let state = context.state();
    let schema = options.infer_schema(&state, &url).await?;
    if schema.fields().is_empty() {
        return Ok(None);
    }
    // `date` and `site` are in the path alone.
    let partitions = [("date", DataType::Utf8), ("site", DataType::Utf8)];
    let fields =
        schema.fields().iter().filter(|field| !partitions.iter().any(|(name, _)| name == field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let partitions = partitions.map(|(name, kind)| (name.to_owned(), kind)).to_vec();
    let options = options.with_file_extension(".parquet").with_table_partition_cols(partitions);
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
    ListingTable::try_new(config).map(Some)
}
