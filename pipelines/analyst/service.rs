//! `POST /api/v1/sql`: analysts ask the running service.
//!
//! What they ask runs on a thread of its own, which gives way to those that take messages in. Bounds: [`ASKED_MAX`]
//! statements run at once, the next is told to come again (503); [`MEMORY_BYTES`] for all of them, a statement that needs
//! more fails; an answer that has not ended after [`TIME_MAX`] is broken off, and one that nobody reads waits.

use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;
use sinks::board::sql::{AnswerFormat, Answers, Refusal};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::session::{OpenError, open_within, reading};
use super::{Format, Printer, Still};
use crate::background;
use crate::calendar::Calendars;

const ASKED_MAX: usize = 4;
const MEMORY_BYTES: usize = 256 << 20;
const TIME_MAX: Duration = Duration::from_secs(60);
/// Pieces of an answer that wait for the one who asked.
const PIECES_MAX: usize = 4;
/// A piece is sent once it is so large.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers from the exports of a service.
#[derive(Debug)]
pub struct Analyst {
    folder: PathBuf,
    calendars: Arc<Mutex<Arc<Calendars>>>,
    bounds: Arc<RuntimeEnv>,
    seats: Arc<Semaphore>,
    /// Dropped without waiting: a statement may be at work.
    threads: Option<Runtime>,
}

impl Analyst {
    /// Of the exports in `folder`, with the calendars of the moment.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn new(folder: PathBuf, calendars: Arc<Mutex<Arc<Calendars>>>) -> std::io::Result<Self> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("andon-sql")
            .on_thread_start(background::step_back)
            .enable_all()
            .build()?;
        let no_spilling = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let bounds = RuntimeEnvBuilder::new()
            .with_memory_limit(MEMORY_BYTES, 1.0)
            .with_disk_manager_builder(no_spilling)
            .build_arc()
            .map_err(std::io::Error::other)?;
        let seats = Arc::new(Semaphore::new(ASKED_MAX));
        Ok(Analyst { folder, calendars, bounds, seats, threads: Some(threads) })
    }
}

impl Drop for Analyst {
    fn drop(&mut self) {
        self.threads.take().map(Runtime::shutdown_background).unwrap_or_default();
    }
}

#[async_trait]
impl Answers for Analyst {
    async fn ask(
        &self,
        sql: String,
        format: AnswerFormat,
    ) -> Result<mpsc::Receiver<Result<Bytes, String>>, Refusal> {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            return Err(Refusal::Busy(format!(
                "{ASKED_MAX} statements are at work already; ask again later"
            )));
        };
        let calendars = Arc::clone(&self.calendars.lock().unwrap_or_else(PoisonError::into_inner));
        let (folder, bounds) = (self.folder.clone(), Arc::clone(&self.bounds));
        let threads = self.threads.as_ref().expect("there until it is dropped");
        let begun = threads.spawn(async move {
            let still = Still::of(&folder);
            let exports = still.as_ref().map_or(folder.as_path(), Still::folder);
            let config = SessionConfig::new().with_target_partitions(1);
            let context = open_within(exports, &calendars, config, bounds).await.map_err(refused)?;
            let frame = context.sql_with_options(&sql, reading()).await.map_err(unfit)?;
            let rows = frame.execute_stream().await.map_err(unfit)?;
            // The seat goes with the work, also where whoever asked has gone meanwhile.
            Ok((rows, still, seat))
        });
        let (rows, still, seat) = begun.await.map_err(|error| Refusal::Failed(error.to_string()))??;
        let (pieces, received) = mpsc::channel(PIECES_MAX);
        threads.spawn(async move {
            let told = tokio::time::timeout(TIME_MAX, answer(rows, format, &pieces)).await;
            let told = told.unwrap_or_else(|_| Err(format!("not done after {} s", TIME_MAX.as_secs())));
            if let Err(error) = told {
                tracing::info!(error, "an answer to SQL was broken off");
                let _ = pieces.send(Err(error)).await;
            }
            drop::<(Option<Still>, OwnedSemaphorePermit)>((still, seat));
        });
        Ok(received)
    }
}

/// Sends the rows piece by piece. Whoever asked may have gone: then nothing more is done.
async fn answer(
    mut rows: SendableRecordBatchStream,
    format: AnswerFormat,
    pieces: &mpsc::Sender<Result<Bytes, String>>,
) -> Result<(), String> {
    let format = match format {
        AnswerFormat::Json => Format::Json,
        AnswerFormat::Csv => Format::Csv,
        AnswerFormat::Arrow => Format::Arrow,
    };
    let text = |error: DataFusionError| error.strip_backtrace().to_string();
    let mut printer = Printer::begin(format, rows.schema(), Vec::new()).map_err(|error| error.to_string())?;
    while let Some(batch) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        printer.print(batch.map_err(text)?).map_err(|error| error.to_string())?;
        if printer.out().len() >= PIECE_BYTES
            && pieces.send(Ok(std::mem::take(printer.out()).into())).await.is_err()
        {
            return Ok(());
        }
    }
    let rest = printer.end().map_err(|error| error.to_string())?;
    let _ = pieces.send(Ok(rest.into())).await;
    Ok(())
}

fn refused(error: OpenError) -> Refusal {
    match error {
        OpenError::NoStreams(_) => {
            Refusal::Busy("there are no exports yet; ask again after the first cut".to_owned())
        }
        error => Refusal::Failed(error.to_string()),
    }
}

/// The statement is at fault, or needs more than there is.
fn unfit(error: DataFusionError) -> Refusal {
    Refusal::Unfit(error.strip_backtrace().to_string())
}
