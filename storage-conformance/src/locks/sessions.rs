//! Leases: who vanishes loses, who lives does not, and everybody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use storage_core::kv::KvBackend;
use storage_core::{ErrorKind, LockState};

use super::lost_answers::first;
use super::support::{
    delete_keys_below, done, keys_below, open_faulty, open_short, places, puts_session, short_timeout,
    shortest_timeout, until_lost, until_places,
};
use crate::decorate::{Call, Fault};
use crate::files::support::{open, options, refused};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-SESSION-1"], the_lock_of_a_vanished_holder_goes_to_the_next),
    case!(["FS-SESSION-1"], a_vanished_waiter_does_not_block_the_queue),
    case!(["FS-SESSION-2"], a_live_holder_keeps_the_lock_beyond_its_timeout),
    case!(["FS-SESSION-3"], a_holder_that_cannot_renew_is_suspect_then_lost_before_its_lease_ends),
    case!(["FS-SESSION-3"], a_lease_counts_from_when_it_was_asked_for),
    case!(["FS-SESSION-3"], a_holder_that_can_renew_again_is_not_suspect_any_more),
    case!(["FS-SESSION-4"], the_end_of_the_session_is_told_to_every_guard),
    case!(["FS-SESSION-4"], the_end_of_the_session_is_noticed_while_nothing_can_be_watched),
    case!(["FS-SESSION-4"], a_place_that_somebody_deleted_is_noticed),
    case!(["FS-SESSION-5"], a_lost_session_is_replaced),
    case!(["FS-SESSION-5"], a_session_whose_lease_ends_while_it_begins_is_replaced),
    case!(["FS-SESSION-5"], who_waits_when_the_session_is_lost_waits_on),
    case!(["FS-SESSION-5"], a_guard_that_is_kept_after_the_loss_keeps_nobody_out),
    case!(["FS-SESSION-2"], slow_reads_do_not_hold_up_renewals),
    case!(["FS-SESSION-6"], renewing_starts_the_lease_again),
    case!(["FS-SESSION-7"], closing_frees_every_lock_at_once),
    case!(["FS-SESSION-7"], who_waits_is_told_that_the_storage_was_closed),
    case!(["FS-SESSION-7"], files_outlive_closing_and_closing_twice_is_fine),
    case!(["FS-SESSION-7"], closing_ends_soon_although_nobody_answers),
    case!(["FS-SESSION-8"], dropping_the_storage_frees_its_locks),
    case!(["FS-SESSION-9"], a_lock_timeout_under_a_second_is_refused),
];

