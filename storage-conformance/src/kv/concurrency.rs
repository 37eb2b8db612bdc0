//! Many tasks of several clients at once.

use bytes::Bytes;
use futures::future::join_all;
use storage_core::kv::{Compare, Get, KvBackendExt, Op, OpReply, Txn, TxnOutcome};

use super::support::{Client, matched, ops, put, state, there};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-CONC-1"], a_counter_loses_no_increment),
    case!(["KV-CONC-2"], keys_written_together_are_never_seen_torn),
    case!(["KV-CONC-3"], one_of_many_creates_a_key),
    case!(["KV-CONC-4", "KV-REV-1"], concurrent_changes_have_revisions_of_their_own),
];

const TASKS: usize = 12;
const ROUNDS: u64 = 10;

async fn a_counter_loses_no_increment(context: Context) {
    let clients = [context.client().await, context.client().await];
    clients[0].put(context.key("counter"), Bytes::from("0")).await.unwrap();
    let tasks = (0..TASKS).map(|task| tokio::spawn(count_up(context.clone(), clients[task % 2].clone())));
    for done in join_all(tasks).await {
        done.unwrap();
    }
    assert_eq!(number(&clients[1], &context).await, TASKS as u64 * ROUNDS);
}

async fn count_up(context: Context, client: Client) {
    let key = context.key("counter");
    for _ in 0..ROUNDS {
        loop {
            let entry = there(&client, &key).await;
            let next = std::str::from_utf8(&entry.value).unwrap().parse::<u64>().unwrap() + 1;
            let swap = Txn::new()
                .when(Compare::ModRevision(key.clone(), entry.mod_revision))
                .then(put(key.clone(), next.to_string()));
            if matches!(client.txn(swap).await.unwrap().outcome, TxnOutcome::Matched(_)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn number(client: &Client, context: &Context) -> u64 {
    let entry = there(client, &context.key("counter")).await;
    std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
}

async fn keys_written_together_are_never_seen_torn(context: Context) {
    let (author, reader) = (context.client().await, context.client().await);
    let pair = |value: usize| ["left", "right"].map(|name| put(context.key(name), value.to_string()));
    matched(&author, ops(pair(0))).await;
    let writing = {
        let (author, steps) = (author.clone(), (1..=100).map(|value| ops(pair(value))).collect::<Vec<_>>());
        tokio::spawn(async move {
            for step in steps {
                matched(&author, step).await;
            }
        })
    };
    let (mut last, mut reads) = (0, 0);
    while last < 100 {
        let page = state(&reader, context.all()).await;
        let gets = ["left", "right"].map(|name| Op::Get(Get::key(context.key(name))));
        let (_, replies) = matched(&reader, ops(gets)).await;
        let in_txn = replies.into_iter().map(|reply| match reply {
            OpReply::Get(reply) => reply.entries.into_iter().next().expect("both keys exist"),
            other => panic!("a read is answered with what was read: {other:?}"),
        });
        for entries in [page.entries, in_txn.collect()] {
            let [left, right] = entries.as_slice() else { panic!("both keys exist: {entries:?}") };
            assert_eq!((&left.value, left.mod_revision), (&right.value, right.mod_revision));
            let seen: u64 = std::str::from_utf8(&left.value).unwrap().parse().unwrap();
            assert!(seen >= last, "went back from {last} to {seen}");
            last = seen;
        }
        reads += 1;
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
    assert!(reads > 0, "nothing was read");
}

async fn one_of_many_creates_a_key(context: Context) {
    let clients = [context.client().await, context.client().await];
    for round in 0..5 {
        let key = context.key(format!("k{round}"));
        let creates = (0..TASKS).map(|task| {
            let (client, key) = (clients[task % 2].clone(), key.clone());
            tokio::spawn(async move { client.create(key, Bytes::from(task.to_string())).await.unwrap() })
        });
        let outcomes = join_all(creates).await.into_iter().map(Result::unwrap);
        let winners: Vec<_> = outcomes.enumerate().filter_map(|(task, won)| Some((task, won?))).collect();
        let [(task, revision)] = winners[..] else {
            panic!("exactly one creates it, seen {}: {winners:?}", winners.len())
        };
        let entry = there(&clients[0], &key).await;
        assert_eq!((entry.value, entry.create_revision), (Bytes::from(task.to_string()), revision));
    }
}

async fn concurrent_changes_have_revisions_of_their_own(context: Context) {
    let clients = [context.client().await, context.client().await];
    let puts = (0..TASKS * 4).map(|task| {
        let (client, key) = (clients[task % 2].clone(), context.key(format!("{task:03}")));
        tokio::spawn(async move { client.put(key, Bytes::from("v")).await.unwrap() })
    });
    let answered: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
    let stored: Vec<_> = state(&clients[0], context.all()).await.entries;
    assert_eq!(stored.iter().map(|entry| entry.mod_revision).collect::<Vec<_>>(), answered);
    let mut distinct = answered.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), answered.len(), "each its own: {answered:?}");
}
