//! A peer that computes the checksum that kvfs computes, for comparisons of the rest.

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use storage_core::Sha1Digest;

use super::{Contender, Depth, Kind};
use crate::trees::content;

/// A peer and the SHA-1 of each content that is stored or loaded.
pub(crate) struct WithSha1<C> {
    name: &'static str,
    inner: C,
    /// What it loads is as large as this: peers hand contents over in types of their own, which need not be copied for it.
    alike: Bytes,
}

impl<C> WithSha1<C> {
    /// For contents of this size.
    pub(crate) fn new(name: &'static str, inner: C, bytes: usize) -> Self {
        Self { name, inner, alike: content(bytes) }
    }
}

#[async_trait]
impl<C: Contender> Contender for WithSha1<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        std::hint::black_box(Sha1Digest::of(content));
        self.inner.store(path, content).await
    }

    async fn load(&self, path: &str) -> Result<usize> {
        let size = self.inner.load(path).await?;
        std::hint::black_box(Sha1Digest::of(&self.alike[..size]));
        Ok(size)
    }

    async fn stat(&self, path: &str) -> Result<()> {
        self.inner.stat(path).await
    }

    async fn exists(&self, path: &str, kind: Kind) -> Result<bool> {
        self.inner.exists(path, kind).await
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.inner.delete(path).await
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        self.inner.list(directory, depth).await
    }
}
