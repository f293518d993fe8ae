//! Which service a command is about, and how it is asked.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::CommandError;
use crate::config::Config;
use crate::http::{self, AskError};

/// `--config FILE` or `--url URL`.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// Configuration of the service.
    #[arg(long, value_name = "FILE", default_value = "config/andon.toml", conflicts_with = "url")]
    config: PathBuf,
    /// Address of the service.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// `--actor NAME`.
#[derive(Debug, clap::Args)]
pub struct ActorArgs {
    /// Who does it, as it will be recorded [default: the user's name].
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
}

impl ActorArgs {
    /// The name.
    #[must_use]
    pub fn name(&self) -> String {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
        self.actor.clone().or_else(user).unwrap_or_else(|| "somebody".to_owned())
    }
}

impl ServiceArgs {
    /// The configuration, unless an address is given in its place.
    ///
    /// # Errors
    /// Its mistakes.
    pub fn config(&self) -> Result<Option<Config>, CommandError> {
        if self.url.is_some() {
            return Ok(None);
        }
        Config::load_without_secrets(&self.config).map(Some).map_err(CommandError::Configuration)
    }

    /// The address: as given, or that of the configuration.
    ///
    /// # Errors
    /// Mistakes in the configuration.
    pub fn address(&self) -> Result<String, CommandError> {
        match (&self.url, self.config()?) {
            (Some(url), _) => Ok(url.clone()),
            (None, config) => {
                let config = config.expect("there is a configuration where no address is given");
                Ok(format!("http://{}", config.http.listen))
            }
        }
    }
}

/// The service's answer as JSON.
///
/// # Errors
/// It does not answer, refuses, or says something else.
pub fn answer<T: DeserializeOwned>(url: &str, body: Result<String, AskError>) -> Result<T, CommandError> {
    let body = body.map_err(|error| match error {
        AskError::Problem { detail, .. } => CommandError::Input {
            what: format!("{url} refuses: {detail}"),
            remedy: "nothing was changed by this".into(),
        },
        error => CommandError::Input {
            what: format!("no answer from {url}: {error}"),
            remedy: "`andon run --config FILE` starts the service; --url names another address".into(),
        },
    })?;
    serde_json::from_str(&body)
        .map_err(|error| CommandError::failed("the service's answer is not ours", error))
}

/// Part of a path or a query, with what has a meaning there escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// [`http::get`] with its answer read.
///
/// # Errors
/// As [`answer`].
pub fn get<T: DeserializeOwned>(url: &str, path: &str) -> Result<T, CommandError> {
    answer(url, http::get(url, path))
}

/// [`http::post`] with its answer read.
///
/// # Errors
/// As [`answer`].
pub fn post<T: DeserializeOwned>(
    url: &str,
    path: &str,
    key: &str,
    body: &serde_json::Value,
) -> Result<T, CommandError> {
    answer(url, http::post(url, path, key, &body.to_string()))
}
