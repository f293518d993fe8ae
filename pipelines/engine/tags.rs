//! Tag sets: flat JSON objects of strings, as the decoder writes them.

use std::collections::BTreeMap;

use super::template;

/// Names and values of a tag set, by name.
#[must_use]
pub(super) fn pairs(set: &str) -> Vec<(String, String)> {
    let tags: BTreeMap<String, String> = serde_json::from_str(set).expect("the decoder writes tag sets");
    tags.into_iter().collect()
}

/// The value of a tag; none where it is absent or empty. `name` is a plain word.
#[must_use]
pub(super) fn one(set: &str, name: &str) -> Option<String> {
    // Most sets have none, and are not taken apart: quotes within names and values stand behind a backslash.
    if !set.contains(&format!("\"{name}\":")) {
        return None;
    }
    let found = pairs(set).into_iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// Fills `{grade}` and other tag names in braces into a resource's name; a missing tag gives `unknown`.
#[must_use]
pub(super) fn fill(template: &str, set: Option<&str>) -> String {
    if !template.contains('{') {
        return template.to_owned();
    }
    let tags: BTreeMap<String, String> = set.map(pairs).unwrap_or_default().into_iter().collect();
    template::fill(template, |name, filled| {
        filled.push_str(tags.get(name).map_or("unknown", String::as_str));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_by_its_grade() {
        assert_eq!(fill("{grade}", Some(r#"{"grade":"oil_5w30"}"#)), "oil_5w30");
        assert_eq!(fill("fluid_{grade}", None), "fluid_unknown");
        assert_eq!(fill("electricity", None), "electricity");
    }

    #[test]
    fn a_tag_is_found_by_its_name_alone() {
        assert_eq!(one(r#"{"grade":"oil","lot":"L-7"}"#, "lot").as_deref(), Some("L-7"));
        assert_eq!(one(r#"{"grade":"\"lot\":\"L-7\"","slot":"x"}"#, "lot"), None);
        assert_eq!(one(r#"{"lot":""}"#, "lot"), None);
    }
}
