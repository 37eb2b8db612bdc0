//! `OpenDAL`, on etcd and in memory.

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use opendal::Operator;
use opendal::services::{Etcd, Memory};

use super::{Contender, Depth, Directories, Kind};

/// An operator without layers: none that retries, limits or logs.
pub(crate) struct OpenDal {
    name: &'static str,
    operator: Operator,
}

impl OpenDal {
    /// On etcd. It connects with the first call.
    pub(crate) fn on_etcd(endpoints: &[String]) -> Result<Self> {
        let service = Etcd::default().endpoints(&endpoints.join(",")).root("/opendal");
        Ok(Self { name: "OpenDAL", operator: Operator::new(service)? })
    }

    /// In memory.
    pub(crate) fn in_memory() -> Result<Self> {
        Ok(Self { name: "OpenDAL memory", operator: Operator::new(Memory::default())? })
    }
}

#[async_trait]
impl Contender for OpenDal {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        self.operator.write(path, content.clone()).await?;
        Ok(())
    }

    async fn load(&self, path: &str) -> Result<usize> {
        Ok(self.operator.read(path).await?.len())
    }

    async fn stat(&self, path: &str) -> Result<()> {
        ensure!(self.operator.stat(path).await?.is_file(), "{path} is no file");
        Ok(())
    }

    async fn exists(&self, path: &str, kind: Kind) -> Result<bool> {
        Ok(match kind {
            Kind::File => self.operator.exists(path).await?,
            Kind::Directory => self.operator.exists(&format!("{path}/")).await?,
        })
    }

    async fn delete(&self, path: &str) -> Result<()> {
        Ok(self.operator.delete(path).await?)
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        let directory = format!("{directory}/");
        let listing = self.operator.list_with(&directory);
        let listed = listing.recursive(depth == Depth::Descendants).await?;
        Ok(match depth {
            Depth::Children => listed.len(),
            // It lists directories too, the one that was asked for among them.
            Depth::Descendants => listed.iter().filter(|entry| !entry.path().ends_with('/')).count(),
        })
    }

    fn directories(&self) -> Option<&dyn Directories> {
        Some(self)
    }
}

#[async_trait]
impl Directories for OpenDal {
    async fn stat(&self, directory: &str) -> Result<()> {
        ensure!(self.operator.stat(&format!("{directory}/")).await?.is_dir(), "{directory} is no directory");
        Ok(())
    }

    async fn delete(&self, directory: &str) -> Result<()> {
        Ok(self.operator.delete_with(&format!("{directory}/")).recursive(true).await?)
    }
}
