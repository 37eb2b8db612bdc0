//! Stores that several have open: who waits, for how long, and how one learns what another has done.

use std::path::Path;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use kv_sqlite::{Durability, SqliteBackend, SqliteOptions};
use rusqlite::Connection;
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt as _, Revision};
use tokio::time::{Instant, timeout};

use crate::support::folder;

async fn open(file: &Path) -> SqliteBackend {
    SqliteBackend::open(file, SqliteOptions::default()).await.unwrap()
}

/// Keeps everybody from writing, as another program could.
fn lock(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[tokio::test]
async fn who_cannot_write_in_time_is_told_so_and_nothing_is_written_later() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let limit = Duration::from_millis(300);
    let options = SqliteOptions::default().with_request_timeout(limit);
    let backend = SqliteBackend::open(&file, options).await.unwrap();
    backend.put(Key::new("k"), "before".into()).await.unwrap();
    let locked = lock(&file);
    let began = Instant::now();
    let writes = (0..20).map(|number| backend.put(Key::new(format!("late-{number}")), "v".into()));
    for written in futures::future::join_all(writes).await {
        let error = written.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Timeout, "{error:?}");
        assert!(!error.is_maybe_applied() && error.is_retryable(), "{error:?}");
        assert!(!error.to_string().contains("database is locked"), "{error}");
    }
    let took = began.elapsed();
    assert!(took >= limit && took < limit + Duration::from_secs(5), "{took:?}");
    // Reading waits for nobody.
    assert!(backend.get(Key::new("k")).await.unwrap().is_some());
    drop(locked);
    let next = backend.put(Key::new("k"), "after".into()).await.unwrap();
    assert_eq!(next, Revision(2), "none of the late ones was written");
}

#[tokio::test]
async fn a_write_that_is_dropped_while_it_waits_is_never_begun() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await;
    let locked = lock(&file);
    let dropped = timeout(Duration::from_millis(50), backend.put(Key::new("dropped"), "v".into())).await;
    assert!(dropped.is_err());
    drop(locked);
    assert_eq!(backend.put(Key::new("k"), "v".into()).await.unwrap(), Revision(1));
}

#[tokio::test]
async fn a_store_that_is_locked_is_opened_when_it_is_free_or_not_at_all() {
    let folder = folder();
    let file = folder.path().join("store.db");
    std::fs::write(&file, "").unwrap();
    let locked = Connection::open(&file).unwrap();
    locked.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let options = SqliteOptions::default().with_request_timeout(Duration::from_millis(200));
    let error = SqliteBackend::open(&file, options).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Timeout, "{error:?}");
    assert!(!error.is_maybe_applied(), "{error:?}");
    let patient = open(&file);
    tokio::pin!(patient);
    assert!(timeout(Duration::from_millis(100), &mut patient).await.is_err());
    drop(locked);
    patient.await.put(Key::new("k"), "v".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_who_writes_gets_turns() {
    const WRITERS: usize = 8;
    const TIME: Duration = Duration::from_secs(2);
    // On a disk: what is waited for is mostly that.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(open(&file).await);
    }
    let began = Instant::now();
    let writers = stores.into_iter().enumerate().map(|(writer, store)| {
        tokio::spawn(async move {
            let (mut writes, mut longest) = (0_u32, Duration::ZERO);
            while began.elapsed() < TIME {
                let asked = Instant::now();
                store.put(Key::new(format!("{writer}/{}", writes % 10)), "v".into()).await.unwrap();
                longest = longest.max(asked.elapsed());
                writes += 1;
            }
            (writes, longest)
        })
    });
    let mut turns = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        turns.push(writer.await.unwrap());
    }
    let (fewest, most) = (turns.iter().min().unwrap().0, turns.iter().max().unwrap().0);
    let longest = turns.iter().map(|(_, longest)| *longest).max().unwrap();
    let sum: u32 = turns.iter().map(|(writes, _)| writes).sum();
    println!(
        "{WRITERS} stores write for {TIME:?}: {sum} writes, {fewest} to {most} each, the longest took {longest:?}"
    );
    assert!(fewest > most / 4, "{turns:?}");
}

#[tokio::test]
async fn a_watch_learns_soon_what_another_has_committed() {
    const ROUNDS: u64 = 100;
    let folder = folder();
    let file = folder.path().join("store.db");
    let options = SqliteOptions::default().with_durability(Durability::Normal);
    let (one, other) = (
        SqliteBackend::open(&file, options).await.unwrap(),
        SqliteBackend::open(&file, options).await.unwrap(),
    );
    let mut changes = other.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    let mut took = Vec::new();
    for round in 1..=ROUNDS {
        // Nothing yet: from here on it sleeps.
        assert!(changes.next().now_or_never().is_none());
        let began = Instant::now();
        one.put(Key::new("k"), "v".into()).await.unwrap();
        let batch = timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap().unwrap();
        took.push(began.elapsed());
        assert_eq!(batch.revision, Revision(round));
    }
    took.sort_unstable();
    println!(
        "from a put to the event elsewhere: median {:?}, 90 % {:?}, max {:?}",
        took[50], took[90], took[99]
    );
    // Far less than it takes to look by oneself.
    assert!(took[50] < Duration::from_millis(250), "{:?}", took[50]);
}

#[tokio::test]
async fn a_watch_learns_of_a_commit_that_nobody_told_it_of() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let deaf = open(&file).await;
    let mut changes = deaf.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    assert!(timeout(Duration::from_millis(100), changes.next()).await.is_err());
    // Who opens it now tells of commits through another file, as if it were killed before it could tell.
    std::fs::remove_file(folder.path().join("store.db-notify")).unwrap();
    open(&file).await.put(Key::new("k"), "v".into()).await.unwrap();
    let batch = timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(batch.revision, Revision(1));
}

#[tokio::test]
async fn a_watch_of_a_quiet_range_does_not_fall_behind_however_much_others_write() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let options =
        SqliteOptions::default().with_history(std::num::NonZeroU64::MIN).with_durability(Durability::Normal);
    let (one, other) = (
        SqliteBackend::open(&file, options).await.unwrap(),
        SqliteBackend::open(&file, options).await.unwrap(),
    );
    let mut quiet = other.watch(KeyRange::prefix("quiet"), Revision::ZERO).await.unwrap();
    assert!(timeout(Duration::from_millis(50), quiet.next()).await.is_err());
    for _ in 0..3_000 {
        one.put(Key::new("elsewhere"), "v".into()).await.unwrap();
    }
    // The history is shorter than that, and the watch did not ask for anything meanwhile.
    one.put(Key::new("quiet"), "v".into()).await.unwrap();
    let batch = timeout(Duration::from_secs(30), quiet.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((batch.revision, batch.events.len()), (Revision(3_001), 1));
}

#[tokio::test]
async fn an_open_watch_keeps_the_store_open() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await;
    let mut changes = backend.watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    drop(backend);
    open(&file).await.put(Key::new("k"), "v".into()).await.unwrap();
    let batch = timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(batch.revision, Revision(1));
}
