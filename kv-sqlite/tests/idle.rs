//! What an open store costs while nothing happens. Alone in its program: it looks at the time of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod folder;

use std::time::Duration;

use futures::StreamExt as _;
use kv_sqlite::{SqliteBackend, SqliteOptions};
use rustix::time::{ClockId, clock_gettime};
use storage_core::kv::{Key, KeyRange, KvBackend, KvBackendExt as _, Revision};
use tokio::time::timeout;

/// How long the process is idle: `KV_SQLITE_IDLE_SECONDS`.
fn pause() -> Duration {
    let seconds = std::env::var("KV_SQLITE_IDLE_SECONDS").map_or(3, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

#[tokio::test]
async fn an_idle_store_with_a_watch_and_a_lease_takes_hardly_any_time() {
    let folder = folder::folder();
    let backend =
        SqliteBackend::open(folder.path().join("store.db"), SqliteOptions::default()).await.unwrap();
    let revision = backend.put(Key::new("k"), "v".into()).await.unwrap();
    let mut changes = backend.watch(KeyRange::prefix("k"), revision).await.unwrap();
    backend.grant(Duration::from_secs(600)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), changes.next()).await.is_err());

    let before = processor_time();
    assert!(timeout(pause(), changes.next()).await.is_err());
    let took = processor_time().saturating_sub(before);
    println!("idle for {:?} with a watch and a lease: {took:?} of processor time", pause());
    assert!(took < pause() / 100, "{took:?}");

    backend.put(Key::new("k"), "w".into()).await.unwrap();
    let batch = changes.next().await.unwrap().unwrap();
    assert_eq!(batch.revision, Revision(revision.0 + 1));
}
