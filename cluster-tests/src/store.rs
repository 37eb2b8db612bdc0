use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use kv_etcd::{EtcdBackend, EtcdConfig};
use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_core::KeyPrefix;
use storage_core::kv::KvBackend;

use crate::AnyError;
use crate::raw::Raw;

/// Which store the members of a cluster share.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// An etcd server, by its endpoint.
    Etcd(String),
    /// A file of this host.
    Sqlite(PathBuf),
}

impl Store {
    /// Opens it twice: as the tree uses it, and bare.
    pub(crate) async fn open(self, prefix: &KeyPrefix) -> Result<(Arc<dyn KvBackend>, Raw), AnyError> {
        match self {
            Self::Etcd(endpoint) => {
                let config = EtcdConfig::builder([&endpoint]).with_prefix(prefix.as_str()).build()?;
                let raw = etcd_client::Client::connect([endpoint], None).await?;
                Ok((Arc::new(EtcdBackend::connect(&config).await?), Raw::Etcd(Box::new(raw))))
            }
            Self::Sqlite(path) => {
                let backend = SqliteBackend::open(path, SqliteOptions::default()).await?;
                Ok((Arc::new(backend.clone()), Raw::Sqlite(backend)))
            }
        }
    }
}

impl FromStr for Store {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix("sqlite:") {
            Some(path) => Self::Sqlite(path.into()),
            None => Self::Etcd(text.to_owned()),
        })
    }
}
