use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use crate::config::StorageOptions;
use crate::error::ErrorKind;
use crate::kv::{
    BackendError, BackendErrorKind, Entry, GetReply, Key, Lease, LeaseId, Limits, Op, OpReply, RangePage,
    Revision, Txn, TxnOutcome, TxnReply,
};
use crate::lock::LockState;
use crate::mock::MockBackend;
use crate::storage::Storage;

const TTL: Duration = Duration::from_secs(30);

fn entry(key: Key, revision: u64) -> Entry {
    let revision = Revision(revision);
    Entry { key, value: "1".into(), create_revision: revision, mod_revision: revision, lease: None }
}

/// Answers the transaction that opens a tree, which has its format, if it is that one.
fn opening(txn: &Txn) -> Option<TxnReply> {
    if !txn.success.iter().all(|op| matches!(op, Op::Get(_))) {
        return None;
    }
    let mut replies = vec![OpReply::Get(GetReply::default()); txn.success.len()];
    let format = entry(Key::new("/caddy/format"), 3);
    replies[0] = OpReply::Get(GetReply { entries: vec![format], more: false });
    Some(TxnReply { revision: Revision(5), outcome: TxnOutcome::Matched(replies) })
}

/// Answers a transaction as a store does in which nobody else is: what is put is there alone.
fn alone(txn: &Txn) -> TxnReply {
    if let Some(reply) = opening(txn) {
        return reply;
    }
    let put = txn.success.iter().find_map(|op| if let Op::Put { key, .. } = op { Some(key) } else { None });
    let replies = txn.success.iter().map(|op| match op {
        Op::Put { .. } => OpReply::Put,
        Op::Delete(_) | Op::DeleteRange(_) => OpReply::Deleted(1),
        Op::Get(_) => {
            let entries = put.map(|key| entry(key.clone(), 7)).into_iter().collect();
            OpReply::Get(GetReply { entries, more: false })
        }
    });
    TxnReply { revision: Revision(7), outcome: TxnOutcome::Matched(replies.collect()) }
}

/// A store with a tree in it, which grants leases of 30 seconds and never ends a watch.
fn store() -> MockBackend {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_range().returning(|request| {
        let entries = vec![entry(request.range.start().clone(), 3)];
        Ok(RangePage { revision: Revision(5), entries, next: None })
    });
    backend.expect_watch().returning(|_, _| Ok(futures::stream::pending().boxed()));
    backend.expect_txn().returning(|txn| Ok(alone(&txn)));
    backend
}

fn granting(mut backend: MockBackend, times: usize) -> MockBackend {
    let lease = Lease { id: LeaseId::new(1).unwrap(), ttl: TTL };
    backend.expect_grant().withf(|ttl| *ttl == TTL).times(times).returning(move |_| Ok(lease));
    backend
}

async fn open(backend: MockBackend) -> Storage<MockBackend> {
    Storage::open(backend, StorageOptions::new().with_lock_timeout(TTL)).await.unwrap()
}

