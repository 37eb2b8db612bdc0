//! The edges of a watch: revisions that do not exist yet, reads beside it, ranges that are special.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackendExt, Revision};

use super::support::{Changes, matched, newest, ops, put, refused, state};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-WATCH-6"], a_watch_of_the_future_begins_there),
    case!(["KV-WATCH-15"], what_was_delivered_can_be_read),
    case!(["KV-WATCH-16", "KV-RANGE-9"], a_watch_of_an_empty_range_delivers_nothing),
    case!(["KV-WATCH-16", "KV-RANGE-11"], a_watch_without_end_goes_to_the_last_key),
    case!(["KV-WATCH-16", "KV-ERR-1"], the_empty_key_cannot_be_watched),
];

async fn a_watch_of_the_future_begins_there(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let after = Revision(start.0 + 3);
    let mut changes = Changes::watch(&client, context.all(), after).await;
    for number in 1..=5 {
        client.put(context.key(number.to_string()), Bytes::from("v")).await.unwrap();
    }
    for number in 4..=5 {
        changes.expect_puts(Revision(start.0 + number), &[context.key(number.to_string())]).await;
    }
}

/// Nobody has told the reader of the change but the watch.
async fn what_was_delivered_can_be_read(context: Context) {
    let [writer, watcher, reader] = [context.client().await, context.client().await, context.client().await];
    let start = newest(&writer, &context).await;
    let mut changes = Changes::watch(&watcher, context.all(), start).await;
    let writing = {
        let (writer, context) = (writer.clone(), context.clone());
        tokio::spawn(async move {
            for round in 0..40 {
                writer.put(context.key("k"), Bytes::from(round.to_string())).await.unwrap();
            }
        })
    };
    for _ in 0..40 {
        let delivered = changes.next().await.revision;
        let page = state(&reader, context.all()).await;
        assert!(page.revision >= delivered, "delivered was {delivered}, read was {}", page.revision);
        let put = page.entries.iter().map(|entry| entry.mod_revision).max();
        assert!(put >= Some(delivered), "delivered was {delivered}, read was {page:?}");
    }
    writing.await.unwrap();
}

/// The ends that are special on the wire of some stores are among them, as in reads.
async fn a_watch_of_an_empty_range_delivers_nothing(context: Context) {
    let client = context.client().await;
    let start = newest(&client, &context).await;
    let mut silent = Vec::new();
    for end in [context.key("b"), context.key("a"), Key::new(Bytes::new()), Key::new(&b"\0"[..])] {
        let range = KeyRange::new(context.key("b"), end);
        silent.push((range.clone(), client.watch(range, start).await.unwrap()));
    }
    let mut changes = Changes::watch(&client, context.all(), start).await;
    let keys = ["a", "b", "c"].map(|name| context.key(name));
    let (revision, _) = matched(&client, ops(keys.clone().map(|key| put(key, "v")))).await;
    changes.expect_puts(revision, &keys).await;
    for (range, stream) in &mut silent {
        // Long enough for a change that was delivered elsewhere already.
        while let Ok(item) = tokio::time::timeout(Duration::from_millis(50), stream.next()).await {
            let batch = item.expect("the watch should go on").unwrap();
            assert_eq!(batch.events, [], "a watch of {range:?}");
        }
    }
}

/// As with reads, a user who may see only a part of the store is refused.
async fn a_watch_without_end_goes_to_the_last_key(context: Context) {
    let client = context.client().await;
    for (start, expected) in [(context.key("b"), &["b", "c"][..]), (Key::new(Bytes::new()), &["a", "b", "c"])]
    {
        let after = newest(&client, &context).await;
        let range = KeyRange::from(start);
        let mut stream = match client.watch(range.clone(), after).await {
            Ok(stream) => stream,
            Err(error) => {
                assert_eq!(error.kind(), BackendErrorKind::PermissionDenied, "{error:?}");
                continue;
            }
        };
        let puts = ["a", "b", "c"].map(|name| put(context.key(name), "v"));
        let (revision, _) = matched(&client, ops(puts)).await;
        let change = async {
            loop {
                match stream.next().await.expect("the watch should go on") {
                    Ok(batch) if batch.events.is_empty() => {}
                    item => return item,
                }
            }
        };
        let change = tokio::time::timeout(Context::PATIENCE, change).await;
        match change.expect("the watch should deliver a change") {
            Ok(batch) => {
                let mut keys: Vec<_> = batch.events.iter().map(|event| event.key().clone()).collect();
                keys.sort();
                let expected: Vec<_> = expected.iter().map(|name| context.key(name)).collect();
                assert_eq!((batch.revision, keys), (revision, expected), "a watch of {range:?}");
            }
            Err(error) => assert_eq!(error.kind(), BackendErrorKind::PermissionDenied, "{error:?}"),
        }
    }
}

async fn the_empty_key_cannot_be_watched(context: Context) {
    let client = context.client().await;
    let start = client.put(context.key("k"), Bytes::from("v")).await.unwrap();
    let empty = KeyRange::single(Key::new(Bytes::new()));
    refused(client.watch(empty, start).await.map(drop), BackendErrorKind::InvalidRequest);
}
