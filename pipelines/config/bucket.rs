//! `[mirror]` with `url = "s3://BUCKET/PREFIX"`: how the bucket is reached.

use std::path::Path;

use ingest::config::Secret;

use super::document::Reader;
use super::files::Files;
use super::kind::Kind;
use super::mistake::Fault;
use super::setting::Fallback::Absent;
use super::setting::{Setting, set};
use super::values::Values;

pub(super) const ENDPOINT: Setting = set(
    "mirror.endpoint",
    Kind::Text,
    Absent("\"https://s3.example\""),
    "Of a bucket that is not Amazon's: https://HOST:PORT, or http:// within the house. The store must know If-None-Match, \
     as S3, MinIO, Ceph and SeaweedFS do.",
);
pub(super) const REGION: Setting = set(
    "mirror.region",
    Kind::Text,
    Absent("\"eu-central-1\""),
    "Of the bucket. Without it that of AWS_REGION, or us-east-1.",
);
pub(super) const ACCESS_KEY: Setting = set(
    "mirror.access_key",
    Kind::Secret,
    Absent("\"env:ANDON_MIRROR_ACCESS_KEY\""),
    "By reference, as passwords are. Without both keys those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of a web \
     identity or of the machine's role.",
);
pub(super) const SECRET_KEY: Setting =
    set("mirror.secret_key", Kind::Secret, Absent("\"env:ANDON_MIRROR_SECRET_KEY\""), "By reference.");

/// A bucket and a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    /// Before the names of all objects, without `/` at its ends; may be empty.
    pub prefix: String,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// Access key and secret key.
    pub keys: Option<(Secret, Secret)>,
}

/// Bucket and prefix of `s3://BUCKET/PREFIX`.
pub(super) fn read_url(text: &str) -> Option<Bucket> {
    let rest = text.strip_prefix("s3://")?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_fit = !name.is_empty() && name.chars().all(is_plain);
    let is_fit_prefix = prefix.is_empty()
        || prefix.split('/').all(|part| !matches!(part, "" | "." | "..") && part.chars().all(is_plain));
    (is_fit && is_fit_prefix).then(|| Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: None,
        region: None,
        keys: None,
    })
}

/// The bucket with all that is said of it.
pub(super) fn read(
    bucket: &Bucket,
    values: &Values,
    folder: &Path,
    files: &dyn Files,
    reader: &mut Reader<'_>,
) -> Bucket {
    let mut key = |path: &str| {
        let found = files.secret(path, values.text(path)?, folder);
        found.map_err(|fault| reader.fault(&values.span(path).unwrap_or_default(), fault)).ok().flatten()
    };
    let keys = key("mirror.access_key").zip(key("mirror.secret_key"));
    let given = ["mirror.access_key", "mirror.secret_key"].map(|path| values.span(path));
    if let [Some(span), None] | [None, Some(span)] = given {
        let message = "`mirror.access_key` and `mirror.secret_key` belong together";
        reader.fault(&span, Fault::new(message, "give both, or none"));
    }
    let endpoint = values.text("mirror.endpoint");
    if let Some(fault) = endpoint.and_then(unfit) {
        reader.fault(&values.span("mirror.endpoint").unwrap_or_default(), fault);
    }
    Bucket {
        endpoint: endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        region: values.text("mirror.region").map(str::to_owned),
        keys,
        ..bucket.clone()
    }
}

/// What is said of a bucket is of no use to a folder.
pub(super) fn check_needless(values: &Values, reader: &mut Reader<'_>) {
    for path in ["mirror.endpoint", "mirror.region", "mirror.access_key", "mirror.secret_key"] {
        if let (Some(_), Some(span)) = (values.text(path), values.span(path)) {
            let message = format!("`{path}` is of no use without a bucket in `mirror.url`");
            reader.fault(&span, Fault::new(message, "take it out, or write `url = \"s3://BUCKET/PREFIX\"`"));
        }
    }
}

fn unfit(endpoint: &str) -> Option<Fault> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let host = rest.map(|rest| rest.trim_end_matches('/'));
    match host {
        // Not repeated: it may hold a key.
        Some(host) if host.contains('@') => {
            let remedy = "take the name and password out of it; set `access_key` and `secret_key`";
            Some(Fault::new("`mirror.endpoint` holds credentials", remedy))
        }
        Some(host)
            if !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/?#".contains(c)) =>
        {
            None
        }
        _ => Some(Fault::new(
            format!("`mirror.endpoint` is no address of a store: `{endpoint}`"),
            "write \"https://HOST:PORT\", or http:// within the house",
        )),
    }
}
