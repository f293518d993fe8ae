//! Another engine of the same rules.

use ingest::decode::Decoder;

use super::{Engine, EngineError, millis};
use crate::config::Config;

impl Engine {
    /// A fresh engine of the configuration that this one was made for. Rules are not planned again, which is nearly
    /// all of the work.
    ///
    /// # Errors
    /// None that [`Engine::new`] has not had.
    pub fn fresh(&self, config: &Config, decoder: Decoder) -> Result<Self, EngineError> {
        let settings = &config.engine;
        let rules = self.rules.fresh(millis(settings.longest_horizon()), millis(settings.idle_final))?;
        Ok(Self::with_rules(config, decoder, rules))
    }
}
