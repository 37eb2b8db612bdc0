//! Answers that get lost, and calls that arrive when nobody expects them any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use storage_core::{ErrorKind, LockOptions};

use super::support::{
    delete_keys_below, deletes_place, keys_below, open_faulty, places, puts_place, puts_session, until_places,
};
use crate::decorate::{Call, Fault};
use crate::files::support::{open, refused};
use crate::tree::FaultyTree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOCK-13"], a_session_whose_answer_is_lost_begins_all_the_same),
    case!(["FS-LOCK-13"], a_lock_whose_answer_is_lost_is_taken_all_the_same),
    case!(["FS-LOCK-13"], a_try_whose_answer_is_lost_takes_the_lock_or_leaves_nothing_behind),
    case!(["FS-LOCK-6", "FS-LOCK-13"], a_try_that_may_yet_arrive_keeps_its_turn),
    case!(["FS-LOCK-13"], a_lock_that_arrives_after_its_deadline_leaves_nothing_behind),
    case!(["FS-LOCK-13"], a_lock_that_is_on_its_way_when_its_caller_gives_up_leaves_nothing_behind),
    case!(["FS-LOCK-13"], a_release_whose_answer_is_lost_is_carried_out),
    case!(["FS-LOCK-13"], a_release_that_a_full_store_has_carried_out_is_one),
    case!(["FS-LOCK-13", "FS-SESSION-4"], a_release_finds_out_that_the_session_has_ended),
    case!(["FS-LOCK-13"], a_lock_that_is_broken_without_an_answer_is_broken_once),
    case!(["FS-LOCK-13"], a_repeated_lock_that_arrives_after_its_release_leaves_nothing_behind),
    case!(["FS-LOCK-13"], a_place_that_somebody_deleted_does_not_come_back),
    case!(["FS-LOCK-13"], answers_that_are_lost_for_one_lock_do_not_disturb_the_others),
    case!(["FS-LOCK-13", "FS-LOCK-1", "FS-LOCK-5"], whatever_gets_lost_one_is_inside_and_nothing_is_left),
    case!(["FS-LOCK-14"], an_outage_while_waiting_is_waited_out),
];

const TIMEOUT: Duration = Duration::from_secs(300);