async fn the_lock_of_a_vanished_holder_goes_to_the_next(context: Context) {
    let timeout = shortest_timeout(&context).await;
    let holder = open_faulty(&context, timeout).await;
    let waiter = open(&context).await;
    let guard = holder.lock("a").await.unwrap();
    let waiting = tokio::spawn(async move { waiter.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    holder.backend().inject(|_| Some(Fault::Refuse));
    let next = done("the next has it", waiting).await;
    assert!(next.token() > guard.token(), "{:?} after {:?}", next.token(), guard.token());
    assert_eq!(guard.state(), LockState::Lost, "the holder knew it before");
}

async fn a_vanished_waiter_does_not_block_the_queue(context: Context) {
    let timeout = shortest_timeout(&context).await;
    let (holder, last) = (open(&context).await, open(&context).await);
    let vanishing = open_faulty(&context, timeout).await;
    let guard = holder.lock("a").await.unwrap();
    let in_between = {
        let vanishing = vanishing.clone();
        tokio::spawn(async move { vanishing.lock("a").await.map(drop) })
    };
    until_places(&context, "a", 2).await;
    let waiting = tokio::spawn(async move { last.lock("a").await.unwrap() });
    until_places(&context, "a", 3).await;
    vanishing.backend().inject(|_| Some(Fault::Refuse));
    guard.unlock().await.unwrap();
    done("the last has it", waiting).await.unlock().await.unwrap();
    // It could not reach the store, and says so; or it could not know that it was its turn.
    done("the vanished one has given up", in_between).await.unwrap_err();
}

async fn a_live_holder_keeps_the_lock_beyond_its_timeout(context: Context) {
    let timeout = short_timeout(&context).await;
    let (holder, other) = (open_short(&context).await, open(&context).await);
    let guard = holder.lock("a").await.unwrap();
    for _ in 0..6 {
        context.sleep(timeout / 2).await;
        assert!(guard.is_held());
        assert!(other.try_lock("a").await.unwrap().is_none());
    }
    guard.unlock().await.unwrap();
}

async fn a_holder_that_cannot_renew_is_suspect_then_lost_before_its_lease_ends(context: Context) {
    // A tenth of it is the margin, which has to be enough for a look at the store.
    let timeout = shortest_timeout(&context).await.max(Duration::from_secs(10));
    let holder = open_faulty(&context, timeout).await;
    let guard = holder.lock("a").await.unwrap();
    guard.renew().await.unwrap();
    holder.backend().inject(|call| matches!(call, Call::KeepAlive(_)).then_some(Fault::Refuse));
    let what = "a guard whose session cannot be renewed is suspect";
    context
        .eventually(what, Context::PATIENCE, async || (guard.state() == LockState::Suspect).then_some(()))
        .await;
    assert!(guard.is_held());
    guard.store("x", "still held").await.unwrap();
    // Whoever ends the lease now would delete the key; so it must not be the session itself.
    holder
        .backend()
        .inject(|call| matches!(call, Call::KeepAlive(_) | Call::Revoke(_)).then_some(Fault::Refuse));
    until_lost(&guard).await;
    assert_eq!(places(&context, "a").await, 1, "lost here before the store ends the lease");
    refused(guard.store("x", "too late").await, ErrorKind::LockLost, "x");
    until_places(&context, "a", 0).await;
}

async fn a_lease_counts_from_when_it_was_asked_for(context: Context) {
    let timeout = shortest_timeout(&context).await.max(Duration::from_secs(10));
    let holder = open_faulty(&context, timeout).await;
    holder.backend().inject(|call| matches!(call, Call::Grant(_)).then_some(Fault::Hang));
    let locking = {
        let holder = holder.clone();
        tokio::spawn(async move { holder.lock("a").await.unwrap() })
    };
    context.sleep(timeout * 4 / 10).await;
    holder.backend().heal();
    holder.backend().inject(|call| matches!(call, Call::KeepAlive(_)).then_some(Fault::Refuse));
    let guard = done("the lease is granted", locking).await;
    let granted = tokio::time::Instant::now();
    until_lost(&guard).await;
    let held = granted.elapsed();
    assert!(
        held < timeout * 7 / 10,
        "the store may have begun to count {:?} earlier: {held:?}",
        timeout * 4 / 10
    );
}

async fn a_holder_that_can_renew_again_is_not_suspect_any_more(context: Context) {
    let holder = open_faulty(&context, shortest_timeout(&context).await).await;
    let guard = holder.lock("a").await.unwrap();
    holder.backend().inject(|call| matches!(call, Call::KeepAlive(_)).then_some(Fault::Refuse));
    refused(guard.renew().await, ErrorKind::Unavailable, "a");
    assert_eq!(guard.state(), LockState::Suspect);
    holder.backend().heal();
    let held = async || (guard.state() == LockState::Held).then_some(());
    context.eventually("the guard is held again", Context::PATIENCE, held).await;
    guard.unlock().await.unwrap();
}

async fn the_end_of_the_session_is_told_to_every_guard(context: Context) {
    let tree = open(&context).await;
    let guards = [tree.lock("a").await.unwrap(), tree.lock("b").await.unwrap()];
    // As an operator would end it: with the store's own tools. The lease itself would run for minutes.
    delete_keys_below(&context, "session/").await;
    for guard in &guards {
        until_lost(guard).await;
        refused(guard.renew().await, ErrorKind::LockLost, guard.name());
    }
    let [a, b] = guards;
    refused(a.unlock().await, ErrorKind::LockLost, "a");
    drop(b);
    // What is left of the session goes too, so that nobody waits for it.
    until_places(&context, "a", 0).await;
    until_places(&context, "b", 0).await;
}

async fn the_end_of_the_session_is_noticed_while_nothing_can_be_watched(context: Context) {
    let tree = open_faulty(&context, Duration::from_secs(300)).await;
    let guard = tree.lock("a").await.unwrap();
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Refuse));
    tree.backend().drop_watches();
    delete_keys_below(&context, "session/").await;
    until_lost(&guard).await;
    tree.backend().heal();
    assert!(tree.lock("a").await.unwrap().is_held());
}

