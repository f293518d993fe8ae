//! Tests of the crate as a whole that need more than it shows to others.

mod formats;
