//! Giving a lock back.

use storage_core::{ErrorKind, LockState};

use super::support::{done, places, until_lost, until_places};
use crate::files::support::{open, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOCK-11"], unlocking_frees_the_lock_before_it_answers),
    case!(["FS-LOCK-11"], dropping_the_guard_frees_the_lock),
    case!(["FS-LOCK-11"], dropping_the_guard_outside_a_runtime_is_safe),
    case!(["FS-LOCK-12"], unlocking_by_name_frees_what_this_client_holds),
    case!(["FS-LOCK-12"], a_lock_of_another_client_is_not_touched),
    case!(["FS-LOCK-12"], what_was_released_is_not_held),
];

async fn unlocking_frees_the_lock_before_it_answers(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    for _ in 0..5 {
        let guard = one.lock("a").await.unwrap();
        guard.unlock().await.unwrap();
        assert_eq!(places(&context, "a").await, 0);
        other.try_lock("a").await.unwrap().expect("it is free").unlock().await.unwrap();
    }
}

async fn dropping_the_guard_frees_the_lock(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    drop(one.lock("a").await.unwrap());
    done("the next has it", tokio::spawn(async move { other.lock("a").await.unwrap().unlock().await }))
        .await
        .unwrap();
    until_places(&context, "a", 0).await;
}

async fn dropping_the_guard_outside_a_runtime_is_safe(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    std::thread::spawn(move || drop(guard)).join().expect("no panic");
    until_places(&context, "a", 0).await;
    assert!(tree.lock("a").await.unwrap().is_held());
}

async fn unlocking_by_name_frees_what_this_client_holds(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    let _b = one.lock("b").await.unwrap();
    one.clone().unlock("a").await.unwrap();
    assert_eq!((places(&context, "a").await, places(&context, "b").await), (0, 1));
    until_lost(&guard).await;
    assert_eq!(guard.state(), LockState::Lost);
    refused(guard.store("x", "y").await, ErrorKind::LockLost, "x");
    let theirs = other.try_lock("a").await.unwrap().expect("it is free");
    // The old guard's end does not concern the new holder.
    refused(guard.unlock().await, ErrorKind::NotHeld, "a");
    assert_eq!(places(&context, "a").await, 1);
    theirs.unlock().await.unwrap();
}

async fn a_lock_of_another_client_is_not_touched(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    refused(other.unlock("a").await, ErrorKind::NotHeld, "a");
    refused(other.unlock("b").await, ErrorKind::NotHeld, "b");
    let waiting = {
        let other = other.clone();
        tokio::spawn(async move { other.lock("a").await.unwrap() })
    };
    until_places(&context, "a", 2).await;
    // Waiting is not holding.
    refused(other.unlock("a").await, ErrorKind::NotHeld, "a");
    assert_eq!(places(&context, "a").await, 2);
    guard.unlock().await.unwrap();
    done("the next has it", waiting).await.unlock().await.unwrap();
}

async fn what_was_released_is_not_held(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    guard.unlock().await.unwrap();
    refused(tree.unlock("a").await, ErrorKind::NotHeld, "a");
    let guard = tree.lock("a").await.unwrap();
    tree.unlock("a").await.unwrap();
    refused(tree.unlock("a").await, ErrorKind::NotHeld, "a");
    drop(guard);
}