fn failure() -> BackendError {
    BackendError::new(BackendErrorKind::Timeout, "no answer")
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_well_before_its_end_and_again_and_again_until_it_is_lost() {
    let mut backend = granting(store(), 1);
    let start = Instant::now();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&attempts);
    backend.expect_keep_alive().returning(move |_| {
        noted.lock().unwrap().push(start.elapsed());
        Err(failure())
    });
    backend.expect_revoke().times(1).returning(|_| Ok(()));
    let storage = open(backend).await;
    let guard = storage.lock("a").await.unwrap();
    assert_eq!(guard.state(), LockState::Held);
    guard.lost().await;
    let lost = start.elapsed();
    assert!(lost >= TTL * 8 / 10 && lost < TTL * 95 / 100, "lost after {lost:?}");
    let attempts = attempts.lock().unwrap().clone();
    assert!(attempts[0] >= TTL / 4 && attempts[0] <= TTL / 2, "{attempts:?}");
    assert!(attempts.len() >= 5, "{attempts:?}");
    assert!(attempts.windows(2).all(|two| two[1] < two[0] + TTL / 8), "no long pause: {attempts:?}");
    storage.client().background.tasks.close();
    storage.client().background.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_the_store_does_not_know_is_lost_at_once() {
    let mut backend = granting(store(), 1);
    let unknown = || BackendError::new(BackendErrorKind::LeaseNotFound, "");
    backend.expect_keep_alive().times(1).returning(move |_| Err(unknown()));
    backend.expect_revoke().returning(move |_| Err(unknown()));
    let storage = open(backend).await;
    let guard = storage.lock("a").await.unwrap();
    assert_eq!(guard.renew().await.unwrap_err().kind(), ErrorKind::LockLost);
    assert_eq!(guard.state(), LockState::Lost);
    storage.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_counts_with_the_ttl_that_was_answered() {
    let mut backend = granting(store(), 1);
    // Every renewal is answered, with less than what is left.
    backend.expect_keep_alive().returning(|_| Ok(Duration::from_secs(3)));
    backend.expect_revoke().returning(|_| Ok(()));
    let storage = open(backend).await;
    let guard = storage.lock("a").await.unwrap();
    guard.renew().await.unwrap();
    let session = storage.client().sessions.alive().unwrap();
    let left = super::lock(&session.life).left();
    assert!(left < Duration::from_secs(3), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_session_cannot_be_recorded_is_given_back() {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_range().returning(|request| {
        let entries = vec![entry(request.range.start().clone(), 3)];
        Ok(RangePage { revision: Revision(5), entries, next: None })
    });
    backend
        .expect_txn()
        .times(2)
        .returning(|txn| opening(&txn).ok_or(BackendError::new(BackendErrorKind::PermissionDenied, "")));
    backend.expect_revoke().times(1).returning(|_| Ok(()));
    let storage = open(granting(backend, 1)).await;
    assert_eq!(storage.lock("a").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_leases_end_before_they_are_used_does_not_answer_in_time() {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_range().returning(|request| {
        let entries = vec![entry(request.range.start().clone(), 3)];
        Ok(RangePage { revision: Revision(5), entries, next: None })
    });
    backend.expect_grant().times(2..).returning(|ttl| Ok(Lease { id: LeaseId::new(7).unwrap(), ttl }));
    let ended = || BackendError::new(BackendErrorKind::LeaseNotFound, "");
    backend.expect_txn().times(3..).returning(move |txn| opening(&txn).ok_or_else(ended));
    backend.expect_revoke().returning(move |_| Err(ended()));
    let storage = open(backend).await;
    assert_eq!(storage.lock("a").await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_grants_no_lease_is_an_error_and_no_lock() {
    let mut backend = store();
    let full = || BackendError::new(BackendErrorKind::Unavailable, "").not_applied();
    backend.expect_grant().times(2).returning(move |_| Err(full()));
    let storage = open(backend).await;
    for _ in 0..2 {
        assert_eq!(storage.lock("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_forgets_the_locks_that_are_released() {
    let mut backend = granting(store(), 1);
    backend.expect_revoke().returning(|_| Ok(()));
    let storage = open(backend).await;
    let held = || super::lock(&storage.client().sessions.alive().unwrap().held).len();
    let (a, b) = (storage.lock("a").await.unwrap(), storage.lock("b").await.unwrap());
    assert_eq!(held(), 2);
    a.unlock().await.unwrap();
    assert_eq!(held(), 1);
    drop(b);
    storage.lock("b").await.unwrap().unlock().await.unwrap();
    assert_eq!(held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_may_have_been_put_is_deleted_while_the_store_takes_no_more_puts() {
    let mut backend = granting(MockBackend::new(), 1);
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_range().returning(|request| {
        let entries = vec![entry(request.range.start().clone(), 3)];
        Ok(RangePage { revision: Revision(5), entries, next: None })
    });
    backend.expect_watch().returning(|_, _| Ok(futures::stream::pending().boxed()));
    backend.expect_keep_alive().returning(|_| Ok(TTL));
    let puts = |txn: &Txn| txn.success.iter().any(|op| matches!(op, Op::Put { .. }));
    let (txns, deletions) = (Mutex::new(0), Arc::new(Mutex::new(0)));
    let deleted = Arc::clone(&deletions);
    backend.expect_txn().returning(move |txn| {
        if let Some(opened) = opening(&txn) {
            return Ok(opened);
        }
        let mut txns = txns.lock().unwrap();
        *txns += 1;
        // The session's record is put; after that the store is full.
        if *txns > 1 && puts(&txn) {
            return Err(BackendError::new(BackendErrorKind::NoSpace, ""));
        }
        *deleted.lock().unwrap() += usize::from(!puts(&txn));
        Ok(alone(&txn))
    });
    let storage = open(backend).await;
    assert_eq!(storage.lock("a").await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    tokio::time::sleep(TTL).await;
    assert_eq!(*deletions.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_granted_leaves_nothing_open() {
    for (failed, kind) in [
        (BackendErrorKind::NoSpace, ErrorKind::NoSpace),
        (BackendErrorKind::Timeout, ErrorKind::Timeout),
        (BackendErrorKind::Unavailable, ErrorKind::Unavailable),
    ] {
        let mut backend = store();
        let error = BackendError::new(failed, "why");
        assert!(error.is_maybe_applied(), "a backend cannot tell");
        backend.expect_grant().return_once(move |_| Err(error));
        let storage = open(backend).await;
        assert_eq!(storage.lock("a").await.unwrap_err().kind(), kind);
    }
}
