//! Locks and the runtimes they are taken in.

use std::time::{Duration, Instant};

use futures::StreamExt;
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_core::kv::{KeyRange, KvBackend, Limits, RangeRequest};
use storage_core::{LockState, Storage, StorageOptions};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn open(backend: &MemoryBackend) -> Storage<MemoryBackend> {
    Storage::open(backend.clone(), StorageOptions::new()).await.unwrap()
}

/// Far more than dropping may take, far less than any time-out.
const AT_ONCE: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "what happens without a runtime takes real time")]
fn at_once<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = act();
    let took = start.elapsed();
    assert!(took < AT_ONCE, "{what} took {took:?}");
    println!("{what}: {took:?}");
    result
}

#[test]
fn a_guard_outlives_its_runtime_and_is_lost() {
    let (backend, first) = (MemoryBackend::new(), runtime());
    let storage = first.block_on(open(&backend));
    let guard = first.block_on(storage.lock("a")).unwrap();
    assert_eq!(guard.state(), LockState::Held);
    at_once("shutting the runtime down", || drop(first));
    assert_eq!(guard.state(), LockState::Lost, "nobody renews it any more");
    at_once("dropping the guard", || drop(guard));

    // Another runtime begins another session. The first one's place ends with its lease, not before.
    let second = runtime();
    let guard = second.block_on(storage.lock("b")).unwrap();
    assert!(guard.is_held());
    second.block_on(guard.unlock()).unwrap();
    assert!(second.block_on(storage.try_lock("a")).unwrap().is_none());
    second.block_on(storage.close()).unwrap();
}

#[test]
fn a_runtime_shuts_down_while_guards_waits_and_watches_are_alive() {
    let (backend, runtime) = (MemoryBackend::new(), runtime());
    let storage = runtime.block_on(open(&backend));
    runtime.block_on(async {
        let guard = storage.lock("a").await.unwrap();
        for _ in 0..10 {
            let storage = storage.clone();
            tokio::spawn(async move {
                let _guard = storage.lock("a").await;
                std::future::pending::<()>().await;
            });
        }
        let (storage, mut changes) = (storage.clone(), storage.watch("").await.unwrap());
        tokio::spawn(async move {
            let _held = (guard, storage);
            while changes.next().await.is_some() {}
        });
        tokio::task::yield_now().await;
    });
    at_once("shutting the runtime down", || drop(runtime));
    at_once("dropping the storage", || drop(storage));
}

#[test]
fn a_guard_dropped_without_a_runtime_frees_the_lock() {
    let (backend, runtime) = (MemoryBackend::new(), runtime());
    let storage = runtime.block_on(open(&backend));
    let guard = runtime.block_on(storage.lock("a")).unwrap();
    at_once("dropping the guard", || drop(guard));
    let next = runtime.block_on(async { tokio::time::timeout(AT_ONCE, storage.lock("a")).await });
    drop(next.expect("it is free").unwrap());
    at_once("dropping the storage", || drop(storage));
    let gone = runtime.block_on(async {
        for _ in 0..200 {
            let keys = RangeRequest::new(KeyRange::prefix("/caddy/session/"));
            if backend.range(keys).await.unwrap().entries.is_empty() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    });
    assert!(gone, "the session ends with the storage");
}

/// As when the process was stopped, or the machine asleep: no task has run in between.
#[test]
#[expect(clippy::disallowed_methods, reason = "time passes while the runtime does not run")]
fn a_guard_knows_that_its_time_is_over_although_no_task_could_tell_it() {
    let limits = Limits::ETCD_DEFAULTS.with_min_lease_ttl(Duration::from_secs(1));
    let backend = MemoryBackend::with_options(MemoryOptions::default().with_limits(limits));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let options = StorageOptions::new().with_lock_timeout(Duration::from_secs(1));
    let guard = runtime.block_on(async {
        let storage = Storage::open(backend, options).await.unwrap();
        storage.lock("a").await.unwrap()
    });
    assert_eq!(guard.state(), LockState::Held);
    let start = Instant::now();
    while guard.is_held() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not look at the clock");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "before the lease could end: {:?}", start.elapsed());
}
