//! Leases beyond the life of a process, and of the machine's run.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use kv_sqlite::{SqliteBackend, SqliteOptions};
use rusqlite::Connection;
use storage_core::kv::{
    BackendErrorKind, Event, Key, KeyRange, KvBackend, KvBackendExt as _, Lease, Limits, Op, Revision, Txn,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{eventually, folder};

/// Leases as short as a second.
fn options() -> SqliteOptions {
    SqliteOptions::default().with_limits(Limits::ETCD_DEFAULTS.with_min_lease_ttl(Duration::from_secs(1)))
}

async fn open(file: &Path) -> SqliteBackend {
    SqliteBackend::open(file, options()).await.unwrap()
}

async fn leased(backend: &SqliteBackend, name: &'static str, seconds: u64) -> Lease {
    let lease = backend.grant(Duration::from_secs(seconds)).await.unwrap();
    let put = Op::Put { key: Key::new(name), value: "v".into(), lease: Some(lease.id) };
    backend.txn(Txn::new().then(put)).await.unwrap();
    lease
}

async fn close(backend: SqliteBackend) {
    let wal = format!("{}-wal", backend.path().display());
    drop(backend);
    eventually("the store is closed", || !Path::new(&wal).exists()).await;
}

#[tokio::test]
async fn a_lease_that_ran_out_while_nobody_had_the_store_open_ends_when_it_is_opened() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await;
    leased(&backend, "short", 1).await;
    let long = leased(&backend, "long", 600).await;
    close(backend).await;
    sleep(Duration::from_millis(1_100)).await;

    let backend = open(&file).await;
    let mut changes = backend.watch(KeyRange::prefix("s"), Revision(2)).await.unwrap();
    let batch = timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(batch.events, [Event::Delete { key: Key::new("short"), revision: Revision(3) }]);
    let left = backend.time_to_live(long.id).await.unwrap();
    assert!(left < Duration::from_secs(599), "it went on meanwhile: {left:?}");
}

#[tokio::test]
async fn a_lease_of_a_client_that_is_gone_is_ended_by_another_that_only_has_the_store_open() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let bystander = open(&file).await;
    let other = open(&file).await;
    let lease = leased(&other, "k", 1).await;
    let granted = Instant::now();
    drop(other);
    // Past the code under test: reading through it might end the lease.
    let observer = Connection::open(&file).unwrap();
    let keys = || observer.query_row("SELECT count(*) FROM newest", [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(keys(), 1);
    eventually("the key is gone", || keys() == 0).await;
    let late = granted.elapsed().saturating_sub(lease.ttl);
    println!("ended {late:?} after its time at most");
    assert_eq!(bystander.keep_alive(lease.id).await.unwrap_err().kind(), BackendErrorKind::LeaseNotFound);
}

#[tokio::test]
async fn leases_end_in_time_however_many_have_the_store_open() {
    const LEASES: u32 = 12;
    let folder = folder();
    let file = folder.path().join("store.db");
    let mut bystanders = Vec::new();
    for _ in 0..5 {
        bystanders.push(open(&file).await);
    }
    let granting = open(&file).await;
    let mut changes = bystanders[0].watch(KeyRange::prefix("k"), Revision::ZERO).await.unwrap();
    let mut granted = Vec::new();
    for _ in 0..LEASES {
        granted.push((Instant::now(), leased(&granting, "k", 1).await));
        sleep(Duration::from_millis(70)).await;
        // Each takes the key from the one before it, so all end but the last without a change.
    }
    drop(granting);
    let (asked, last) = granted.pop().unwrap();
    loop {
        let batch = timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap().unwrap();
        if matches!(batch.events[..], [Event::Delete { .. }]) {
            break;
        }
    }
    let late = asked.elapsed().saturating_sub(last.ttl);
    assert!(late < Duration::from_secs(1), "{late:?}");
    let observer = Connection::open(&file).unwrap();
    let leases =
        || observer.query_row("SELECT count(*) FROM leases", [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(leases(), 0);
}

#[tokio::test]
async fn after_a_reboot_every_lease_has_its_whole_ttl_again() {
    let folder = folder();
    let file = folder.path().join("store.db");
    let backend = open(&file).await;
    let [short, long] = [leased(&backend, "a", 2).await, leased(&backend, "b", 600).await];
    close(backend).await;
    // What another run of the machine has left: deadlines by a clock that has begun anew since.
    let database = Connection::open(&file).unwrap();
    database
        .execute_batch("UPDATE meta SET boot = 'another'; UPDATE leases SET deadline = deadline * 1000 WHERE ttl = 2; UPDATE leases SET deadline = 5 WHERE ttl = 600")
        .unwrap();
    drop(database);

    let backend = open(&file).await;
    let opened = Instant::now();
    let left = backend.time_to_live(long.id).await.unwrap();
    assert!(left > Duration::from_secs(590) && left <= long.ttl, "{left:?}");
    let left = backend.time_to_live(short.id).await.unwrap();
    assert!(left > Duration::from_secs(1) && left <= short.ttl, "{left:?}");
    // And the short one ends after that, by itself.
    let observer = Connection::open(&file).unwrap();
    let keys = || observer.query_row("SELECT count(*) FROM newest", [], |row| row.get::<_, u32>(0)).unwrap();
    eventually("the short lease has ended", || keys() == 1).await;
    assert!(opened.elapsed() > Duration::from_secs(1), "{:?}", opened.elapsed());
    assert!(backend.get(Key::new("b")).await.unwrap().is_some());
}
