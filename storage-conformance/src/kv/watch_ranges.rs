//! Which keys a watch follows.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackendExt, Op};

use super::support::{Changes, deleted, matched, newest, ops, put, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-WATCH-3"], only_keys_of_the_range_are_reported),
    case!(["KV-WATCH-16", "KV-RANGE-9"], a_watch_of_an_empty_range_delivers_nothing),
    case!(["KV-WATCH-16", "KV-RANGE-11"], a_watch_without_end_goes_to_the_last_key),
    case!(["KV-WATCH-16", "KV-ERR-1"], the_empty_key_cannot_be_watched),
];

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
