//! What an operator sees, and can do.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use storage_core::{ErrorKind, LockOptions};

use super::support::{done, open_short, places, short_timeout, until_lost, until_places};
use crate::files::support::{open, raw_put, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-OPERATOR-1"], holders_and_waiters_are_listed),
    case!(["FS-OPERATOR-1"], the_time_left_is_that_of_the_lease),
    case!(["FS-OPERATOR-2"], breaking_a_lock_gives_it_to_the_next_and_tells_the_holder),
    case!(["FS-OPERATOR-2"], a_lock_that_nobody_holds_cannot_be_broken),
    case!(["FS-OPERATOR-3"], what_somebody_else_put_there_disturbs_nobody),
];

async fn holders_and_waiters_are_listed(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    assert_eq!(one.locks().await.unwrap(), []);
    let labelled = LockOptions::new().with_label("renews example.com");
    let guard = one.lock_with("b/c", labelled).await.unwrap();
    let _second = one.lock("a").await.unwrap();
    let waiting = {
        let other = other.clone();
        tokio::spawn(async move { other.lock("b/c").await.unwrap() })
    };
    let listed = async || {
        let locks = one.locks().await.unwrap();
        (locks.len() == 3).then_some(locks)
    };
    let locks = context.eventually("three entries", Context::PATIENCE, listed).await;
    let shown: Vec<_> =
        locks.iter().map(|lock| (lock.name.as_str(), lock.position, lock.is_holder())).collect();
    assert_eq!(shown, [("a", 0, true), ("b/c", 0, true), ("b/c", 1, false)]);
    assert_eq!(locks[1].token, guard.token());
    assert!(locks[2].token > guard.token(), "{:?} after {:?}", locks[2], guard.token());
    assert_eq!(locks[1].label.as_deref(), Some("renews example.com"));
    assert_eq!(locks[0].label, None);
    assert_eq!(locks[0].session, locks[1].session);
    assert_ne!(locks[1].session, locks[2].session);
    for lock in &locks {
        assert_eq!(lock.pid, Some(std::process::id()));
        assert!(lock.host.as_ref().is_some_and(|host| !host.is_empty()), "{lock:?}");
        let age = lock.since.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(age > Duration::from_secs(1_700_000_000), "{lock:?}");
        let left = lock.remaining.unwrap();
        assert!(left <= Duration::from_secs(301) && left > Duration::from_secs(60), "{lock:?}");
    }
    guard.unlock().await.unwrap();
    done("the next has it", waiting).await.unlock().await.unwrap();
}

async fn the_time_left_is_that_of_the_lease(context: Context) {
    let tree = open_short(&context).await;
    let _guard = tree.lock("a").await.unwrap();
    let left = tree.locks().await.unwrap()[0].remaining.unwrap();
    assert!(left <= short_timeout(&context).await + Duration::from_secs(1), "{left:?}");
}

async fn breaking_a_lock_gives_it_to_the_next_and_tells_the_holder(context: Context) {
    let (one, other, operator) = (open(&context).await, open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    let untouched = one.lock("b").await.unwrap();
    let waiting = tokio::spawn(async move { other.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    let broken = operator.break_lock("a").await.unwrap().expect("somebody held it");
    assert_eq!((broken.name.as_str(), broken.token, broken.position), ("a", guard.token(), 0));
    assert_eq!(broken.pid, Some(std::process::id()));
    let next = done("the next has it", waiting).await;
    until_lost(&guard).await;
    refused(guard.store("x", "y").await, ErrorKind::LockLost, "x");
    refused(guard.unlock().await, ErrorKind::LockLost, "a");
    assert!(untouched.is_held() && next.is_held());
    assert_eq!((places(&context, "a").await, places(&context, "b").await), (1, 1));
    next.store("x", "y").await.unwrap();
    // The session goes on, and can have the lock again.
    next.unlock().await.unwrap();
    one.lock("a").await.unwrap().unlock().await.unwrap();
    assert!(untouched.is_held(), "it is the same session");
    untouched.unlock().await.unwrap();
}

async fn a_lock_that_nobody_holds_cannot_be_broken(context: Context) {
    let tree = open(&context).await;
    assert_eq!(tree.break_lock("a").await.unwrap(), None);
    let guard = tree.lock("a/b").await.unwrap();
    assert_eq!(tree.break_lock("a").await.unwrap(), None);
    assert!(guard.is_held());
}

async fn what_somebody_else_put_there_disturbs_nobody(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    for foreign in ["lock/a", "lock/x", "lock/b%zz/s-1", "lock/c/no-number", "session/who", "lock//s-1"] {
        raw_put(&context, foreign, "{}").await;
    }
    // A place that can be read as one, with a record that cannot: it counts, and there is no lease that ends it.
    raw_put(&context, "lock/d/0123456789abcdef-0", Bytes::from_static(b"\xff not JSON")).await;
    let locks = tree.locks().await.unwrap();
    let shown: Vec<_> = locks.iter().map(|lock| (lock.name.as_str(), lock.pid.is_some())).collect();
    assert_eq!(shown, [("a", true), ("d", false)]);
    assert_eq!((locks[1].remaining, locks[1].since), (None, None));
    assert!(tree.try_lock("d").await.unwrap().is_none());
    tree.break_lock("d").await.unwrap().expect("it stands for a holder");
    tree.lock("d").await.unwrap().unlock().await.unwrap();
    tree.lock("x").await.unwrap().unlock().await.unwrap();
    assert!(guard.is_held());
}
