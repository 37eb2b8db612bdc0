//! What every command needs: the store and the output.

use std::sync::Arc;

use kv_etcd::EtcdBackend;
use kv_memory::MemoryBackend;
use storage_core::kv::{BackendError, BackendErrorKind, KvBackend};
use storage_core::{ErrorKind, FilePath, LockName, Storage, StorageOptions};

use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::store_url::{EXAMPLES, StoreUrl};

/// The file tree, whatever store it is in.
pub(crate) type Tree = Storage<Arc<dyn KvBackend>>;

/// One run of the command.
pub(crate) struct Session {
    store: Option<String>,
    pub(crate) output: Output,
}

impl Session {
    pub(crate) fn new(format: Format, store: Option<String>) -> Self {
        Self { store, output: Output::to_stdout(format) }
    }

    /// The store that was given, as it was given.
    pub(crate) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// Opens the tree.
    pub(crate) async fn open(&self) -> Result<Tree, Failure> {
        self.open_with(StorageOptions::new()).await
    }

    /// Opens the tree with these options, but for the prefix: that is the URL's.
    pub(crate) async fn open_with(&self, options: StorageOptions) -> Result<Tree, Failure> {
        let Some(url) = self.store().filter(|url| !url.is_empty()) else {
            let missing = "no store was given, set --store or KVFS_STORE";
            return Err(Failure::usage(format!("{missing}; {EXAMPLES}")));
        };
        let url: StoreUrl = url.parse().map_err(|error| Failure::usage(format!("{error}")))?;
        let (backend, options) = match &url {
            StoreUrl::Memory => (Arc::new(MemoryBackend::new()) as Arc<dyn KvBackend>, options),
            StoreUrl::Etcd { config, prefix } => {
                let etcd = EtcdBackend::connect(config).await.map_err(|error| not_connected(&url, &error))?;
                (Arc::new(etcd) as Arc<dyn KvBackend>, options.with_prefix(prefix.clone()))
            }
        };
        let opened = Storage::open(backend, options).await;
        opened.map_err(|error| Failure::opening(&url.to_string(), error.kind(), &error))
    }
}

/// Refuses what is no path before the store is asked; the root is one.
pub(crate) fn any_path(command: &str, path: &str) -> Result<FilePath, Failure> {
    FilePath::parse(path).map_err(|error| Failure::storage(command, path, &error))
}

/// Refuses what is no file's path before the store is asked.
pub(crate) fn file_path(command: &str, path: &str) -> Result<FilePath, Failure> {
    let parsed = any_path(command, path)?;
    if parsed.is_root() {
        let reason =
            "invalid path: the root is not a file; name a file in it, such as sites/example.com/cert.pem";
        return Err(Failure::of_kind(ErrorKind::InvalidPath, format!("{command} {path:?}: {reason}")));
    }
    Ok(parsed)
}

/// Refuses what is no name of a lock before the store is asked.
pub(crate) fn lock_name(command: &str, name: &str) -> Result<LockName, Failure> {
    LockName::parse(name).map_err(|error| Failure::storage(command, name, &error))
}

fn not_connected(url: &StoreUrl, error: &BackendError) -> Failure {
    let kind = match error.kind() {
        BackendErrorKind::Timeout => ErrorKind::Timeout,
        BackendErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        BackendErrorKind::Unauthenticated => ErrorKind::Unauthenticated,
        // Whatever else a server says, it does not serve us.
        _ => ErrorKind::Unavailable,
    };
    Failure::opening(&url.to_string(), kind, error)
}
