//! Following the changes of a range.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use storage_core::kv::{
    BackendError, BackendErrorKind, Event, Key, KeyRange, KvBackendExt, Op, Revision, WatchBatch,
};

use super::support::{
    Changes, Client, deleted, matched, newest, ops, put, put_all, put_leased, refused, state, state_at, there,
};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-WATCH-1"], changes_come_in_order_and_complete),
    case!(["KV-WATCH-1"], the_changes_of_many_writers_add_up_to_the_state),
    case!(["KV-WATCH-2"], a_transaction_is_one_batch),
    case!(["KV-WATCH-3"], only_keys_of_the_range_are_reported),
    case!(["KV-WATCH-4"], a_put_is_reported_as_it_reads),
    case!(["KV-WATCH-5"], every_kind_of_deletion_is_reported),
    case!(["KV-WATCH-6"], a_watch_begins_behind_its_revision),
    case!(["KV-WATCH-7"], an_old_revision_replays_what_happened_and_goes_on),
    case!(["KV-WATCH-8"], nothing_written_right_after_is_missed),
    case!(["KV-WATCH-9"], watchers_do_not_disturb_each_other),
    case!(["KV-WATCH-10"], progress_never_overtakes_a_change),
    case!(["KV-WATCH-11", "KV-ERR-1"], compaction_is_reported_and_ends_the_watch),
    case!(["KV-WATCH-11"], what_was_not_compacted_can_be_watched),
    case!(["KV-WATCH-12"], a_resumed_watch_misses_and_repeats_nothing),
    case!(["KV-WATCH-14"], a_waiting_watch_is_woken),
    case!(["KV-WATCH-14", "KV-LEASE-4"], a_waiting_watch_is_woken_by_the_end_of_a_lease),
    case!(["KV-WATCH-13"], a_full_transaction_is_one_batch),
    case!(["KV-WATCH-13"], deleting_a_thousand_keys_is_one_batch),
];

async fn changes_come_in_order_and_complete(context: Context) {
    let client = context.client().await;
    let keys = ["a", "b", "c"].map(|name| context.key(name));
    let start = newest(&client, &context).await;
    let mut changes = Changes::watch(&client, context.all(), start).await;
    for round in 0..60 {
        let key = &keys[round % 3];
        if round % 4 == 3 {
            let there = client.get(key.clone()).await.unwrap().is_some();
            let (revision, _) = matched(&client, ops([Op::Delete(key.clone())])).await;
            if there {
                changes.expect(revision, vec![deleted(key, revision)]).await;
            }
        } else {
            let revision = client.put(key.clone(), Bytes::from(round.to_string())).await.unwrap();
            changes.expect_puts(revision, std::slice::from_ref(key)).await;
        }
    }
}

async fn the_changes_of_many_writers_add_up_to_the_state(context: Context) {
    let clients = [context.client().await, context.client().await];
    let start = newest(&clients[0], &context).await;
    let mut changes = Changes::watch(&clients[0], context.all(), start).await;
    let writers = (0..8).map(|writer| {
        let (client, context) = (clients[writer % 2].clone(), context.clone());
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            for round in 0..15 {
                let shared = put(context.key("shared"), format!("{writer}/{round}"));
                let own = context.key(format!("own/{writer}"));
                let own = if round % 3 == 2 { Op::Delete(own) } else { put(own, round.to_string()) };
                revisions.push(matched(&client, ops([shared, own])).await.0);
            }
            revisions
        })
    });
    let mut revisions: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    revisions.sort();
    for revision in &revisions {
        let batch = changes.next().await;
        assert_eq!(batch.revision, *revision);
        assert_eq!(batch.events.len(), 2, "{batch:?}");
        let then = state_at(&clients[1], context.all(), *revision).await;
        for event in &batch.events {
            let entry = then.entries.iter().find(|entry| entry.key == *event.key());
            match event {
                Event::Put(put) => assert_eq!(Some(put), entry),
                Event::Delete { .. } => assert_eq!(entry, None),
            }
        }
    }
}

