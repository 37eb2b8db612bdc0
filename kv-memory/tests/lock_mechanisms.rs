//! Each promise of a lock breaks when the mechanism behind it is taken away: the suite finds it out. So no mechanism is
//! idle, and no case passes whatever happens.
#![allow(clippy::unwrap_used, reason = "a harness that fails fails the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kv_memory::MemoryBackend;
use storage_conformance::{Harness, TestStore, Time, check};
use storage_core::kv::{
    BackendError, Compare, Key, KeyRange, KvBackend, Lease, LeaseId, Limits, Op, RangePage, RangeRequest,
    Revision, Txn, TxnReply, WatchStream,
};
use storage_core::{LockGuard, Storage, StorageOptions};

/// What is taken away between the storage and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The keys of locks are attached to no lease.
    Lease,
    /// Who looks after waking whether it is its turn is told that it is.
    Recheck,
    /// Fenced writes do not compare the key of the lock.
    Fence,
    /// A lock's key is put whatever the epoch of its session.
    Epoch,
}

/// The case passes, and fails when this is taken away.
#[track_caller]
fn needed_for(without: Without, case: &str) {
    assert_eq!(check(Arc::new(Without::Nothing), case), Ok(()));
    let why = check(Arc::new(without), case).expect_err("it should fail without that");
    println!("without {without:?} {case} fails: {why}");
}

#[test]
fn without_a_lease_on_its_key_a_lock_is_never_free_again() {
    needed_for(Without::Lease, "locks::sessions::the_lock_of_a_vanished_holder_goes_to_the_next");
}

#[test]
fn without_a_second_look_who_is_woken_enters_while_another_is_inside() {
    needed_for(Without::Recheck, "locks::queue::who_gives_up_lets_nobody_in_before_the_holder_has_left");
}

#[test]
fn without_the_compare_of_its_key_a_holder_that_was_overtaken_writes() {
    let case = "locks::fence::nothing_is_written_once_the_lock_is_gone_though_the_guard_does_not_know";
    needed_for(Without::Fence, case);
}

#[test]
fn without_the_epoch_a_call_that_arrives_late_takes_a_lock_for_nobody() {
    let case = "locks::lost_answers::a_lock_that_arrives_after_its_deadline_leaves_nothing_behind";
    needed_for(Without::Epoch, case);
}

/// Tasks that share a storage queue in the process; each with one of its own, they all queue in the store.
#[tokio::test(start_paused = true)]
async fn without_a_queue_in_the_process_each_task_has_a_key_in_the_store() {
    const TASKS: usize = 100;
    let backend = MemoryBackend::new();
    let open = async || Storage::open(backend.clone(), StorageOptions::new()).await.unwrap();
    let guard: LockGuard<MemoryBackend> = open().await.lock("a").await.unwrap();
    let keys_while_waiting = async |trees: Vec<Storage<MemoryBackend>>| {
        let tasks: Vec<_> = trees
            .into_iter()
            .map(|tree| tokio::spawn(async move { tree.lock("a").await.map(drop) }))
            .collect();
        // Nothing moves while the lock is held, so whoever is to come to the queue has come.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let range = RangeRequest::new(KeyRange::prefix("/caddy/lock/a/"));
        let keys = backend.range(range).await.unwrap().entries.len();
        for task in tasks {
            task.abort();
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        keys - 1
    };
    let shared = open().await;
    assert_eq!(keys_while_waiting(vec![shared; TASKS]).await, 1);
    let mut own = Vec::new();
    for _ in 0..TASKS {
        own.push(open().await);
    }
    assert_eq!(keys_while_waiting(own).await, TASKS);
    guard.unlock().await.unwrap();
}

#[async_trait]
impl Harness for Without {
    fn name(&self) -> String {
        format!("memory-without-{self:?}")
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(Store { backend: MemoryBackend::new(), without: *self })
    }
}

struct Store {
    backend: MemoryBackend,
    without: Without,
}

#[async_trait]
impl TestStore for Store {
    async fn client(&self) -> Arc<dyn KvBackend> {
        let place = Mutex::default();
        Arc::new(Saboteur { backend: self.backend.clone(), without: self.without, place })
    }

    fn prefix(&self) -> String {
        "case/".to_owned()
    }

    async fn compact(&self, revision: Revision) {
        self.backend.compact(revision).unwrap();
    }
}

/// A client that takes something away from what it hands on.
struct Saboteur {
    backend: MemoryBackend,
    without: Without,
    /// The key of a lock that was put last.
    place: Mutex<Option<Key>>,
}

fn is_of(key: &Key, kind: &str) -> bool {
    String::from_utf8_lossy(key.as_bytes()).contains(&format!("/tree/{kind}/"))
}

impl Saboteur {
    fn compares(&self, compare: &Compare) -> bool {
        match (self.without, compare) {
            (Without::Fence, Compare::Present(key)) => !is_of(key, "lock"),
            (Without::Epoch, Compare::ModRevision(key, _)) => !is_of(key, "session"),
            _ => true,
        }
    }
}

#[async_trait]
impl KvBackend for Saboteur {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        let is_queue = is_of(request.range.start(), "lock");
        let mut page = self.backend.range(request).await?;
        if self.without == Without::Recheck && is_queue {
            let own = self.place.lock().unwrap().clone();
            page.entries.retain(|entry| own.as_ref().is_none_or(|own| entry.key == *own));
        }
        Ok(page)
    }

    async fn txn(&self, mut txn: Txn) -> Result<TxnReply, BackendError> {
        // A compare that is dropped takes its read in the other branch along, or that would be read as another's.
        let kept: Vec<bool> = txn.compares.iter().map(|compare| self.compares(compare)).collect();
        if txn.failure.len() >= kept.len() {
            let mut kept = kept.iter().copied().chain(std::iter::repeat(true));
            txn.failure.retain(|_| kept.next().unwrap_or(true));
        }
        txn.compares.retain(|compare| self.compares(compare));
        for op in &mut txn.success {
            if let Op::Put { key, lease, .. } = op
                && is_of(key, "lock")
            {
                *self.place.lock().unwrap() = Some(key.clone());
                if self.without == Without::Lease {
                    *lease = None;
                }
            }
        }
        self.backend.txn(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        self.backend.grant(ttl).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.backend.keep_alive(lease).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.backend.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.backend.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        self.backend.watch(range, after).await
    }
}
