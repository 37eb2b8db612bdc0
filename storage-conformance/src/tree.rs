use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use storage_core::kv::KvBackend;
use storage_core::{
    DirEntry, ErrorKind, ListOptions, LockGuard, LockOptions, Metadata, Result, Storage, StorageOptions,
};

use crate::Context;
use crate::decorate::Faulty;
use crate::sabotage::Calls;

/// A tree of a case: a storage, and what stands between it and its client, if anything does.
///
/// Its own methods are those of the storage, unless a saboteur stands in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Tree<D = ()> {
    storage: Storage<Arc<dyn KvBackend>>,
    decorator: D,
    calls: Option<Calls>,
    /// The locks that this client was given, for a saboteur.
    locked: Arc<Mutex<HashSet<String>>>,
}

/// A tree whose calls to the store can be made to fail.
pub(crate) type FaultyTree = Tree<Arc<Faulty<Arc<dyn KvBackend>>>>;

impl Tree {
    /// Opens a tree through a client of its own.
    pub(crate) async fn open(context: &Context, options: StorageOptions) -> Result<Self> {
        Self::open_with(context, context.client().await, options).await
    }

    /// Opens a tree through this client.
    pub(crate) async fn open_with(
        context: &Context,
        client: Arc<dyn KvBackend>,
        options: StorageOptions,
    ) -> Result<Self> {
        Tree::over(context, client, (), options).await
    }
}

impl<D: KvBackend> Tree<Arc<D>> {
    /// Opens a tree through this client, which [`backend`](Self::backend) answers.
    pub(crate) async fn open_through(context: &Context, client: D, options: StorageOptions) -> Result<Self> {
        let decorator = Arc::new(client);
        Tree::over(context, Arc::clone(&decorator) as Arc<dyn KvBackend>, decorator, options).await
    }

    /// What stands between the tree and its client.
    pub(crate) fn backend(&self) -> &Arc<D> {
        &self.decorator
    }
}

impl<D> Tree<D> {
    async fn over(
        context: &Context,
        client: Arc<dyn KvBackend>,
        decorator: D,
        options: StorageOptions,
    ) -> Result<Self> {
        let storage = Storage::open(context.for_storage(client), options).await?;
        Ok(Self { storage, decorator, calls: context.sabotaged_calls(), locked: Arc::default() })
    }

    pub(crate) async fn store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        self.storage.store(&self.path(path), content).await
    }

    pub(crate) async fn load(&self, path: &str) -> Result<Bytes> {
        self.storage.load(&self.path(path)).await
    }

    pub(crate) async fn list(&self, path: &str, options: ListOptions) -> Result<Vec<DirEntry>> {
        match self.storage.list(path, options).await {
            Err(error) if error.is_not_found() && self.calls == Some(Calls::ListNothing) => Ok(Vec::new()),
            result => result,
        }
    }

    pub(crate) async fn lock(&self, name: &str) -> Result<LockGuard<Arc<dyn KvBackend>>> {
        match self.calls {
            Some(Calls::LockNow) => {
                self.storage.lock_with(name, LockOptions::new().with_deadline(Duration::ZERO)).await
            }
            Some(Calls::LockAgain) => {
                let guard = self.storage.lock(name).await?;
                self.locked.lock().expect("not poisoned").insert(name.to_owned());
                Ok(guard)
            }
            _ => self.storage.lock(name).await,
        }
    }

    pub(crate) async fn try_lock(&self, name: &str) -> Result<Option<LockGuard<Arc<dyn KvBackend>>>> {
        let guard = self.storage.try_lock(name).await?;
        if guard.is_none() && self.locked.lock().expect("not poisoned").contains(name) {
            return self.storage.try_lock(&format!("{name} again")).await;
        }
        Ok(guard)
    }

    pub(crate) async fn unlock(&self, name: &str) -> Result<()> {
        match self.storage.unlock(name).await {
            Err(error) if error.kind() == ErrorKind::NotHeld && self.calls == Some(Calls::UnlockAnybody) => {
                self.storage.break_lock(name).await.map(drop)
            }
            result => result,
        }
    }

    fn path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        match self.calls {
            Some(Calls::ResolvePaths) => resolved(path).into(),
            Some(Calls::MergeSlashes) => merged(path).into(),
            _ => path.into(),
        }
    }
}

/// A path without its empty components.
fn merged(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// A path without its components `.` and `..`.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl<D> Deref for Tree<D> {
    type Target = Storage<Arc<dyn KvBackend>>;

    fn deref(&self) -> &Self::Target {
        &self.storage
    }
}
