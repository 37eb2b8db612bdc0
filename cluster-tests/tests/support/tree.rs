use std::sync::Arc;

use kv_etcd::{EtcdBackend, EtcdConfig};
use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_core::kv::KvBackend;
use storage_core::{KeyPrefix, Storage, StorageOptions};

use super::{PREFIX, Store};

/// Opens the tree of the nodes and looks at it.
pub(crate) fn open_tree<T>(store: &Store, look: impl AsyncFnOnce(&Storage<Arc<dyn KvBackend>>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let backend: Arc<dyn KvBackend> = match store {
            Store::Etcd(etcd) => {
                let config = EtcdConfig::builder([etcd.endpoint()]).with_prefix(PREFIX).build().unwrap();
                Arc::new(EtcdBackend::connect(&config).await.unwrap())
            }
            Store::Sqlite(_) => {
                Arc::new(SqliteBackend::open(store.file(), SqliteOptions::default()).await.unwrap())
            }
        };
        let prefix: KeyPrefix = PREFIX.parse().unwrap();
        let tree = Storage::open(backend, StorageOptions::new().with_prefix(prefix)).await.unwrap();
        look(&tree).await
    })
}