/// Lets the first so many calls of a kind fail.
pub(crate) fn first(
    count: u32,
    of_kind: impl Fn(&Call<'_>) -> bool + Send + Sync + 'static,
    fault: Fault,
) -> impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static {
    let left = Arc::new(AtomicU32::new(count));
    move |call| {
        let fails = of_kind(call) && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        fails.then_some(fault)
    }
}

async fn a_session_whose_answer_is_lost_begins_all_the_same(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    tree.backend().inject(first(2, puts_session, Fault::LoseAnswer));
    let guard = tree.lock("a").await.unwrap();
    guard.store("x", "y").await.unwrap();
    guard.unlock().await.unwrap();
    assert_eq!(keys_below(&context, "session/").await, 1);
}

async fn a_lock_whose_answer_is_lost_is_taken_all_the_same(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    tree.backend().inject(first(3, puts_place, Fault::LoseAnswer));
    let guard = tree.lock("a").await.unwrap();
    assert_eq!(places(&context, "a").await, 1);
    guard.store("x", "y").await.unwrap();
    guard.unlock().await.unwrap();
    assert_eq!(places(&context, "a").await, 0);
}

async fn a_try_whose_answer_is_lost_takes_the_lock_or_leaves_nothing_behind(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    tree.backend().inject(first(1, puts_place, Fault::LoseAnswer));
    let guard = tree.try_lock("a").await.unwrap().expect("it is free");
    assert_eq!(places(&context, "a").await, 1);
    let (other, name) = (open(&context).await, "a");
    tree.backend().inject(first(1, puts_place, Fault::LoseAnswer));
    assert!(other.try_lock(name).await.unwrap().is_none());
    guard.unlock().await.unwrap();
    // Who does not wait for a lock does not wait for the store.
    let began = tokio::time::Instant::now();
    tree.backend().inject(|call| puts_place(call).then_some(Fault::Refuse));
    refused(tree.try_lock(name).await, ErrorKind::Unavailable, name);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    tree.backend().inject(first(1, puts_place, Fault::LoseAnswer));
    let guard = other.lock(name).await.unwrap();
    assert!(tree.try_lock(name).await.unwrap().is_none());
    guard.unlock().await.unwrap();
    until_places(&context, "a", 0).await;
}

/// The time by which late calls are late.
const LATE: Duration = Duration::from_secs(2);

async fn a_try_that_may_yet_arrive_keeps_its_turn(context: Context) {
    let (tree, other) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    let held = other.lock("a").await.unwrap();
    // Its first attempt is on its way when the second finds that the lock is not free.
    let is_late = first(1, puts_place, Fault::Late(LATE));
    tree.backend().inject(move |call| is_late(call).or_else(|| deletes_place(call).then_some(Fault::Refuse)));
    assert!(tree.try_lock("a").await.unwrap().is_none());
    let soon = LockOptions::new().with_deadline(LATE / 4);
    refused(tree.lock_with("a", soon).await, ErrorKind::LockTimeout, "a");
    assert_eq!(places(&context, "a").await, 1, "a client has one place, and this is the holder's");
    tree.backend().heal();
    held.unlock().await.unwrap();
    let guard = tree.lock("a").await.unwrap();
    context.sleep(2 * LATE).await;
    assert_eq!(places(&context, "a").await, 1);
    guard.unlock().await.unwrap();
}

/// Lets callers give up on locks whose calls have this fault. Answers the tree, whose store is well again.
async fn given_up(context: &Context, fault: Fault) -> FaultyTree {
    let (tree, other) = (open_faulty(context, TIMEOUT).await, open(context).await);
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    tree.backend().inject(move |call| puts_place(call).then_some(fault));
    let soon = LockOptions::new().with_deadline(LATE / 10);
    refused(tree.lock_with("a", soon.clone()).await, ErrorKind::LockTimeout, "a");
    refused(tree.try_lock_with("b", soon).await, ErrorKind::LockTimeout, "b");
    tree.backend().heal();
    context.sleep(2 * LATE).await;
    for name in ["a", "b"] {
        assert_eq!(places(context, name).await, 0, "{name}");
        other.try_lock(name).await.unwrap().expect("it is free").unlock().await.unwrap();
    }
    tree
}

async fn a_lock_that_arrives_after_its_deadline_leaves_nothing_behind(context: Context) {
    let tree = given_up(&context, Fault::Late(LATE)).await;
    // The session goes on in its new epoch.
    tree.lock("a").await.unwrap().unlock().await.unwrap();
}

async fn a_lock_that_is_on_its_way_when_its_caller_gives_up_leaves_nothing_behind(context: Context) {
    let tree = given_up(&context, Fault::Slow(LATE)).await;
    // One that is only slow is taken.
    tree.backend().inject(|call| puts_place(call).then_some(Fault::Slow(LATE / 10)));
    tree.lock("a").await.unwrap().unlock().await.unwrap();
}

async fn a_release_whose_answer_is_lost_is_carried_out(context: Context) {
    let (tree, other) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    let guard = tree.lock("a").await.unwrap();
    tree.backend().inject(first(2, deletes_place, Fault::LoseAnswer));
    guard.unlock().await.unwrap();
    assert_eq!(places(&context, "a").await, 0);
    other.lock("a").await.unwrap().unlock().await.unwrap();
    let guard = tree.lock("a").await.unwrap();
    tree.backend().inject(first(2, deletes_place, Fault::Refuse));
    refused(guard.unlock().await, ErrorKind::Unavailable, "a");
    until_places(&context, "a", 0).await;
    tree.lock("a").await.unwrap().unlock().await.unwrap();
}

async fn a_release_that_a_full_store_has_carried_out_is_one(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    for applied in [true, false] {
        tree.backend().inject(first(1, puts_place, Fault::LoseAnswer));
        let guard = tree.lock("a").await.unwrap();
        tree.backend().inject(first(1, deletes_place, Fault::NoSpace { applied }));
        guard.unlock().await.unwrap();
        assert_eq!(places(&context, "a").await, 0);
    }
}

async fn a_release_finds_out_that_the_session_has_ended(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    // How often the place was asked for decides how it is given up.
    for lost in 0..2 {
        tree.lock("begins a session").await.unwrap().unlock().await.unwrap();
        tree.backend().inject(first(lost, puts_place, Fault::LoseAnswer));
        let guard = tree.lock("a").await.unwrap();
        tree.backend().inject(first(1, deletes_place, Fault::EndLeases));
        refused(guard.unlock().await, ErrorKind::LockLost, "a");
    }
    tree.lock("a").await.unwrap().unlock().await.unwrap();
}

async fn a_lock_that_is_broken_without_an_answer_is_broken_once(context: Context) {
    let (tree, holder, next) =
        (open_faulty(&context, TIMEOUT).await, open(&context).await, open(&context).await);
    let guard = holder.lock("a").await.unwrap();
    let waiting = tokio::spawn(async move { next.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    tree.backend().inject(first(1, deletes_place, Fault::LoseAnswer));
    let broken = tree.break_lock("a").await.unwrap().expect("it was held");
    assert_eq!(broken.token, guard.token());
    let next = super::support::done("the next one has it", waiting).await;
    assert_eq!(places(&context, "a").await, 1);
    next.store("x", "y").await.unwrap();
    next.unlock().await.unwrap();
    // With nobody behind.
    let guard = holder.lock("a").await.unwrap();
    tree.backend().inject(first(1, deletes_place, Fault::LoseAnswer));
    assert_eq!(tree.break_lock("a").await.unwrap().map(|broken| broken.token), Some(guard.token()));
}

async fn a_repeated_lock_that_arrives_after_its_release_leaves_nothing_behind(context: Context) {
    let (tree, other) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    tree.backend().inject(first(1, puts_place, Fault::Late(LATE)));
    let guard = tree.lock("a").await.unwrap();
    guard.unlock().await.unwrap();
    context.sleep(2 * LATE).await;
    assert_eq!(places(&context, "a").await, 0);
    other.try_lock("a").await.unwrap().expect("it is free").unlock().await.unwrap();
}

async fn a_place_that_somebody_deleted_does_not_come_back(context: Context) {
    let (tree, holder) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    let guard = holder.lock("a").await.unwrap();
    // The first call arrives later than the waiter looks for itself; the second one puts the place.
    let late = Duration::from_secs(15);
    let asked = tokio::time::Instant::now();
    tree.backend().inject(first(1, puts_place, Fault::Late(late)));
    let waiting = tokio::spawn(async move { tree.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    let waits = async || holder.locks().await.unwrap().into_iter().find(|lock| !lock.is_holder());
    let first_place = waits().await.unwrap();
    delete_keys_below(&context, &format!("lock/a/{}", first_place.session)).await;
    let again = async || waits().await.filter(|place| place.token > first_place.token).map(drop);
    context.eventually("it waits in another place", Context::PATIENCE, again).await;
    assert!(asked.elapsed() < late, "it has noticed too late for this case: {:?}", asked.elapsed());
    context.sleep(late.saturating_sub(asked.elapsed()) + LATE).await;
    assert_eq!(places(&context, "a").await, 2, "the place that was deleted has come back");
    guard.unlock().await.unwrap();
    super::support::done("it has the lock", waiting).await.unlock().await.unwrap();
    until_places(&context, "a", 0).await;
}

/// Giving up a place whose put was never answered changes the epoch of the session, under which other tasks are taking
/// their locks.
async fn answers_that_are_lost_for_one_lock_do_not_disturb_the_others(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
    let puts = AtomicU32::new(0);
    tree.backend().inject(move |call| {
        let is_lost = puts_place(call) && puts.fetch_add(1, SeqCst).is_multiple_of(3);
        is_lost.then_some(Fault::LoseAnswer)
    });
    let tasks = (0..8).map(|task| {
        let tree = tree.clone();
        tokio::spawn(async move {
            let name = format!("lock-{task}");
            for _ in 0..10 {
                match tree.try_lock(&name).await {
                    // Nobody else wants it; only what this task has given up may still be there.
                    Ok(guard) => drop(guard),
                    Err(error) => panic!("{error:?}"),
                }
                tree.lock(&name).await.unwrap().unlock().await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        super::support::done("every task has its turns", task).await;
    }
    for task in 0..8 {
        until_places(&context, &format!("lock-{task}"), 0).await;
    }
}

/// Faults that look random and are the same in every run.
pub(crate) fn now_and_then(seed: u32) -> impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static {
    let state = AtomicU32::new(seed);
    move |call| {
        // Numerical Recipes' generator; its upper bits are good enough to choose by.
        let step = |state: u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let drawn = state.fetch_update(SeqCst, SeqCst, step).unwrap_or_default() >> 16;
        let is_spared = matches!(call, Call::KeepAlive(_) | Call::Revoke(_) | Call::Grant(_));
        match drawn % 16 {
            _ if is_spared => None,
            0 => Some(Fault::Refuse),
            1 if matches!(call, Call::Txn(_)) => Some(Fault::LoseAnswer),
            2 if matches!(call, Call::Txn(_)) => {
                Some(Fault::Late(Duration::from_millis(u64::from(drawn % 500))))
            }
            _ => None,
        }
    }
}

async fn whatever_gets_lost_one_is_inside_and_nothing_is_left(context: Context) {
    let mut trees = Vec::new();
    for _ in 0..4 {
        let tree = open_faulty(&context, TIMEOUT).await;
        tree.lock("begins the session").await.unwrap().unlock().await.unwrap();
        trees.push(tree);
    }
    for (tree, seed) in trees.iter().zip(1..) {
        tree.backend().inject(now_and_then(seed));
    }
    let inside = Arc::new(AtomicU32::new(0));
    let tokens = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks = (0..12).map(|task| {
        let (tree, inside, tokens) = (trees[task % 4].clone(), Arc::clone(&inside), Arc::clone(&tokens));
        tokio::spawn(async move {
            for round in 0..8 {
                let limit = Duration::from_millis(if round % 3 == 0 { 30 } else { 60_000 });
                let guard = match tree.lock_with("a", LockOptions::new().with_deadline(limit)).await {
                    Ok(guard) => guard,
                    Err(error) => {
                        assert!(error.is_lock() || error.is_connection(), "{error:?}");
                        continue;
                    }
                };
                assert_eq!(inside.fetch_add(1, SeqCst), 0, "somebody else is inside");
                tokens.lock().unwrap().push(guard.token());
                tokio::task::yield_now().await;
                inside.fetch_sub(1, SeqCst);
                if round % 2 == 0 {
                    drop(guard);
                } else if let Err(error) = guard.unlock().await {
                    assert!(error.is_connection(), "{error:?}");
                }
                tree.backend().drop_watches();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        super::support::done("every task has its turns", task).await;
    }
    for tree in &trees {
        tree.backend().heal();
    }
    let tokens = tokens.lock().unwrap().clone();
    assert!(tokens.len() >= 12, "too few were inside: {tokens:?}");
    assert!(tokens.is_sorted_by(|one, next| one < next), "tokens grow: {tokens:?}");
    // What is late comes within half a second; what was given up is gone by then.
    context.sleep(Duration::from_secs(2)).await;
    until_places(&context, "a", 0).await;
    trees[0].lock("a").await.unwrap().unlock().await.unwrap();
}

async fn an_outage_while_waiting_is_waited_out(context: Context) {
    let (tree, holder) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    let guard = holder.lock("a").await.unwrap();
    let waiting = {
        let tree = tree.clone();
        tokio::spawn(async move { tree.lock("a").await })
    };
    until_places(&context, "a", 2).await;
    tree.backend().inject(|_| Some(Fault::Refuse));
    tree.backend().drop_watches();
    guard.unlock().await.unwrap();
    until_places(&context, "a", 1).await;
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished(), "it cannot know");
    tree.backend().heal();
    super::support::done("it has the lock", waiting).await.unwrap().unlock().await.unwrap();

    // The watch tells it that it is its turn, and it cannot look.
    let guard = holder.lock("a").await.unwrap();
    let waiting = {
        let tree = tree.clone();
        tokio::spawn(async move { tree.lock("a").await })
    };
    until_places(&context, "a", 2).await;
    tree.backend().inject(|call| matches!(call, Call::Range(_)).then_some(Fault::Refuse));
    guard.unlock().await.unwrap();
    context.sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished(), "it cannot know");
    tree.backend().heal();
    super::support::done("it has the lock", waiting).await.unwrap().unlock().await.unwrap();
}
