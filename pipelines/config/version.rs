//! Versions of what was parsed: the same for files that differ in comments, spacing and order of keys.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::kind::number_of;

/// First 12 hex of BLAKE3 of the table in canonical form.
pub(super) fn of(table: &DeTable<'_>) -> String {
    let mut text = String::new();
    write_table(&mut text, table);
    of_text(&text)
}

/// First 12 hex of BLAKE3 of a text.
pub(super) fn of_text(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

/// JSON with sorted keys and no spaces, so that another program can compute it as well.
pub(super) fn write_table(text: &mut String, table: &DeTable<'_>) {
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (key.get_ref(), value.get_ref())).collect();
    entries.sort_by(|one, other| one.0.cmp(other.0));
    text.push('{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let _ = write!(text, "{}:", serde_json::Value::from(key.as_ref()));
        write_value(text, value);
    }
    text.push('}');
}

fn write_value(text: &mut String, value: &DeValue<'_>) {
    let _ = match value {
        DeValue::String(string) => write!(text, "{}", serde_json::Value::from(string.as_ref())),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => write!(text, "{number}"),
            // Beyond 64 bits: no setting takes it, so it only has to differ from others.
            Err(_) => write!(text, "{number}"),
        },
        DeValue::Float(number) => match number_of(value) {
            Some(finite) => write!(text, "{finite:?}"),
            None => write!(text, "{}", number.as_str()),
        },
        DeValue::Boolean(flag) => write!(text, "{flag}"),
        DeValue::Datetime(date) => write!(text, "\"{date}\""),
        DeValue::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item.get_ref());
            }
            text.push(']');
            Ok(())
        }
        DeValue::Table(table) => {
            write_table(text, table);
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> String {
        of(&DeTable::parse(text).expect("the test's TOML").into_inner())
    }

    #[test]
    fn comments_spacing_and_order_do_not_change_a_version() {
        let plain = version("rule = \"a\"\nlatch = true\nlimit = 16\n[usage]\nkind = \"amount\"\n");
        let same =
            "# why\nlimit=0x10 # sixteen\nlatch   = true\n\nrule = 'a'\nusage = { kind = \"amount\" }\n";
        assert_eq!(version(same), plain);
        assert_eq!(plain.len(), 12);
    }

    #[test]
    fn content_changes_a_version() {
        assert_ne!(version("a = 1"), version("a = 1.0"));
        assert_ne!(version("a = \"x\""), version("a = \"x \""));
        assert_ne!(version("a = [1, 2]"), version("a = [2, 1]"));
    }
}
