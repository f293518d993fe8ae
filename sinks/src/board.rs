//! The live board and the HTTP interface.
//!
//! The run loop publishes a [`View`], a picture of now; every route answers from the newest one, and
//! nothing here can hold the run loop up. Routes are in [`routes`], the stream of pictures in [`live`],
//! what is a technician's in [`technicians`], connections with their limits in [`server`], and the page that shows it all in [`page`].
//!
//! People's commands go on to the [`Desk`] ([`commands`]); all else is for reading. There is no login: it listens on loopback
//! unless the configuration says otherwise, and takes commands from this machine alone even then.

mod commands;
mod deliveries;
mod exceptions;
mod functions;
mod guards;
mod jobs;
mod live;
mod openapi;
mod page;
mod pages;
mod patience;
mod problem;
mod quarantine;
mod queues;
mod routes;
mod server;
pub mod sql;
mod technicians;
mod tools;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use tokio::sync::{Semaphore, watch};

pub(crate) use exceptions::SEVERITIES;
pub use server::{ServeError, serve};

use self::sql::Answers;
use crate::desk::Desk;
use crate::view::{Status, View};

/// The side of the run loop. Cheap to clone; the newest picture replaces the one before.
#[derive(Clone, Debug)]
pub struct BoardPublisher {
    pictures: Arc<watch::Sender<Arc<Picture>>>,
    configuration: Arc<watch::Sender<Configuration>>,
}

/// `/api/v1/configuration`: what applies. Secrets are references in it.
#[derive(Clone, Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Configuration {
    /// Version of the program.
    pub engine: String,
    /// As `andon check` prints it.
    pub version: String,
    /// All files as one text.
    pub text: String,
}

impl BoardPublisher {
    /// This configuration applies from now on.
    pub fn configure(&self, configuration: Configuration) {
        self.configuration.send_replace(configuration);
    }

    /// Shows `view` from now on. Never waits; a picture that nobody has fetched yet is simply gone.
    pub fn publish(&self, view: View) {
        self.pictures.send_modify(|picture| {
            let is_same = Arc::ptr_eq(&picture.view.jobs, &view.jobs);
            let whose = if is_same { Arc::clone(&picture.whose) } else { Arc::default() };
            *picture = Arc::new(Picture { number: picture.number + 1, view, event: OnceLock::new(), whose });
        });
    }
}

/// The side of the readers: hand it to [`serve`]. Clones show the same pictures and share the limits.
#[derive(Clone, Debug)]
pub struct Board {
    pictures: watch::Receiver<Arc<Picture>>,
    configuration: watch::Receiver<Configuration>,
    /// One permit an open stream, of the whole picture or of a technician.
    live_seats: Arc<Semaphore>,
    /// Takes commands; without one the board is for reading alone.
    desk: Option<Desk>,
    /// Answers SQL.
    answers: Option<Arc<dyn Answers>>,
    /// Turns true when the server shuts down: streams end.
    closing: Arc<watch::Sender<bool>>,
}

impl Board {
    /// An empty board, not ready, and the way to publish pictures to it.
    #[must_use]
    pub fn new() -> (BoardPublisher, Board) {
        let starting = Status {
            not_ready: vec!["starting, no picture has been published yet".to_owned()],
            ..Status::default()
        };
        let view = View { status: starting, ..View::default() };
        let picture = Picture { number: 0, view, event: OnceLock::new(), whose: Arc::default() };
        let (sender, pictures) = watch::channel(Arc::new(picture));
        let (configure, configuration) = watch::channel(Configuration::default());
        let board = Board {
            pictures,
            configuration,
            live_seats: Arc::new(Semaphore::new(live::CLIENTS_MAX)),
            desk: None,
            answers: None,
            closing: Arc::new(watch::Sender::new(false)),
        };
        (BoardPublisher { pictures: Arc::new(sender), configuration: Arc::new(configure) }, board)
    }

    /// The same, with commands going to `desk`.
    #[must_use]
    pub fn with_desk(self, desk: Desk) -> Board {
        Board { desk: Some(desk), ..self }
    }

    /// The same, with SQL answered by `answers`.
    #[must_use]
    pub fn with_answers(self, answers: Arc<dyn Answers>) -> Board {
        Board { answers: Some(answers), ..self }
    }

    /// The newest picture.
    fn now(&self) -> Arc<Picture> {
        self.pictures.borrow().clone()
    }
}

/// A published view. Serialised for the stream at most once, by the first client that wants it.
#[derive(Debug)]
struct Picture {
    /// 1, 2, 3 … in the order of publishing; 0 is the empty board of the start.
    number: u64,
    view: View,
    event: OnceLock<Bytes>,
    /// Made by the first who asks for a technician's steps, and kept for as long as the jobs are the same.
    whose: Arc<OnceLock<technicians::Whose>>,
}
