//! Those who are measured. A module for each, which does what a user of that library would write.

mod certmagic;
mod kvfs;
mod object_store;
mod opendal;
mod raw;
mod with_sha1;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;

pub(crate) use self::certmagic::CertMagic;
pub(crate) use self::kvfs::Kvfs;
pub(crate) use self::object_store::ObjectStoreInMemory;
pub(crate) use self::opendal::OpenDal;
pub(crate) use self::raw::Raw;
pub(crate) use self::with_sha1::WithSha1;

/// The contenders of a race, the one that the others are compared with first.
pub(crate) type Contenders = Vec<Arc<dyn Contender>>;

/// A store of files by path, of which every contender has this much.
///
/// The calls are boxed, some 30 ns for each of all contenders alike, so that they can take turns.
#[async_trait]
pub(crate) trait Contender: Send + Sync {
    /// Its name in tables and plots.
    fn name(&self) -> &'static str;

    /// Writes a file, new or not.
    async fn store(&self, path: &str, content: &Bytes) -> Result<()>;

    /// Reads a file and answers its size.
    async fn load(&self, path: &str) -> Result<usize>;

    /// Asks after the metadata of a file.
    async fn stat(&self, path: &str) -> Result<()>;

    /// Whether there is a file or directory.
    async fn exists(&self, path: &str, kind: Kind) -> Result<bool>;

    /// Deletes a file.
    async fn delete(&self, path: &str) -> Result<()>;

    /// Lists a directory by names only, and answers how many.
    async fn list(&self, directory: &str, depth: Depth) -> Result<usize>;

    /// What can be done with a directory besides; `None` if nothing can.
    fn directories(&self) -> Option<&dyn Directories> {
        None
    }

    /// Files that belong together; `None` if it knows no such thing.
    fn groups(&self) -> Option<&dyn Groups> {
        None
    }

    /// Locks; `None` if it has none.
    fn locks(&self) -> Option<&dyn Locks> {
        None
    }
}

/// What can be done with a directory besides listing it.
#[async_trait]
pub(crate) trait Directories: Send + Sync {
    /// Asks after the metadata of a directory.
    async fn stat(&self, directory: &str) -> Result<()>;

    /// Deletes it with all that is below.
    async fn delete(&self, directory: &str) -> Result<()>;
}

/// Files that are written or read together.
#[async_trait]
pub(crate) trait Groups: Send + Sync {
    /// Writes all or none.
    async fn store(&self, files: &[(String, Bytes)]) -> Result<()>;

    /// Reads all, of one state, and answers the sum of their sizes.
    async fn load(&self, paths: &[String]) -> Result<usize>;
}

/// Locks that free themselves when their holder dies.
#[async_trait]
pub(crate) trait Locks: Send + Sync {
    /// Waits for a lock and takes it.
    async fn lock(&self, name: &str) -> Result<Box<dyn Held>>;

    /// Waits until so many clients hold the lock or wait for it.
    async fn until_queued(&self, name: &str, clients: usize) -> Result<()>;
}

/// A lock that is held.
#[async_trait]
pub(crate) trait Held: Send {
    /// Gives it back.
    async fn unlock(self: Box<Self>) -> Result<()>;
}

/// What lies at a path: some peers want to be told before they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file, or nothing.
    File,
    /// A directory.
    Directory,
}

/// How far a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is directly in the directory.
    Children,
    /// All files below it, and no directories.
    Descendants,
}

/// A wait for which nothing tells when it is over.
pub(crate) async fn let_pass(time: Duration) {
    tokio::time::sleep(time).await;
}
