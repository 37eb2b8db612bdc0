//! Many who watch one tree.

use std::sync::Arc;

use futures::future::join_all;
use storage_core::kv::KvBackend;

use super::support::{changes, expect, expect_resync, next, revision};
use crate::decorate::Counting;
use crate::files::support::{open, options};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-WATCH-9"], a_hundred_consumers_share_one_watch_of_the_store),
    case!(["FS-WATCH-9"], the_watch_of_the_store_ends_with_the_last_consumer),
    case!(["FS-WATCH-10"], who_is_too_slow_gets_a_resync_and_disturbs_nobody),
    case!(["FS-WATCH-11"], consumers_are_independent),
];

async fn counting(context: &Context) -> Tree<Arc<Counting<Arc<dyn KvBackend>>>> {
    let client = Counting::new(context.client().await);
    let tree = Tree::open_through(context, client, options(context)).await.unwrap();
    tree.store("first", "gives the tree its format").await.unwrap();
    tree
}

async fn a_hundred_consumers_share_one_watch_of_the_store(context: Context) {
    let tree = counting(&context).await;
    tree.backend().take();
    let streams = join_all((0..100).map(|_| tree.watch(""))).await;
    let mut streams: Vec<_> = streams.into_iter().map(Result::unwrap).collect();
    let stored = revision(&tree.store("a", "x").await.unwrap());
    for stream in &mut streams {
        expect(stream, &[("+a", stored)]).await;
    }
    let calls = tree.backend().calls();
    assert_eq!(calls.watch, 1, "{calls:?}");
    assert!(calls.range <= 101, "one look at the store for each, and one for the first: {calls:?}");
}

async fn the_watch_of_the_store_ends_with_the_last_consumer(context: Context) {
    let tree = counting(&context).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for round in 1..=3 {
        let mut streams = [tree.watch("").await.unwrap(), tree.watch("a").await.unwrap()];
        let stored = revision(&tree.store("a", "x").await.unwrap());
        for stream in &mut streams {
            let seen = changes(stream, 1).await;
            assert_eq!(seen[0].1, stored);
        }
        drop(streams);
        let ended = async || (tasks() <= before + 1).then_some(());
        context.eventually("the task behind the watch has ended", Context::PATIENCE, ended).await;
        assert_eq!(tree.backend().calls().watch, round, "the next consumers begin anew");
    }
}

async fn who_is_too_slow_gets_a_resync_and_disturbs_nobody(context: Context) {
    let (tree, writer) = (open(&context).await, open(&context).await);
    let mut slow = tree.watch("").await.unwrap();
    let mut fast = tree.watch("").await.unwrap();
    let first = revision(&writer.store("a", "first").await.unwrap());
    expect(&mut slow, &[("+a", first)]).await;
    expect(&mut fast, &[("+a", first)]).await;
    let mut last = first;
    for round in 0..1500 {
        last = revision(&writer.store("a", round.to_string()).await.unwrap());
        expect(&mut fast, &[("~a", last)]).await;
    }
    let at = expect_resync(&mut slow).await;
    assert!(at > first && at <= last, "{at:?}");
    let metadata = tree.stat("a").await.unwrap();
    assert!(revision(&metadata) >= at, "who lists now sees all up to the resync");
    let next_one = revision(&writer.store("a", "after").await.unwrap());
    loop {
        let seen = changes(&mut slow, 1).await.remove(0).1;
        assert!(seen > at, "up to {at:?} it was told to list: {seen:?}");
        if seen == next_one {
            break;
        }
    }
    expect(&mut fast, &[("~a", next_one)]).await;
}

async fn consumers_are_independent(context: Context) {
    let tree = open(&context).await;
    let mut kept = tree.watch("").await.unwrap();
    for round in 0..10 {
        let mut dropped = tree.watch("").await.unwrap();
        let stored = revision(&tree.store("a", round.to_string()).await.unwrap());
        if round % 2 == 0 {
            next(&mut dropped).await;
        }
        drop(dropped);
        assert_eq!(changes(&mut kept, 1).await[0].1, stored);
    }
}
