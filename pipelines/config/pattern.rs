//! Names in braces: captures of topic patterns, placeholders of messages.

use super::mistake::{Fault, nearest};

const CAPTURES: [&str; 3] = ["site", "bay", "tool"];

/// The names in braces of a text, in order.
///
/// # Errors
/// A brace that is not closed, not opened, or holds nothing.
pub(super) fn braced(text: &str) -> Result<Vec<&str>, Fault> {
    let fault = |what: &str| {
        let message = format!("{what} in `{text}`");
        Fault::new(message, "write names in braces, such as `{bay}`")
    };
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        if rest[brace..].starts_with('}') {
            return Err(fault("`}` closes nothing"));
        }
        let inner = &rest[brace + 1..];
        let end = inner.find(['{', '}']).filter(|end| inner[*end..].starts_with('}'));
        let end = end.ok_or_else(|| fault("`{` is not closed"))?;
        if inner[..end].trim().is_empty() {
            return Err(fault("`{}` names nothing"));
        }
        names.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    Ok(names)
}

/// What is wrong with a topic pattern, if anything.
pub(super) fn fault(path: &str, pattern: &str) -> Option<Fault> {
    let names = match braced(pattern) {
        Ok(names) => names,
        Err(fault) => return Some(Fault::new(format!("`{path}`: {}", fault.message), fault.remedy)),
    };
    for (index, name) in names.iter().enumerate() {
        if !CAPTURES.contains(name) {
            let meant = nearest(name, CAPTURES).map(|meant| format!("did you mean `{{{meant}}}`? "));
            let remedy = format!("{}possible are {{site}}, {{bay}}, {{tool}}", meant.unwrap_or_default());
            return Some(Fault::new(format!("`{path}` has an unknown capture `{{{name}}}`"), remedy));
        }
        if names[..index].contains(name) {
            let message = format!("`{path}` captures `{{{name}}}` twice in `{pattern}`");
            return Some(Fault::new(message, "name each capture once"));
        }
    }
    for level in pattern.split('/') {
        if level.contains('{') && !(level.starts_with('{') && level.ends_with('}')) {
            let message = format!("`{path}` has a capture that is no whole level: `{level}`");
            return Some(Fault::new(message, "let each capture stand alone between two `/`"));
        }
        if level.contains('#') || (level.contains('+') && level != "+") {
            let message = format!("`{path}` has a level that is no topic level: `{level}` in `{pattern}`");
            return Some(Fault::new(
                message,
                "use {site}, {bay} or {tool} for one level, `+` for one that says nothing",
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_found_in_order() {
        assert_eq!(braced("{tool} at {bay}"), Ok(vec!["tool", "bay"]));
        assert_eq!(braced("nothing"), Ok(vec![]));
        for wrong in ["{tool", "tool}", "{}", "{a{b}", "{ }"] {
            assert!(braced(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_has_known_captures_that_are_whole_levels() {
        assert_eq!(fault("topics.steps", "workshop/{site}/{bay}/steps"), None);
        assert_eq!(fault("topics.steps", "acme/+/{bay}/steps"), None);
        for wrong in ["a/{site}/{site}", "a/x{bay}", "a/{area}", "a/b+", "a/#", "a/{bay"] {
            assert!(fault("topics.steps", wrong).is_some(), "{wrong}");
        }
    }
}
