//! Locks that members share which run the Go module.

use std::time::Duration;

use storage_core::{ErrorKind, LayoutKind, LockEntry};
use tokio::time::Instant;

use super::member::{Clock, GoMember, open_at, options_at};
use crate::decorate::{Fault, Faulty};
use crate::files::support::{everything, refused};
use crate::locks::support::{done, places, short_timeout, until_lost, until_places};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CADDY-5"], a_lock_that_a_member_holds_is_had_once_it_is_old),
    case!(["FS-CADDY-5"], a_member_that_takes_its_lock_again_is_waited_for),
    case!(["FS-CADDY-5"], a_lock_whose_key_is_deleted_is_free),
    case!(["FS-CADDY-5"], what_cannot_be_read_is_abandoned_in_the_end),
    case!(["FS-CADDY-5"], clients_behind_a_member_are_served_in_their_order),
    case!(["FS-CADDY-6"], members_are_kept_out_while_a_lock_is_held),
    case!(["FS-CADDY-6"], a_holder_that_vanishes_lets_members_in),
    case!(["FS-CADDY-6"], who_gives_up_leaves_nothing_to_members),
    case!(["FS-CADDY-7"], a_holder_that_a_member_has_overtaken_writes_nothing),
    case!(["FS-CADDY-7"], a_holder_that_a_member_has_overtaken_is_told),
    case!(["FS-CADDY-7"], a_holder_that_a_member_has_overtaken_is_told_when_it_unlocks),
    case!(["FS-CADDY-8"], operators_see_members_and_can_break_their_locks),
    case!(["FS-CADDY-8"], a_lock_that_is_broken_is_free_for_members),
];

/// A Go member and a tree whose locks last as long.
async fn members(context: &Context) -> (GoMember, Tree, Duration) {
    let (clock, timeout) = (Clock::new(), short_timeout(context).await);
    let tree = open_at(context, &clock, timeout).await;
    (GoMember::new(context, &clock, timeout).await, tree, timeout)
}

async fn a_lock_that_a_member_holds_is_had_once_it_is_old(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, timeout) = members(&context).await;
    let taken = Instant::now();
    assert!(go.try_lock("a").await);
    assert!(tree.try_lock("a").await.unwrap().is_none());
    assert_eq!(places(&context, "a").await, 0, "nothing is left in the queue");
    assert!(tree.try_lock("b").await.unwrap().is_some(), "others are free");
    let guard = tree.lock("a").await.unwrap();
    assert!(taken.elapsed() >= timeout, "after {:?}", taken.elapsed());
    assert!(!go.sees_free("b").await || guard.is_held());
    assert!(guard.is_held() && !go.sees_free("a").await);
    guard.store("x", "1").await.unwrap();
}

async fn a_member_that_takes_its_lock_again_is_waited_for(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, timeout) = members(&context).await;
    assert!(go.try_lock("a").await);
    let waiting = {
        let tree = tree.clone();
        tokio::spawn(async move { tree.lock("a").await.unwrap() })
    };
    until_places(&context, "a", 1).await;
    for _ in 0..4 {
        context.sleep(timeout / 2).await;
        assert!(go.try_lock("a").await, "its own token");
        assert!(!waiting.is_finished());
    }
    let again = Instant::now();
    let guard = done("the lock is had", waiting).await;
    assert!(again.elapsed() + Duration::from_millis(100) >= timeout, "after {:?}", again.elapsed());
    guard.unlock().await.unwrap();
}

async fn a_lock_whose_key_is_deleted_is_free(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    // So that it cannot have grown old.
    let patient = open_at(&context, &Clock::new(), Duration::from_secs(300)).await;
    drop(tree);
    assert!(go.try_lock("a").await);
    let asked = Instant::now();
    let waiting = tokio::spawn(async move { patient.lock("a").await.unwrap() });
    until_places(&context, "a", 1).await;
    go.delete_lock("a").await;
    done("the lock is had", waiting).await.unlock().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(200), "after {:?}", asked.elapsed());
}

async fn what_cannot_be_read_is_abandoned_in_the_end(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, timeout) = members(&context).await;
    go.put_raw("lock/a", "no lock").await;
    assert!(tree.try_lock("a").await.unwrap().is_none());
    let asked = Instant::now();
    tree.lock("a").await.unwrap().unlock().await.unwrap();
    assert!(asked.elapsed() + Duration::from_millis(100) >= timeout, "after {:?}", asked.elapsed());
}

async fn clients_behind_a_member_are_served_in_their_order(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, _, timeout) = members(&context).await;
    let clock = Clock::new();
    assert!(go.try_lock("a").await);
    let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = Vec::new();
    for number in 0..4 {
        let (tree, served) = (open_at(&context, &clock, timeout).await, served.clone());
        tasks.push(tokio::spawn(async move {
            let guard = tree.lock("a").await.unwrap();
            served.send((number, guard.token())).unwrap();
            guard.unlock().await.unwrap();
        }));
        until_places(&context, "a", number + 1).await;
    }
    go.delete_lock("a").await;
    for task in tasks {
        done("everybody is served", task).await;
    }
    drop(served);
    let mut seen = Vec::new();
    while let Some(next) = order.recv().await {
        seen.push(next);
    }
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(seen.is_sorted_by(|one, next| one.1 < next.1), "tokens grow: {seen:?}");
    assert!(go.sees_free("a").await);
}

