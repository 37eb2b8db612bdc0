//! Who is next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use storage_core::Storage;
use storage_core::kv::KvBackend;

use super::support::{
    done, open_faulty, open_many, open_short, places, revision, short_timeout, until_places,
};
use crate::decorate::{Call, Counting, Fault, Faulty};
use crate::files::support::{open, options};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOCK-4"], clients_are_served_in_the_order_in_which_they_asked),
    case!(["FS-LOCK-6"], tasks_of_one_client_are_served_in_order_and_have_one_place),
    case!(["FS-LOCK-6"], thousands_of_tasks_of_one_client_are_all_served_in_order),
    case!(["FS-LOCK-4"], hundreds_of_clients_are_all_served),
    case!(["FS-LOCK-7"], who_gives_up_lets_nobody_in_before_the_holder_has_left),
    case!(["FS-LOCK-7"], who_is_never_woken_looks_now_and_then),
    case!(["FS-LOCK-8"], while_all_wait_nothing_is_written),
    case!(["FS-LOCK-8"], a_waiter_whose_watch_is_compacted_away_watches_anew_and_does_not_poll),
];

type Served = Arc<Mutex<Vec<usize>>>;

/// A task that takes the lock, notes its number and releases it.
fn take<B: KvBackend>(tree: &Storage<B>, number: usize, served: &Served) -> tokio::task::JoinHandle<()> {
    let (tree, served) = (tree.clone(), Arc::clone(served));
    tokio::spawn(async move {
        let guard = tree.lock("a").await.unwrap();
        served.lock().unwrap().push(number);
        guard.unlock().await.unwrap();
    })
}

async fn clients_are_served_in_the_order_in_which_they_asked(context: Context) {
    let trees = open_many(&context, 8).await;
    let holder = open(&context).await;
    let guard = holder.lock("a").await.unwrap();
    let served = Served::default();
    let mut tasks = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        tasks.push(take(tree, number, &served));
        until_places(&context, "a", number + 2).await;
    }
    assert!(served.lock().unwrap().is_empty(), "the lock is held");
    guard.unlock().await.unwrap();
    join_all(tasks.into_iter().map(|task| done("every client has its turn", task))).await;
    assert_eq!(*served.lock().unwrap(), (0..8).collect::<Vec<_>>());
}

async fn tasks_of_one_client_are_served_in_order_and_have_one_place(context: Context) {
    let (holder, waiter) = (open(&context).await, open(&context).await);
    let guard = holder.lock("a").await.unwrap();
    let served = Served::default();
    let tasks: Vec<_> = (0..50).map(|number| take(&waiter, number, &served)).collect();
    until_places(&context, "a", 2).await;
    for _ in 0..20 {
        tokio::task::yield_now().await;
        assert_eq!(places(&context, "a").await, 2, "fifty tasks have one place");
    }
    guard.unlock().await.unwrap();
    join_all(tasks.into_iter().map(|task| done("every task has its turn", task))).await;
    assert_eq!(*served.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

async fn thousands_of_tasks_of_one_client_are_all_served_in_order(context: Context) {
    let tree = open(&context).await;
    let served = Served::default();
    let tasks: Vec<_> = (0..2000).map(|number| take(&tree, number, &served)).collect();
    join_all(tasks.into_iter().map(|task| done("every task has its turn", task))).await;
    assert_eq!(*served.lock().unwrap(), (0..2000).collect::<Vec<_>>());
}

async fn hundreds_of_clients_are_all_served(context: Context) {
    let trees = open_many(&context, 200).await;
    let guard = open(&context).await.lock("a").await.unwrap();
    let served = Served::default();
    let tasks: Vec<_> = trees.iter().enumerate().map(|(number, tree)| take(tree, number, &served)).collect();
    until_places(&context, "a", 201).await;
    guard.unlock().await.unwrap();
    join_all(tasks.into_iter().map(|task| done("every client has its turn", task))).await;
    let mut served = served.lock().unwrap().clone();
    served.sort_unstable();
    assert_eq!(served, (0..200).collect::<Vec<_>>());
}

async fn who_gives_up_lets_nobody_in_before_the_holder_has_left(context: Context) {
    let (first, second, third) = (open(&context).await, open(&context).await, open(&context).await);
    let guard = first.lock("a").await.unwrap();
    let second = tokio::spawn(async move { second.lock("a").await });
    until_places(&context, "a", 2).await;
    let third = tokio::spawn(async move { third.lock("a").await.unwrap().token() });
    until_places(&context, "a", 3).await;
    // The third watches the second, and is woken when that gives up.
    second.abort();
    until_places(&context, "a", 2).await;
    for _ in 0..20 {
        tokio::task::yield_now().await;
        assert_eq!(places(&context, "a").await, 2);
    }
    assert!(!third.is_finished(), "woken, and not its turn");
    let token = guard.token();
    guard.unlock().await.unwrap();
    assert!(done("the third has its turn", third).await > token);
}

async fn who_is_never_woken_looks_now_and_then(context: Context) {
    let holder = open(&context).await;
    let waiter = open_faulty(&context, Duration::from_secs(300)).await;
    let guard = holder.lock("a").await.unwrap();
    // Every watch of the waiter is silent from the beginning.
    waiter.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Hang));
    let served = Served::default();
    let waiting = take(&waiter, 1, &served);
    until_places(&context, "a", 2).await;
    guard.unlock().await.unwrap();
    done("it has its turn", waiting).await;
}

async fn while_all_wait_nothing_is_written(context: Context) {
    let timeout = short_timeout(&context).await;
    let trees = open_many(&context, 10).await;
    let holder = open_short(&context).await;
    let guard = holder.lock("a").await.unwrap();
    let served = Served::default();
    let tasks: Vec<_> = trees.iter().enumerate().map(|(number, tree)| take(tree, number, &served)).collect();
    until_places(&context, "a", 11).await;
    let before = revision(&context).await;
    // Long enough for every net and every renewal of the holder.
    context.sleep(2 * timeout).await;
    assert_eq!(revision(&context).await, before, "somebody has written");
    assert!(guard.is_held());
    guard.unlock().await.unwrap();
    join_all(tasks.into_iter().map(|task| done("every client has its turn", task))).await;
}

async fn a_waiter_whose_watch_is_compacted_away_watches_anew_and_does_not_poll(context: Context) {
    let holder = open(&context).await;
    let guard = holder.lock("a").await.unwrap();
    let counting = Arc::new(Counting::new(context.client().await));
    let faulty = Faulty::new(Arc::clone(&counting));
    let waiter = Tree::open_through(&context, faulty, options(&context)).await.unwrap();
    let served = Served::default();
    let waiting = take(&waiter, 1, &served);
    until_places(&context, "a", 2).await;
    for round in 0..3 {
        // What the waiter has seen is gone from the store's memory, and so is its watch.
        holder.store("x", round.to_string()).await.unwrap();
        let newest = revision(&context).await;
        context.compact(newest).await;
        waiter.backend().compact_watches();
    }
    // Longer than it takes to look and to watch anew, then shorter than the slow poll.
    context.sleep(Duration::from_secs(3)).await;
    counting.take();
    context.sleep(Duration::from_secs(4)).await;
    let calls = counting.take();
    assert!(calls.watch == 0 && calls.range <= 1, "{calls:?}");
    guard.unlock().await.unwrap();
    done("it has its turn", waiting).await;
}