async fn a_transaction_is_one_batch(context: Context) {
    let client = context.client().await;
    let start = client.put(context.key("old"), Bytes::from("v")).await.unwrap();
    let mut changes = Changes::watch(&client, context.all(), start).await;
    for round in 0..5 {
        let keys = ["a", "b", "c"].map(|name| context.key(format!("{round}{name}")));
        let (revision, _) = matched(&client, ops(keys.clone().map(|key| put(key, "v")))).await;
        changes.expect_puts(revision, &keys).await;
    }
    let mixed = ops([
        Op::Delete(context.key("old")),
        put(context.key("new"), "v"),
        Op::DeleteRange(context.below("0")),
    ]);
    let (revision, _) = matched(&client, mixed).await;
    let new = there(&client, &context.key("new")).await;
    let gone = |name| deleted(&context.key(name), revision);
    changes.expect(revision, vec![gone("0a"), gone("0b"), gone("0c"), Event::Put(new), gone("old")]).await;
}

async fn only_keys_of_the_range_are_reported(context: Context) {
    let client = context.client().await;
    let inside = context.key("foo/a");
    let outside = ["fo", "foo", "foo.", "foo0", "foobar", "foo/a0"].map(|name| context.key(name));
    let ranges = [
        (context.below("foo/"), &outside[..5]),
        (context.between("foo/", "foo/a0"), &outside),
        (context.between("foo/a", "foo/a\0"), &outside),
        (KeyRange::single(inside.clone()), &outside),
    ];
    for (range, outside) in ranges {
        let start = newest(&client, &context).await;
        let mut changes = Changes::watch(&client, range, start).await;
        for key in outside {
            client.put(key.clone(), Bytes::from("v")).await.unwrap();
        }
        let both = ops([put(inside.clone(), "v"), put(outside[0].clone(), "v")]);
        let (revision, _) = matched(&client, both).await;
        changes.expect_puts(revision, std::slice::from_ref(&inside)).await;
        matched(&client, ops(outside.iter().cloned().map(Op::Delete))).await;
        let (revision, _) = matched(&client, ops([Op::DeleteRange(context.all())])).await;
        changes.expect(revision, vec![deleted(&inside, revision)]).await;
    }
}

async fn a_put_is_reported_as_it_reads(context: Context) {
    let client = context.client().await;
    let lease = client.grant(Duration::from_secs(600)).await.unwrap().id;
    let key = context.key(b"k\0\xff");
    let start = newest(&client, &context).await;
    let mut changes = Changes::watch(&client, context.all(), start).await;
    let value = Bytes::from_static(b"\0\xff");
    for op in [
        put(key.clone(), "1"),
        put(key.clone(), value),
        put(key.clone(), Bytes::new()),
        put_leased(key.clone(), "leased", lease),
    ] {
        let (revision, _) = matched(&client, ops([op])).await;
        let entry = there(&client, &key).await;
        changes.expect(revision, vec![Event::Put(entry)]).await;
    }
}

async fn every_kind_of_deletion_is_reported(context: Context) {
    let client = context.client().await;
    let names = ["a", "b/1", "b/2", "c"];
    let keys = names.map(|name| context.key(name));
    let lease = client.grant(Duration::from_secs(600)).await.unwrap().id;
    let puts = keys[..3].iter().map(|key| put(key.clone(), "v"));
    let (start, _) = matched(&client, ops(puts).then(put_leased(keys[3].clone(), "v", lease))).await;
    let mut changes = Changes::watch(&client, context.all(), start).await;

    matched(&client, ops([Op::Delete(context.key("missing"))])).await;
    let (revision, _) = matched(&client, ops([Op::Delete(keys[0].clone())])).await;
    changes.expect(revision, vec![deleted(&keys[0], revision)]).await;
    let (revision, _) = matched(&client, ops([Op::DeleteRange(context.below("b/"))])).await;
    changes.expect(revision, vec![deleted(&keys[1], revision), deleted(&keys[2], revision)]).await;
    client.revoke(lease).await.unwrap();
    let revision = newest(&client, &context).await;
    changes.expect(revision, vec![deleted(&keys[3], revision)]).await;
}

async fn a_watch_begins_behind_its_revision(context: Context) {
    let client = context.client().await;
    let mut revisions = Vec::new();
    for number in 0..5 {
        revisions.push(client.put(context.key(number.to_string()), Bytes::from("v")).await.unwrap());
    }
    for (position, after) in revisions.iter().enumerate() {
        let mut changes = Changes::watch(&client, context.all(), *after).await;
        let next = client.put(context.key("next"), Bytes::from("v")).await.unwrap();
        let batch = changes.next().await;
        let expected = revisions.get(position + 1).copied();
        if let Some(expected) = expected {
            assert_eq!(batch.revision, expected, "after {after}");
        } else {
            assert!(batch.revision > *after && batch.revision <= next, "after {after}: {batch:?}");
        }
    }
}

