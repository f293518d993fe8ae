//! A bucket as a store: S3, or what speaks as it does.

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::SpawnedReqwestConnector;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use tokio::runtime::Runtime;

use super::{Found, LIST_MAX, Store, StoreError};
use crate::config::Bucket;

/// Objects below a prefix of a bucket. A new object is put with `If-None-Match: *`. Nothing is tried again here: a
/// request whose answer is lost may have been done, and only the one who asked can tell.
#[derive(Debug)]
pub struct BucketStore {
    store: AmazonS3,
    prefix: String,
    place: String,
    /// Connections belong to the runtime that opened them, and the store is used from several.
    network: Option<Runtime>,
}

impl BucketStore {
    /// No request is sent yet.
    ///
    /// # Errors
    /// What the settings, or those of the environment, do not say.
    pub fn open(bucket: &Bucket) -> Result<Self, StoreError> {
        let place = match bucket.prefix.as_str() {
            "" => format!("`s3://{}`", bucket.name),
            prefix => format!("`s3://{}/{prefix}`", bucket.name),
        };
        let refused = |reason: String| StoreError::Refused { place: place.clone(), reason };
        let network = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("andon-bucket")
            .enable_all()
            .build()
            .map_err(|error| refused(format!("no thread for its network: {error}")))?;
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&bucket.name)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(SpawnedReqwestConnector::new(network.handle().clone()));
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &bucket.region {
            builder = builder.with_region(region);
        }
        if let Some((access, secret)) = &bucket.keys {
            builder = builder.with_access_key_id(&access.0).with_secret_access_key(&secret.0);
        }
        let store = builder.build().map_err(|error| refused(error.to_string()))?;
        Ok(BucketStore { store, prefix: bucket.prefix.clone(), place, network: Some(network) })
    }

    fn path(&self, name: &str) -> Path {
        if self.prefix.is_empty() { Path::from(name) } else { Path::from(format!("{}/{name}", self.prefix)) }
    }

    fn error(&self, error: &Error) -> StoreError {
        let (place, reason) = (self.place(), said(error));
        let remedy = match error {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                "look at `mirror.access_key` and `mirror.secret_key`"
            }
            // Of a list the crate knows no such error.
            _ if matches!(error, Error::NotFound { .. }) || reason.contains("NoSuchBucket") => {
                "make the bucket, or name another in `mirror.url`"
            }
            Error::NotImplemented { .. } | Error::NotSupported { .. } | Error::InvalidPath { .. } => {
                "another store is needed"
            }
            _ => return StoreError::Unreachable { place, reason },
        };
        StoreError::Refused { place, reason: format!("{reason}; {remedy}") }
    }
}

/// What the store says of itself, or else the error with what led to it, once each: the innermost says most.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        inner = error.source();
    }
    let between = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(inside, _)| inside)
    };
    match (between("Message"), between("Code")) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        _ => text,
    }
}

impl Drop for BucketStore {
    fn drop(&mut self) {
        // Waits for nobody: it may be dropped within another runtime.
        self.network.take().map(Runtime::shutdown_background).unwrap_or_default();
    }
}

#[async_trait]
impl Store for BucketStore {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        let content = match self.store.get(&self.path(name)).await {
            Ok(found) => found.bytes().await,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        content.map(Some).map_err(|error| self.error(&error))
    }

    async fn put_new(&self, name: &str, content: Bytes) -> Result<bool, StoreError> {
        match self.store.put_opts(&self.path(name), content.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn put(&self, name: &str, content: Bytes) -> Result<(), StoreError> {
        let put = self.store.put(&self.path(name), content.into()).await;
        put.map(|_| ()).map_err(|error| self.error(&error))
    }

    async fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<Found>, StoreError> {
        let folder = self.path(folder);
        let mut objects = match after {
            "" => self.store.list(Some(&folder)),
            after => self.store.list_with_offset(Some(&folder), &self.path(after)),
        };
        let outside = self.prefix.len() + usize::from(!self.prefix.is_empty());
        let mut found = Vec::new();
        // A bucket lists by name.
        while found.len() < LIST_MAX {
            let next = objects.try_next().await.map_err(|error| self.error(&error))?;
            let Some(ObjectMeta { location, last_modified, .. }) = next else { break };
            let Some(name) = location.as_ref().get(outside..) else { continue };
            found.push(Found { name: name.to_owned(), modified_ms: last_modified.timestamp_millis() });
        }
        Ok(found)
    }
}