async fn a_place_that_somebody_deleted_is_noticed(context: Context) {
    let tree = open_short(&context).await;
    let (gone, kept) = (tree.lock("a").await.unwrap(), tree.lock("b").await.unwrap());
    delete_keys_below(&context, "lock/a/").await;
    until_lost(&gone).await;
    assert!(kept.is_held());
    refused(gone.unlock().await, ErrorKind::LockLost, "a");
    kept.unlock().await.unwrap();
}

async fn a_lost_session_is_replaced(context: Context) {
    let tree = open(&context).await;
    let old = tree.lock("a").await.unwrap();
    delete_keys_below(&context, "session/").await;
    until_lost(&old).await;
    let new = tree.lock("b").await.unwrap();
    assert!(new.is_held() && !old.is_held());
    new.store("x", "y").await.unwrap();
    assert_eq!(keys_below(&context, "session/").await, 1);
    drop(old);
    assert!(tree.lock("a").await.unwrap().is_held());
}

async fn a_session_whose_lease_ends_while_it_begins_is_replaced(context: Context) {
    let tree = open_faulty(&context, short_timeout(&context).await).await;
    tree.backend().inject(first(2, puts_session, Fault::EndLeases));
    let guard = tree.lock("a").await.unwrap();
    guard.store("x", "y").await.unwrap();
    tree.close().await.unwrap();
    tree.backend().inject(first(1, puts_session, Fault::EndLeases));
    let tree = Tree::open_with(&context, Arc::clone(tree.backend()) as Arc<dyn KvBackend>, options(&context))
        .await
        .unwrap();
    tree.try_lock("a").await.unwrap().expect("it is free").unlock().await.unwrap();
}

