//! A store that is broken on purpose is found out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use kv_memory::MemoryBackend;
use simulation::run_on;
use storage_core::kv::{
    BackendError, Compare, Key, KeyRange, KvBackend, Lease, LeaseId, Limits, Op, RangePage, RangeRequest,
    Revision, Txn, TxnReply, WatchStream,
};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    Nothing,
    /// It does not look whether the place of a lock is there.
    ForgetsFences,
    /// It does not look whether a file is of the version it should be.
    ForgetsVersions,
    /// It does not look whether files lie below a path.
    ForgetsDirectories,
    /// It answers a deletion now and then without having done it.
    ForgetsDeletions,
    /// It leaves a batch out of a watch now and then.
    ForgetsChanges,
    /// It says that leases run longer than they do.
    OverratesLeases,
}

struct Sabotaged {
    store: MemoryBackend,
    how: Sabotage,
    calls: AtomicU64,
}

fn lies_in(key: &Key, directory: &str) -> bool {
    key.as_bytes().starts_with(directory.as_bytes())
}

#[async_trait]
impl KvBackend for Sabotaged {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        self.store.range(request).await
    }

    async fn txn(&self, mut txn: Txn) -> Result<TxnReply, BackendError> {
        let how = self.how;
        txn.compares.retain(|compare| match compare {
            Compare::Present(key) => how != Sabotage::ForgetsFences || !lies_in(key, "/sim/lock/"),
            Compare::ModRevision(key, _) => how != Sabotage::ForgetsVersions || !lies_in(key, "/sim/meta/"),
            Compare::RangeEmpty(range) => {
                how != Sabotage::ForgetsDirectories || !lies_in(range.start(), "/sim/meta/")
            }
            Compare::Absent(_) => true,
        });
        let deletes = txn.success.iter().any(|op| matches!(op, Op::DeleteRange(_)));
        if how == Sabotage::ForgetsDeletions && deletes && self.calls.fetch_add(1, Ordering::Relaxed) % 5 == 4
        {
            // What is in an empty range is deleted soon.
            for op in &mut txn.success {
                if let Op::DeleteRange(range) = op {
                    *range = KeyRange::new(range.start().clone(), range.start().clone());
                }
            }
        }
        self.store.txn(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let mut lease = self.store.grant(ttl).await?;
        if self.how == Sabotage::OverratesLeases {
            lease.ttl *= 2;
        }
        Ok(lease)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let ttl = self.store.keep_alive(lease).await?;
        Ok(if self.how == Sabotage::OverratesLeases { ttl * 2 } else { ttl })
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.store.time_to_live(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.store.revoke(lease).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        let changes = self.store.watch(range.clone(), after).await?;
        if self.how != Sabotage::ForgetsChanges || !lies_in(range.start(), "/sim/meta/") {
            return Ok(changes);
        }
        let kept = changes.enumerate().filter(|(number, _)| std::future::ready(number % 7 != 6));
        Ok(kept.map(|(_, item)| item).boxed())
    }
}

/// The first seed in which something is found, and what.
fn found(how: Sabotage) -> Option<(u64, String)> {
    const SEEDS: u64 = 100;
    let sabotaged =
        |store| Arc::new(Sabotaged { store, how, calls: AtomicU64::new(0) }) as Arc<dyn KvBackend>;
    (0..SEEDS).find_map(|seed| Some((seed, run_on(seed, sabotaged).violations.into_iter().next()?)))
}

#[test]
fn each_way_to_break_a_store_is_found_out_within_a_hundred_seeds() {
    use Sabotage::{
        ForgetsChanges, ForgetsDeletions, ForgetsDirectories, ForgetsFences, ForgetsVersions, OverratesLeases,
    };
    let broken = [
        ForgetsFences,
        ForgetsVersions,
        ForgetsDirectories,
        ForgetsDeletions,
        ForgetsChanges,
        OverratesLeases,
    ];
    for how in broken {
        let Some((seed, violation)) = found(how) else { panic!("{how:?} is not found out") };
        println!("{how:?}: seed {seed}, {violation}");
    }
}

#[test]
fn a_store_that_is_not_broken_is_not_found_out_behind_the_same_decorator() {
    let sabotaged = |store| {
        Arc::new(Sabotaged { store, how: Sabotage::Nothing, calls: AtomicU64::new(0) }) as Arc<dyn KvBackend>
    };
    for seed in 0..20 {
        assert_eq!(run_on(seed, sabotaged).violations, Vec::<String>::new(), "seed {seed}");
    }
}