async fn an_old_revision_replays_what_happened_and_goes_on(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let mut history = Vec::new();
    for round in 0..300 {
        let keys = [context.key(format!("{:02}", round % 40)), context.key("each")];
        let (revision, _) = matched(&client, ops(keys.clone().map(|key| put(key, round.to_string())))).await;
        history.push((revision, keys));
    }
    let mut changes = Changes::watch(&client, context.all(), start).await;
    for (revision, keys) in &history {
        changes.expect_puts(*revision, keys).await;
    }
    for round in 0..20 {
        let key = context.key(format!("live{round}"));
        let revision = client.put(key.clone(), Bytes::from("v")).await.unwrap();
        changes.expect_puts(revision, &[key]).await;
    }
}

async fn nothing_written_right_after_is_missed(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    for round in 0..25 {
        let key = context.key(format!("k{round}"));
        let start = newest(&one, &context).await;
        let mut changes = Changes::watch(&one, context.all(), start).await;
        let revision = other.put(key.clone(), Bytes::from("v")).await.unwrap();
        changes.expect_puts(revision, &[key]).await;
    }
    // Nor what is written between the read of the revision and the watch.
    for round in 0..25 {
        let key = context.key(format!("l{round}"));
        let start = newest(&one, &context).await;
        let revision = other.put(key.clone(), Bytes::from("v")).await.unwrap();
        let mut changes = Changes::watch(&one, context.all(), start).await;
        changes.expect_puts(revision, &[key]).await;
    }
}

async fn watchers_do_not_disturb_each_other(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let start = newest(&one, &context).await;
    let mut everything = Changes::watch(&one, context.all(), start).await;
    let mut same_again = Changes::watch(&one, context.all(), start).await;
    let mut elsewhere = Changes::watch(&other, context.below("a"), start).await;
    let mut dropped = Changes::watch(&one, context.all(), start).await;
    for round in 0..10 {
        let a = context.key(format!("a{round}"));
        let b = context.key(format!("b{round}"));
        let at_a = one.put(a.clone(), Bytes::from("v")).await.unwrap();
        let at_b = one.put(b.clone(), Bytes::from("v")).await.unwrap();
        if round == 0 {
            dropped.expect_puts(at_a, std::slice::from_ref(&a)).await;
        }
        for changes in [&mut everything, &mut same_again] {
            changes.expect_puts(at_a, std::slice::from_ref(&a)).await;
            changes.expect_puts(at_b, std::slice::from_ref(&b)).await;
        }
        elsewhere.expect_puts(at_a, std::slice::from_ref(&a)).await;
        if round == 4 {
            drop(dropped);
            dropped = Changes::watch(&other, context.below("b"), at_b).await;
        }
        if round == 5 {
            dropped.expect_puts(at_b, std::slice::from_ref(&b)).await;
        }
    }
}

/// `Changes` refuses a batch at or below a progress report, so a report that ran ahead of a change shows here.
async fn progress_never_overtakes_a_change(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let start = newest(&one, &context).await;
    let mut changes = Changes::watch(&one, context.below("in/"), start).await;
    for round in 0..20 {
        for noise in 0..10 {
            other.put(context.key(format!("out/{noise}")), Bytes::from("v")).await.unwrap();
        }
        let key = context.key(format!("in/{round}"));
        let revision = other.put(key.clone(), Bytes::from("v")).await.unwrap();
        changes.expect_puts(revision, &[key]).await;
    }
}

async fn compaction_is_reported_and_ends_the_watch(context: Context) {
    let client = context.client().await;
    let mut revisions = Vec::new();
    for round in 0..10 {
        revisions.push(client.put(context.key("k"), Bytes::from(round.to_string())).await.unwrap());
    }
    context.compact(revisions[9]).await;
    for after in [Revision::ZERO, revisions[0], revisions[7]] {
        refused(first_item(&client, context.all(), after).await, BackendErrorKind::Compacted);
    }
    assert_eq!(there(&client, &context.key("k")).await.value, "9");
}

/// What a watch begins with: its first item, which must be its last if it is an error.
async fn first_item(client: &Client, range: KeyRange, after: Revision) -> Result<WatchBatch, BackendError> {
    let mut stream = client.watch(range, after).await?;
    let next = async |stream: &mut storage_core::kv::WatchStream| {
        let item = tokio::time::timeout(Context::PATIENCE, stream.next()).await;
        item.expect("the watch should say something")
    };
    let first = next(&mut stream).await.expect("the watch should not end silently");
    if first.is_err() {
        assert!(next(&mut stream).await.is_none(), "an error is the last item");
    }
    first
}

