//! What a benchmark is asked for.

/// A number from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The words behind `--`; cargo adds flags of its own.
pub(crate) fn words() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect()
}

/// Whether a part is to be done: it is named, or none is.
pub(crate) fn is_asked(words: &[String], part: &str) -> bool {
    words.is_empty() || words.iter().any(|word| word == part)
}