async fn who_waits_when_the_session_is_lost_waits_on(context: Context) {
    let (holder, waiter) = (open(&context).await, open(&context).await);
    let guard = holder.lock("a").await.unwrap();
    let other = waiter.lock("b").await.unwrap();
    let waiting = tokio::spawn(async move { waiter.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    let theirs = holder.locks().await.unwrap();
    let session = &theirs.iter().find(|lock| lock.name == "b").unwrap().session;
    delete_keys_below(&context, &format!("session/{session}")).await;
    until_lost(&other).await;
    let anew = async || {
        let locks = holder.locks().await.unwrap();
        let waits = locks.iter().find(|lock| lock.name == "a" && !lock.is_holder())?;
        (waits.session != *session).then_some(())
    };
    context.eventually("it waits in a new session", Context::PATIENCE, anew).await;
    guard.unlock().await.unwrap();
    done("it has the lock", waiting).await.unlock().await.unwrap();
}

async fn a_guard_that_is_kept_after_the_loss_keeps_nobody_out(context: Context) {
    let (tree, operator) = (open(&context).await, open(&context).await);
    let broken = tree.lock("a").await.unwrap();
    operator.break_lock("a").await.unwrap().expect("it was held");
    until_lost(&broken).await;
    let again = done("another task has it", {
        let tree = tree.clone();
        tokio::spawn(async move { tree.lock("a").await.unwrap() })
    });
    let again = again.await;
    delete_keys_below(&context, "session/").await;
    until_lost(&again).await;
    let last = done("a third has it", tokio::spawn(async move { tree.lock("a").await.unwrap() })).await;
    assert!(last.is_held());
    refused(broken.unlock().await, ErrorKind::LockLost, "a");
    drop(again);
    assert!(last.is_held() && operator.try_lock("a").await.unwrap().is_none());
}

async fn slow_reads_do_not_hold_up_renewals(context: Context) {
    let timeout = short_timeout(&context).await;
    let tree = open_faulty(&context, timeout).await;
    let guard = tree.lock("a").await.unwrap();
    tree.backend().inject(|call| matches!(call, Call::Range(_)).then_some(Fault::Hang));
    for _ in 0..6 {
        context.sleep(timeout / 2).await;
        assert!(guard.is_held());
    }
    tree.backend().heal();
    guard.unlock().await.unwrap();
}

async fn renewing_starts_the_lease_again(context: Context) {
    let timeout = short_timeout(&context).await;
    let holder = open_faulty(&context, timeout).await;
    let guard = holder.lock("a").await.unwrap();
    // Only what is asked for by hand gets through.
    let by_hand = Arc::new(AtomicBool::new(false));
    let is_by_hand = Arc::clone(&by_hand);
    holder.backend().inject(move |call| {
        let refuses = matches!(call, Call::KeepAlive(_)) && !is_by_hand.load(SeqCst);
        refuses.then_some(Fault::Refuse)
    });
    for _ in 0..8 {
        by_hand.store(true, SeqCst);
        guard.renew().await.unwrap();
        by_hand.store(false, SeqCst);
        context.sleep(timeout / 4).await;
        assert!(guard.is_held());
    }
}

async fn closing_frees_every_lock_at_once(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guards = [one.lock("a").await.unwrap(), one.lock("b").await.unwrap()];
    let waiting = {
        let other = other.clone();
        tokio::spawn(async move { other.lock("a").await.unwrap() })
    };
    until_places(&context, "a", 2).await;
    one.close().await.unwrap();
    assert_eq!(places(&context, "b").await, 0);
    for guard in &guards {
        assert_eq!(guard.state(), LockState::Lost);
        refused(guard.store("x", "y").await, ErrorKind::LockLost, "x");
    }
    done("the next has it", waiting).await.unlock().await.unwrap();
    other.close().await.unwrap();
    assert_eq!(keys_below(&context, "session/").await, 0);
}

async fn who_waits_is_told_that_the_storage_was_closed(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let guard = one.lock("a").await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let other = other.clone();
        waiting.push(tokio::spawn(async move { other.lock("a").await.map(drop) }));
    }
    until_places(&context, "a", 2).await;
    other.close().await.unwrap();
    for waiting in waiting {
        refused(done("it is told", waiting).await, ErrorKind::Closed, "a");
    }
    until_places(&context, "a", 1).await;
    guard.unlock().await.unwrap();
}

async fn files_outlive_closing_and_closing_twice_is_fine(context: Context) {
    let tree = open(&context).await;
    tree.store("x", "y").await.unwrap();
    tree.close().await.unwrap();
    tree.clone().close().await.unwrap();
    assert_eq!(tree.load("x").await.unwrap(), "y");
    tree.store("x", "z").await.unwrap();
    refused(tree.lock("a").await, ErrorKind::Closed, "a");
    refused(tree.try_lock("a").await, ErrorKind::Closed, "a");
    refused(tree.watch("a").await, ErrorKind::Closed, "a");
    assert_eq!(tree.locks().await.unwrap(), []);
}

async fn closing_ends_soon_although_nobody_answers(context: Context) {
    let tree = open_faulty(&context, Duration::from_secs(300)).await;
    let guard = tree.lock("a").await.unwrap();
    let hangs = tree.clone();
    tree.backend().inject(|_| Some(Fault::Hang));
    let acquiring = tokio::spawn(async move { hangs.lock("b").await.map(drop) });
    tokio::task::yield_now().await;
    drop(guard);
    tokio::task::yield_now().await;
    let closed = tokio::time::timeout(Context::PATIENCE, tree.close()).await.expect("it ends");
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::Timeout, "the lease was not ended, and that is said");
    refused(done("it is told", acquiring).await, ErrorKind::Closed, "b");
    tree.backend().heal();
    tree.close().await.unwrap();
}

async fn dropping_the_storage_frees_its_locks(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    drop(tree);
    assert!(guard.is_held(), "the guard keeps the session");
    assert_eq!(places(&context, "a").await, 1);
    drop(guard);
    until_places(&context, "a", 0).await;
    let what = "the session ends with the last handle";
    let gone = async || (keys_below(&context, "session/").await == 0).then_some(());
    context.eventually(what, Context::PATIENCE, gone).await;
}

async fn a_lock_timeout_under_a_second_is_refused(context: Context) {
    let with = |timeout| options(&context).with_lock_timeout(timeout);
    let error = Tree::open(&context, with(Duration::from_millis(999))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("999ms"), "{error}");
    let tree = Tree::open(&context, with(Duration::from_secs(1))).await.unwrap();
    assert!(tree.lock("a").await.unwrap().is_held());
}
