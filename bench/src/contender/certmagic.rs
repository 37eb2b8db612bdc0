//! The crate certmagic: its storages on etcd and on a disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use certmagic::{EtcdStorage, EtcdStorageOptions, FileStorage, LockGuard, Storage};
use tokio::sync::OnceCell;

use super::{Contender, Depth, Directories, Groups, Held, Kind, Locks, let_pass};

/// How long it waits for a lock before it fails.
const PATIENCE: Duration = Duration::from_mins(2);
/// The lock under which groups are written; certmagic writes none without one.
const GROUP_LOCK: &str = "groups";

/// One of its storages.
pub(crate) struct CertMagic {
    name: &'static str,
    storage: Arc<dyn Storage>,
    group_lock: OnceCell<LockGuard>,
}

impl CertMagic {
    /// Connects to etcd with its default settings.
    pub(crate) async fn on_etcd(endpoints: &[String]) -> Result<Self> {
        let storage = Box::pin(EtcdStorage::connect(endpoints, EtcdStorageOptions::default())).await?;
        Ok(Self { name: "certmagic", storage, group_lock: OnceCell::new() })
    }

    /// Stores files below a directory of the disk.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self {
            name: "certmagic FileStorage",
            storage: FileStorage::new(directory),
            group_lock: OnceCell::new(),
        }
    }
}

#[async_trait]
impl Contender for CertMagic {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        Ok(self.storage.store(path, content).await?)
    }

    async fn load(&self, path: &str) -> Result<usize> {
        Ok(self.storage.load(path).await?.len())
    }

    async fn stat(&self, path: &str) -> Result<()> {
        self.storage.stat(path).await?;
        Ok(())
    }

    async fn exists(&self, path: &str, _: Kind) -> Result<bool> {
        Ok(self.storage.exists(path).await?)
    }

    async fn delete(&self, path: &str) -> Result<()> {
        Ok(self.storage.delete(path).await?)
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        Ok(self.storage.list(directory, depth == Depth::Descendants).await?.len())
    }

    fn directories(&self) -> Option<&dyn Directories> {
        Some(self)
    }

    fn groups(&self) -> Option<&dyn Groups> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }
}

#[async_trait]
impl Directories for CertMagic {
    async fn stat(&self, directory: &str) -> Result<()> {
        self.storage.stat(directory).await?;
        Ok(())
    }

    async fn delete(&self, directory: &str) -> Result<()> {
        Ok(self.storage.delete(directory).await?)
    }
}

#[async_trait]
impl Groups for CertMagic {
    async fn store(&self, files: &[(String, Bytes)]) -> Result<()> {
        let lock = || self.storage.lock_with_timeout(GROUP_LOCK, PATIENCE);
        let guard = self.group_lock.get_or_try_init(lock).await?;
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.to_vec())).collect();
        Ok(self.storage.store_tx_with_lock(&files, guard).await?)
    }

    async fn load(&self, paths: &[String]) -> Result<usize> {
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let contents = self.storage.load_many(&paths).await?;
        ensure!(contents.iter().all(Option::is_some), "a file of the group is missing");
        Ok(contents.into_iter().flatten().map(|content| content.len()).sum())
    }
}

#[async_trait]
impl Locks for CertMagic {
    async fn lock(&self, name: &str) -> Result<Box<dyn Held>> {
        Ok(Box::new(self.storage.lock_with_timeout(name, PATIENCE).await?))
    }

    /// It does not tell; those who wait ask again every 100 ms, so all have asked by then.
    async fn until_queued(&self, _: &str, _: usize) -> Result<()> {
        let_pass(Duration::from_millis(300)).await;
        Ok(())
    }
}

#[async_trait]
impl Held for LockGuard {
    async fn unlock(self: Box<Self>) -> Result<()> {
        Ok(self.release_and_wait().await?)
    }
}