async fn members_are_kept_out_while_a_lock_is_held(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, timeout) = members(&context).await;
    let guard = tree.lock("a").await.unwrap();
    let until = Instant::now() + 3 * timeout;
    while Instant::now() < until {
        assert!(!go.try_lock("a").await, "it is held, and not abandoned");
        context.sleep(timeout / 8).await;
    }
    assert!(guard.is_held());
    guard.store("x", "1").await.unwrap();
    guard.unlock().await.unwrap();
    assert!(go.try_lock("a").await, "it is free at once");
    assert_eq!(everything(&tree).await, ["x"]);
}

async fn a_holder_that_vanishes_lets_members_in(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, _, timeout) = members(&context).await;
    let faulty = Faulty::new(context.client().await);
    let tree =
        Tree::open_through(&context, faulty, options_at(&context, &Clock::new(), timeout)).await.unwrap();
    let guard = tree.lock("a").await.unwrap();
    assert!(!go.try_lock("a").await);
    tree.backend().inject(|_| Some(Fault::Hang));
    let key = go.lock_key("a");
    let client = context.client().await;
    let gone = async || {
        let found = storage_core::kv::KvBackendExt::get(&*client, key.clone()).await.unwrap();
        found.is_none().then_some(())
    };
    context.eventually("the key goes with its lease", Context::PATIENCE, gone).await;
    assert!(go.try_lock("a").await);
    until_lost(&guard).await;
}

async fn who_gives_up_leaves_nothing_to_members(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    assert!(go.try_lock("a").await);
    let waiting = {
        let tree = tree.clone();
        tokio::spawn(async move { tree.lock("a").await.map(drop) })
    };
    until_places(&context, "a", 1).await;
    waiting.abort();
    until_places(&context, "a", 0).await;
    assert!(tree.try_lock("a").await.unwrap().is_none(), "the member still has it");
    let guard = tree.lock("b").await.unwrap();
    drop(guard);
    let free = async || go.sees_free("b").await.then_some(());
    context.eventually("a dropped guard frees the lock for members", Context::PATIENCE, free).await;
}

async fn a_holder_that_a_member_has_overtaken_writes_nothing(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    let guard = tree.lock("a").await.unwrap();
    guard.store("x", "1").await.unwrap();
    // It had looked before the key was put, and puts now.
    go.put_lock("a").await;
    refused(guard.store("x", "2").await, ErrorKind::LockLost, "x");
    assert!(!guard.is_held());
    assert_eq!(tree.load("x").await.unwrap(), "1");
    assert!(guard.unlock().await.is_err());
    assert!(tree.try_lock("a").await.unwrap().is_none(), "the member's key is still there");
}

async fn a_holder_that_a_member_has_overtaken_is_told(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    let guard = tree.lock("a").await.unwrap();
    go.put_lock("a").await;
    until_lost(&guard).await;
}

async fn a_holder_that_a_member_has_overtaken_is_told_when_it_unlocks(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    let guard = tree.lock("a").await.unwrap();
    go.put_lock("a").await;
    assert_eq!(guard.unlock().await.unwrap_err().kind(), ErrorKind::LockLost);
    assert!(tree.try_lock("a").await.unwrap().is_none(), "the member's key is still there");
}

async fn operators_see_members_and_can_break_their_locks(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, timeout) = members(&context).await;
    assert!(go.try_lock("a").await);
    let own = tree.lock("b").await.unwrap();
    let patient = open_at(&context, &Clock::new(), Duration::from_secs(300)).await;
    let waiting = tokio::spawn(async move { patient.lock("a").await.unwrap() });
    until_places(&context, "a", 1).await;
    let locks = tree.locks().await.unwrap();
    let shown: Vec<_> = locks.iter().map(|lock| (lock.name.as_str(), lock.position)).collect();
    assert_eq!(shown, [("a", 0), ("a", 1), ("b", 0)]);
    assert_eq!(locks[0].session, LockEntry::CADDY_ETCD);
    assert!(locks[0].is_holder() && locks[0].remaining.unwrap() <= timeout, "{:?}", locks[0]);
    let broken = tree.break_lock("a").await.unwrap().unwrap();
    assert_eq!(broken.session, LockEntry::CADDY_ETCD);
    let guard = done("the next has it", waiting).await;
    assert!(guard.is_held() && own.is_held());
}

async fn a_lock_that_is_broken_is_free_for_members(context: Context) {
    let context = context.with_layout(LayoutKind::CaddyEtcd);
    let (go, tree, _) = members(&context).await;
    let (_, other, _) = members(&context).await;
    let guard = tree.lock("a").await.unwrap();
    assert!(!go.sees_free("a").await);
    let broken = other.break_lock("a").await.unwrap().unwrap();
    assert_eq!(broken.token, guard.token());
    assert!(go.try_lock("a").await);
    until_lost(&guard).await;
    // The old holder takes nothing away.
    drop(guard);
    assert!(other.try_lock("a").await.unwrap().is_none());
    assert!(!GoMember::new(&context, &Clock::new(), Duration::from_secs(300)).await.sees_free("a").await);
}
