//! Round trips without the tree and its faults, to compare with.

use cluster_tests::{At, Event, Failure};
use etcd_client::Client;
use futures::StreamExt as _;
use kv_sqlite::SqliteBackend;
use storage_core::kv::{Key, KeyRange, KvBackend as _, KvBackendExt as _, RangeRequest};

use crate::AnyError;
use crate::report::{report, with_sources};

/// A store as it is.
#[derive(Clone)]
pub(crate) enum Raw {
    /// With the bare client.
    Etcd(Box<Client>),
    /// There is nothing more bare than the backend: what it does beside SQLite is what makes it a store for several.
    Sqlite(SqliteBackend),
}

impl Raw {
    pub(crate) async fn put(self, key: String) {
        let began = At::now();
        match self.try_put(key).await {
            Ok(()) => report(Event::RawPut { began }),
            Err(error) => report_raw_failure("put", error.as_ref()),
        }
    }

    /// Waits until a key is put, then reads it, linearizably: as a waiter does which is woken and makes sure that it is first.
    pub(crate) async fn watch_and_read(self, key: String) {
        let watched = match self {
            Self::Etcd(client) => watch_and_read_etcd(*client, key).await,
            Self::Sqlite(backend) => watch_and_read_sqlite(backend, key).await,
        };
        if let Err(error) = watched {
            report_raw_failure("watch", error.as_ref());
        }
    }

    async fn try_put(self, key: String) -> Result<(), AnyError> {
        match self {
            Self::Etcd(mut client) => drop(client.put(key, "", None).await?),
            Self::Sqlite(backend) => drop(backend.put(Key::new(key), Vec::new().into()).await?),
        }
        Ok(())
    }
}

async fn watch_and_read_etcd(mut client: Client, key: String) -> Result<(), AnyError> {
    let mut changes = client.watch(key.clone(), None).await?;
    while let Some(change) = changes.message().await? {
        if change.created() {
            report(Event::RawWatching);
        }
        if !change.events().is_empty() {
            let woken = At::now();
            client.get(key, None).await?;
            report(Event::RawSeen { woken });
            return Ok(());
        }
    }
    Err("the watch ended".into())
}

async fn watch_and_read_sqlite(backend: SqliteBackend, key: String) -> Result<(), AnyError> {
    let key = Key::new(key);
    let range = KeyRange::single(key.clone());
    let newest = backend.range(RangeRequest::new(range.clone())).await?.revision;
    let mut changes = backend.watch(range, newest).await?;
    report(Event::RawWatching);
    while let Some(batch) = changes.next().await {
        if !batch?.events.is_empty() {
            let woken = At::now();
            backend.get(key).await?;
            report(Event::RawSeen { woken });
            return Ok(());
        }
    }
    Err("the watch ended".into())
}

fn report_raw_failure(what: &str, error: &(dyn std::error::Error + 'static)) {
    let text = format!("raw {what}: {}", with_sources(error));
    report(Event::Failed(Failure { kind: "Raw".to_owned(), text }));
}
