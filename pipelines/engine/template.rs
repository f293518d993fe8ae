//! Texts with `{name}` in them.

/// `template` with each `{name}` replaced by what `put` writes for it; a brace that nothing closes stays.
#[must_use]
pub(super) fn fill(template: &str, put: impl Fn(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        put(name, &mut filled);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_an_open_brace_stays() {
        let shout = |name: &str, text: &mut String| text.push_str(&name.to_uppercase());
        assert_eq!(fill("{tool} on {bay}, {", shout), "TOOL on BAY, {");
    }
}