async fn what_was_not_compacted_can_be_watched(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let mut live = Changes::watch(&client, context.all(), start).await;
    let key = context.key("k");
    let mut revisions = Vec::new();
    for round in 0..10 {
        revisions.push(client.put(key.clone(), Bytes::from(round.to_string())).await.unwrap());
    }
    for revision in &revisions {
        live.expect_puts(*revision, std::slice::from_ref(&key)).await;
    }
    context.compact(revisions[5]).await;
    let mut replay = Changes::watch(&client, context.all(), revisions[5]).await;
    for revision in &revisions[6..] {
        replay.expect_puts(*revision, std::slice::from_ref(&key)).await;
    }
    let revision = client.put(key.clone(), Bytes::from("after")).await.unwrap();
    for changes in [&mut live, &mut replay] {
        changes.expect_puts(revision, std::slice::from_ref(&key)).await;
    }
}

async fn a_resumed_watch_misses_and_repeats_nothing(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let mut expected = Vec::new();
    for round in 0..30 {
        let key = context.key(format!("{:02}", round % 7));
        expected.push(client.put(key, Bytes::from("v")).await.unwrap());
    }
    let (mut seen, mut found) = (start, Vec::new());
    while found.len() < expected.len() {
        let mut changes = Changes::watch(&client, context.all(), seen).await;
        for _ in 0..4.min(expected.len() - found.len()) {
            found.push(changes.next().await.revision);
        }
        seen = changes.seen();
    }
    assert_eq!(found, expected);
    let mut changes = Changes::watch(&client, context.all(), seen).await;
    let next = client.put(context.key("next"), Bytes::from("v")).await.unwrap();
    assert_eq!(changes.next().await.revision, next);
}

async fn a_waiting_watch_is_woken(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let mut after = newest(&one, &context).await;
    for (round, author) in [&one, &other, &one].into_iter().enumerate() {
        let mut changes = Changes::watch(&one, context.all(), after).await;
        let waiting = tokio::spawn(async move { changes.next().await.revision });
        // Long enough for the watch to be set up and to find nothing.
        context.sleep(Duration::from_millis(100)).await;
        after = author.put(context.key(round.to_string()), Bytes::from("v")).await.unwrap();
        assert_eq!(waiting.await.unwrap(), after);
    }
}

async fn a_waiting_watch_is_woken_by_the_end_of_a_lease(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let key = context.key("k");
    let mut changes = Changes::watch(&client, context.all(), start).await;
    let waiting = tokio::spawn(async move { [changes.next().await, changes.next().await] });
    context.sleep(Duration::from_millis(100)).await;
    let lease = client.grant(Duration::from_secs(1)).await.unwrap().id;
    matched(&client, ops([put_leased(key.clone(), "v", lease)])).await;
    let [put, end] = waiting.await.unwrap();
    assert!(matches!(&put.events[..], [Event::Put(entry)] if entry.lease == Some(lease)), "{put:?}");
    assert_eq!(end.events, [deleted(&key, end.revision)]);
}

async fn a_full_transaction_is_one_batch(context: Context) {
    let client = context.client().await;
    let mut keys: Vec<_> =
        (0..client.limits().max_txn_ops).map(|number| context.key(format!("{number:05}"))).collect();
    let start = newest(&client, &context).await;
    let mut changes = Changes::watch(&client, context.all(), start).await;
    keys.sort();
    for value in ["1", "2"] {
        let (revision, _) = matched(&client, ops(keys.iter().map(|key| put(key.clone(), value)))).await;
        changes.expect_puts(revision, &keys).await;
    }
}

async fn deleting_a_thousand_keys_is_one_batch(context: Context) {
    let client = context.client().await;
    let entry = |number| (context.key(format!("d/{number:04}")), Bytes::from("v"));
    let entries: Vec<(Key, Bytes)> = (0..1000).map(entry).collect();
    put_all(&client, &entries).await;
    let start = client.put(context.key("stays"), Bytes::from("v")).await.unwrap();
    let mut changes = Changes::watch(&client, context.all(), start).await;
    let (revision, _) = matched(&client, ops([Op::DeleteRange(context.below("d/"))])).await;
    changes.expect(revision, entries.iter().map(|(key, _)| deleted(key, revision)).collect()).await;
    assert_eq!(state(&client, context.all()).await.keys(), [context.key("stays")]);
}
