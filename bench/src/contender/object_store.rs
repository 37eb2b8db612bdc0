//! The crate `object_store`, in memory.

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore as _, ObjectStoreExt as _};

use super::{Contender, Depth, Kind};

/// Its store in memory.
pub(crate) struct ObjectStoreInMemory(InMemory);

impl ObjectStoreInMemory {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(InMemory::new())
    }
}

#[async_trait]
impl Contender for ObjectStoreInMemory {
    fn name(&self) -> &'static str {
        "object_store InMemory"
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        self.0.put(&Path::parse(path)?, content.clone().into()).await?;
        Ok(())
    }

    async fn load(&self, path: &str) -> Result<usize> {
        Ok(self.0.get(&Path::parse(path)?).await?.bytes().await?.len())
    }

    async fn stat(&self, path: &str) -> Result<()> {
        self.0.head(&Path::parse(path)?).await?;
        Ok(())
    }

    async fn exists(&self, path: &str, kind: Kind) -> Result<bool> {
        let path = Path::parse(path)?;
        if kind == Kind::Directory {
            return Ok(self.0.list(Some(&path)).try_next().await?.is_some());
        }
        match self.0.head(&path).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, path: &str) -> Result<()> {
        Ok(self.0.delete(&Path::parse(path)?).await?)
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        let directory = Path::parse(directory)?;
        Ok(match depth {
            Depth::Descendants => self.0.list(Some(&directory)).try_collect::<Vec<_>>().await?.len(),
            Depth::Children => {
                let listed = self.0.list_with_delimiter(Some(&directory)).await?;
                listed.objects.len() + listed.common_prefixes.len()
            }
        })
    }
}
