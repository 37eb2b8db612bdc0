//! kvfs, on any of its backends.

use std::path::Path;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use kv_etcd::{EtcdBackend, EtcdConfig};
use kv_memory::MemoryBackend;
use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_core::kv::KvBackend;
use storage_core::{Filter, ListOptions, LockGuard, Storage, StorageOptions};
use tokio::time::{Duration, sleep};

use super::{Contender, Depth, Directories, Groups, Held, Kind, Locks};

/// Between two looks at the queue of a lock, while it fills.
const LOOK: Duration = Duration::from_millis(20);

/// A tree.
pub(crate) struct Kvfs<B> {
    name: &'static str,
    storage: Storage<B>,
}

impl Kvfs<EtcdBackend> {
    /// Opens a tree on etcd.
    pub(crate) async fn on_etcd(endpoints: &[String], prefix: &str) -> Result<Self> {
        let config = EtcdConfig::builder(endpoints).with_prefix(prefix).build()?;
        let backend = Box::pin(EtcdBackend::connect(&config)).await?;
        Ok(Self { name: "kvfs", storage: Storage::open(backend, config.storage_options()).await? })
    }
}

impl Kvfs<MemoryBackend> {
    /// Opens a tree in memory.
    pub(crate) async fn in_memory() -> Result<Self> {
        let storage = Storage::open(MemoryBackend::new(), StorageOptions::new()).await?;
        Ok(Self { name: "kvfs on kv-memory", storage })
    }
}

impl Kvfs<SqliteBackend> {
    /// Opens a tree in a file.
    pub(crate) async fn in_file(path: &Path, name: &'static str, options: SqliteOptions) -> Result<Self> {
        let storage = Storage::open(SqliteBackend::open(path, options).await?, StorageOptions::new()).await?;
        Ok(Self { name, storage })
    }
}

impl<B> Kvfs<B> {
    /// The tree itself.
    pub(crate) fn storage(&self) -> &Storage<B> {
        &self.storage
    }
}

#[async_trait]
impl<B: KvBackend> Contender for Kvfs<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn store(&self, path: &str, content: &Bytes) -> Result<()> {
        self.storage.store(path, content.clone()).await?;
        Ok(())
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
        self.storage.delete(path).await?;
        Ok(())
    }

    async fn list(&self, directory: &str, depth: Depth) -> Result<usize> {
        let options = match depth {
            Depth::Children => ListOptions::children(),
            Depth::Descendants => ListOptions::descendants().with_filter(Filter::FilesOnly),
        };
        Ok(self.storage.list(directory, options).await?.len())
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
impl<B: KvBackend> Directories for Kvfs<B> {
    async fn stat(&self, directory: &str) -> Result<()> {
        self.storage.stat(directory).await?;
        Ok(())
    }

    async fn delete(&self, directory: &str) -> Result<()> {
        self.storage.delete(directory).await?;
        Ok(())
    }
}

#[async_trait]
impl<B: KvBackend> Groups for Kvfs<B> {
    async fn store(&self, files: &[(String, Bytes)]) -> Result<()> {
        self.storage.store_many(files.iter().cloned()).await?;
        Ok(())
    }

    async fn load(&self, paths: &[String]) -> Result<usize> {
        let mut size = 0;
        for file in self.storage.load_many(paths).await? {
            size += file?.content.len();
        }
        Ok(size)
    }
}

#[async_trait]
impl<B: KvBackend> Locks for Kvfs<B> {
    async fn lock(&self, name: &str) -> Result<Box<dyn Held>> {
        Ok(Box::new(self.storage.lock(name).await?))
    }

    async fn until_queued(&self, name: &str, clients: usize) -> Result<()> {
        while self.storage.locks().await?.iter().filter(|entry| entry.name.as_str() == name).count() < clients
        {
            sleep(LOOK).await;
        }
        Ok(())
    }
}

#[async_trait]
impl<B: KvBackend> Held for LockGuard<B> {
    async fn unlock(self: Box<Self>) -> Result<()> {
        Self::unlock(*self).await?;
        Ok(())
    }
}
