//! SQL over the exported history: at the command line, and for the service's port.
//!
//! ```text
//! exports ──► still ──► session ──► printer ──► stdout, or the body of an answer
//!             links      tables      table, CSV, JSON, Arrow
//! ```

mod printer;
mod service;
mod session;
mod still;

pub use printer::{Format, Printer};
pub use service::Analyst;
pub use session::{OpenError, open, reading};
pub use still::Still;
