//! The contract's own suite, in real time.
#![allow(clippy::unwrap_used, reason = "a harness that fails fails the case")]

mod folder;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_sqlite::{Durability, SqliteBackend, SqliteOptions};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Limits, Revision};
use tempfile::TempDir;

use crate::folder::folder;

fn main() -> ExitCode {
    // The limits of etcd, where a value may be as large as a request, and limits that can each be met alone. Clients that
    // have nothing in common but the file go for processes.
    let small = Limits::ETCD_DEFAULTS
        .with_max_txn_ops(24)
        .with_max_value_bytes(50_001)
        .with_max_request_bytes(200_003)
        .with_min_lease_ttl(Duration::from_millis(900));
    // Everything as with etcd, but leases that need not be waited for as long.
    let limits = Limits::ETCD_DEFAULTS.with_min_lease_ttl(Duration::from_secs(1));
    let options = SqliteOptions::default().with_limits(limits);
    storage_conformance::run([
        Arc::new(Files::new("sqlite", Clients::Together, options.with_durability(Durability::Normal)))
            as Arc<dyn Harness>,
        Arc::new(Files::new("sqlite-apart", Clients::Apart, options.with_limits(small))),
    ])
}

/// Whether two clients of a case share more than the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    /// They are clones.
    Together,
    /// Each has opened the store for itself, as processes do.
    Apart,
}

/// A fresh file for each case.
#[derive(Debug)]
struct Files {
    name: &'static str,
    clients: Clients,
    options: SqliteOptions,
}

impl Files {
    fn new(name: &'static str, clients: Clients, options: SqliteOptions) -> Self {
        Self { name, clients, options }
    }
}

#[async_trait]
impl Harness for Files {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn time(&self) -> Time {
        Time::Real
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        let folder = folder();
        let path = folder.path().join("store.db");
        let first = SqliteBackend::open(&path, self.options).await.unwrap();
        Box::new(File { first, path, clients: self.clients, options: self.options, _folder: folder })
    }
}

struct File {
    first: SqliteBackend,
    path: PathBuf,
    clients: Clients,
    options: SqliteOptions,
    _folder: TempDir,
}

#[async_trait]
impl TestStore for File {
    async fn client(&self) -> Arc<dyn KvBackend> {
        match self.clients {
            Clients::Together => Arc::new(self.first.clone()),
            Clients::Apart => Arc::new(SqliteBackend::open(&self.path, self.options).await.unwrap()),
        }
    }

    fn prefix(&self) -> String {
        "case/".to_owned()
    }

    async fn compact(&self, revision: Revision) {
        self.first.compact(revision).await.unwrap();
    }
}
