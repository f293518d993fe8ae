//! Secrets by reference: `env:NAME`, `file:PATH`.

use std::path::Path;

use ingest::config::Secret;

use super::mistake::Fault;

/// Fetches the secret; a relative path starts at `folder`. One line break at the end of a file is not part
/// of it.
///
/// # Errors
/// The fault names the reference, never the secret.
pub(super) fn resolve(reference: &str, folder: &Path) -> Result<Secret, Fault> {
    let (found, remedy) = if let Some(name) = reference.strip_prefix("env:") {
        let found = std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("the environment variable `{name}` is not set"),
            std::env::VarError::NotUnicode(_) => {
                format!("the environment variable `{name}` is no UTF-8 text")
            }
        });
        (found, format!("set it where `andon` is started, such as `{name}=… andon run`"))
    } else {
        let name = reference.strip_prefix("file:").unwrap_or(reference);
        let found = std::fs::read_to_string(folder.join(name))
            .map_err(|error| format!("the secret's file `{name}` cannot be read: {error}"));
        (found, "write the secret into the file, readable by the user that runs `andon`".to_owned())
    };
    let text = found.map_err(|message| Fault::new(message, remedy.clone()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(Fault::new(format!("the secret `{reference}` is empty"), remedy));
    }
    Ok(Secret(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_text_without_the_last_line_break() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("password"), "hunter2\r\n").expect("written");
        let secret = resolve("file:password", folder.path()).expect("resolved");
        assert_eq!(secret.0, "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = Path::new("/nonexistent");
        let fault = resolve("env:ANDON_TEST_NEVER_SET", folder).expect_err("not set");
        assert_eq!(fault.message, "the environment variable `ANDON_TEST_NEVER_SET` is not set");
        assert!(resolve("file:password", folder).expect_err("no file").message.contains("`password`"));
    }
}
