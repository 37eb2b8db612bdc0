//! Not waiting, and not waiting for ever.

use std::time::Duration;

use storage_core::{ErrorKind, LockOptions};

use super::support::{done, places, until_places};
use crate::files::support::{open, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOCK-9"], try_lock_takes_a_free_lock_and_no_other),
    case!(["FS-LOCK-9"], try_lock_leaves_nothing_in_the_queue),
    case!(["FS-LOCK-9"], of_many_who_try_one_succeeds),
    case!(["FS-LOCK-10"], the_deadline_ends_the_wait_and_leaves_nothing_in_the_queue),
    case!(["FS-LOCK-10"], a_lock_that_comes_before_the_deadline_is_taken),
];

async fn try_lock_takes_a_free_lock_and_no_other(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.try_lock("a").await.unwrap().expect("the lock is free");
    assert!(other.try_lock("a").await.unwrap().is_none());
    assert!(one.try_lock("a").await.unwrap().is_none());
    let token = guard.token();
    guard.unlock().await.unwrap();
    let guard = other.try_lock("a").await.unwrap().expect("the lock is free again");
    assert!(guard.token() > token, "{:?} after {token:?}", guard.token());
}

async fn try_lock_leaves_nothing_in_the_queue(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    for _ in 0..5 {
        assert!(other.try_lock("a").await.unwrap().is_none());
        assert_eq!(places(&context, "a").await, 1);
    }
    guard.unlock().await.unwrap();
    assert_eq!(places(&context, "a").await, 0);
}

async fn of_many_who_try_one_succeeds(context: Context) {
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let tree = open(&context).await;
        tasks.push(tokio::spawn(async move { tree.try_lock("a").await.unwrap() }));
    }
    let mut guards = Vec::new();
    for task in tasks {
        guards.extend(done("trying never waits", task).await);
    }
    assert_eq!(guards.len(), 1);
}

async fn the_deadline_ends_the_wait_and_leaves_nothing_in_the_queue(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    let soon = LockOptions::new().with_deadline(Duration::from_millis(100));
    // One behind the holder in the store's queue, one behind that in the process.
    let (first, second) = tokio::join!(other.lock_with("a", soon.clone()), other.lock_with("a", soon));
    for late in [first, second] {
        let error = refused(late, ErrorKind::LockTimeout, "a");
        assert!(error.is_lock(), "{error:?}");
    }
    until_places(&context, "a", 1).await;
    guard.unlock().await.unwrap();
    until_places(&context, "a", 0).await;
    other.lock("a").await.unwrap().unlock().await.unwrap();
}

async fn a_lock_that_comes_before_the_deadline_is_taken(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    let waiting = tokio::spawn(async move {
        other.lock_with("a", LockOptions::new().with_deadline(Context::PATIENCE)).await.unwrap().token()
    });
    until_places(&context, "a", 2).await;
    let token = guard.token();
    guard.unlock().await.unwrap();
    assert!(done("the lock comes in time", waiting).await > token);
}
