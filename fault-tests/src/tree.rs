//! The tree that clients work on.

use anyhow::Result;
use kv_etcd::{EtcdBackend, EtcdConfig};
use storage_core::kv::{Key, KeyRange, KvBackend, RangeRequest, Revision};
use storage_core::{Storage, StorageOptions};

pub(crate) type Tree = Storage<EtcdBackend>;

/// What the keys of the tree begin with.
pub(crate) const PREFIX: &str = "/faults";

/// Opens the tree through a connection of its own.
pub(crate) async fn open(config: &EtcdConfig) -> Result<Tree> {
    let options = StorageOptions::new()
        .with_prefix(config.prefix().parse()?)
        .with_lock_timeout(config.lock_timeout())
        .with_request_timeout(config.request_timeout());
    Ok(Storage::open(EtcdBackend::connect(config).await?, options).await?)
}

/// The newest revision of the store.
pub(crate) async fn newest_revision(tree: &Tree) -> Result<Revision> {
    let request = RangeRequest::new(KeyRange::single(Key::new(format!("{PREFIX}/format"))));
    Ok(tree.backend().range(request).await?.revision)
}
