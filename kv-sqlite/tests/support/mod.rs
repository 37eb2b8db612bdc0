//! What the tests here have in common: stores in folders of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_sqlite::{SqliteBackend, SqliteOptions};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Revision};
use tempfile::TempDir;

/// A folder for a store: in memory where that can be had, because what is tested is rarely the disk.
pub(crate) fn folder() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    let in_memory = tempfile::Builder::new().prefix("kv-sqlite-").tempdir_in(MEMORY);
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// Whether two clients of a case share more than the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    /// They are clones.
    Together,
    /// Each has opened the store for itself, as processes do.
    Apart,
}

/// A fresh file for each case.
#[derive(Debug)]
pub(crate) struct Files {
    name: &'static str,
    clients: Clients,
    options: SqliteOptions,
}

impl Files {
    pub(crate) fn new(name: &'static str, clients: Clients, options: SqliteOptions) -> Self {
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

/// The files that lie in a folder, by name.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    const DEADLINE: Duration = Duration::from_secs(30);
    let polling = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(DEADLINE, polling).await.is_ok(),
        "within {DEADLINE:?} it did not come true that {what}"
    );
}
