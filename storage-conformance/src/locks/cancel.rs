//! Dropping futures of locks.

use std::sync::Arc;

use storage_core::LockOptions;

use super::support::{done, keys_below, open_many, until_places};
use crate::files::cancel::poll_and_drop;
use crate::files::support::{open, options};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CANCEL-2"], a_dropped_lock_leaves_nothing_behind),
    case!(["FS-CANCEL-2"], a_dropped_wait_leaves_nothing_behind),
    case!(["FS-CANCEL-2"], a_dropped_unlock_is_carried_out),
    case!(["FS-CANCEL-2"], a_dropped_first_lock_leaves_no_session_that_nobody_knows),
    case!(["FS-CANCEL-3"], nothing_runs_on_behind_a_closed_storage),
];

/// More than the awaits of any operation here.
const POLLS: usize = 30;

/// The lock is to be had, and nothing is left in its queue.
async fn is_free(context: &Context, looking_on: &Tree) {
    let patience = LockOptions::new().with_deadline(Context::PATIENCE);
    let guard = looking_on.lock_with("a", patience).await.expect("the lock is free in the end");
    guard.unlock().await.unwrap();
    until_places(context, "a", 0).await;
}

async fn a_dropped_lock_leaves_nothing_behind(context: Context) {
    let (dropped, looking_on) = (open(&context).await, open(&context).await);
    dropped.lock("begins the session").await.unwrap().unlock().await.unwrap();
    for polls in 0..POLLS {
        poll_and_drop(dropped.lock("a"), polls).await;
        is_free(&context, &looking_on).await;
        poll_and_drop(dropped.try_lock("a"), polls).await;
        is_free(&context, &looking_on).await;
    }
    assert!(dropped.lock("a").await.unwrap().is_held());
}

async fn a_dropped_wait_leaves_nothing_behind(context: Context) {
    let (dropped, holder) = (open(&context).await, open(&context).await);
    dropped.lock("begins the session").await.unwrap().unlock().await.unwrap();
    for polls in 0..POLLS {
        let guard = holder.lock("a").await.unwrap();
        poll_and_drop(dropped.lock("a"), polls).await;
        until_places(&context, "a", 1).await;
        assert!(guard.is_held());
        guard.unlock().await.unwrap();
        is_free(&context, &holder).await;
    }
    assert!(dropped.lock("a").await.unwrap().is_held());
}

async fn a_dropped_unlock_is_carried_out(context: Context) {
    let (dropped, looking_on) = (open(&context).await, open(&context).await);
    for polls in 0..POLLS {
        poll_and_drop(dropped.lock("a").await.unwrap().unlock(), polls).await;
        is_free(&context, &looking_on).await;
        let guard = dropped.lock("a").await.unwrap();
        poll_and_drop(guard.renew(), polls).await;
        poll_and_drop(dropped.unlock("a"), polls).await;
        drop(guard);
        is_free(&context, &looking_on).await;
    }
}

async fn a_dropped_first_lock_leaves_no_session_that_nobody_knows(context: Context) {
    let client = context.client().await;
    for polls in 0..POLLS {
        let tree = Tree::open_with(&context, Arc::clone(&client), options(&context)).await.unwrap();
        poll_and_drop(tree.lock("a"), polls).await;
        tree.close().await.unwrap();
        assert_eq!(keys_below(&context, "session/").await, 0, "after {polls} polls");
        assert_eq!(keys_below(&context, "lock/").await, 0, "after {polls} polls");
    }
}

async fn nothing_runs_on_behind_a_closed_storage(context: Context) {
    let trees = open_many(&context, 5).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    // What the connection runs, it runs from the first call of each kind on.
    trees[0].lock("warms up").await.unwrap().unlock().await.unwrap();
    let _ = trees[0].watch("").await.unwrap();
    trees[0].close().await.unwrap();
    let before = tasks();
    for tree in &trees[1..] {
        let _changes = tree.watch("").await.unwrap();
        let guard = tree.lock("a").await.unwrap();
        let waits = {
            let tree = tree.clone();
            tokio::spawn(async move { tree.lock("a").await.map(drop) })
        };
        drop(tree.lock("b").await.unwrap());
        tree.store("x", "y").await.unwrap();
        tree.close().await.unwrap();
        done("who waits is told", waits).await.unwrap_err();
        drop(guard);
    }
    let what = "no task is left";
    let ended = async || (tasks() <= before).then_some(());
    context.eventually(what, Context::PATIENCE, ended).await;
    assert_eq!(keys_below(&context, "session/").await, 0);
}
