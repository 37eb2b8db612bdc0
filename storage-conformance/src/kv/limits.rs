//! The numbers in which backends differ: what is within them works, what is beyond them is refused whole.

use std::time::Duration;

use bytes::Bytes;
use storage_core::kv::{BackendErrorKind, Compare, Get, KvBackendExt, Limits, Op, OpReply, Txn};

use super::support::{Client, matched, not_matched, ops, put, refused, state, there};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-LIMIT-1"], the_limits_are_the_same_for_every_client),
    case!(["KV-LIMIT-2"], every_list_may_be_full),
    case!(["KV-LIMIT-3", "KV-ERR-1", "KV-ERR-2"], no_list_may_be_longer),
    case!(["KV-LIMIT-4"], the_largest_value_is_stored),
    case!(["KV-LIMIT-4", "KV-ERR-1", "KV-ERR-2"], a_larger_value_is_refused),
    case!(["KV-LIMIT-5"], the_largest_request_is_applied),
    case!(["KV-LIMIT-5", "KV-ERR-1", "KV-ERR-2"], a_larger_request_is_refused),
    case!(["KV-LIMIT-5"], what_one_transaction_put_one_can_read),
    case!(["KV-LIMIT-6"], keys_may_be_long),
    case!(["KV-LIMIT-7"], the_limits_go_together),
];

async fn the_limits_are_the_same_for_every_client(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let limits = one.limits();
    let numbers = [limits.max_txn_ops, limits.max_value_bytes, limits.max_request_bytes];
    assert!(numbers.iter().all(|number| *number > 0) && limits.min_lease_ttl > Duration::ZERO, "{limits:?}");
    assert_eq!(other.limits(), limits);
    one.put(context.key("k"), Bytes::from("v")).await.unwrap();
    there(&other, &context.key("k")).await;
    assert_eq!((one.limits(), other.limits()), (limits, limits));
}

async fn every_list_may_be_full(context: Context) {
    let client = context.client().await;
    let most = client.limits().max_txn_ops;
    let (revision, replies) = matched(&client, full(&context, most, most, most)).await;
    assert_eq!(replies.len(), most);
    let stored = state(&client, context.all()).await.entries;
    assert_eq!(stored.len(), most);
    assert!(stored.iter().all(|entry| entry.mod_revision == revision), "all at {revision}: {stored:?}");
    // The keys are there now, so the same compares fail and the reads are made.
    let (_, replies) = not_matched(&client, full(&context, most, most, most)).await;
    assert!(replies.iter().all(|reply| reply.entries.len() == 1), "one entry each: {replies:?}");
}

async fn no_list_may_be_longer(context: Context) {
    let client = context.client().await;
    let most = client.limits().max_txn_ops;
    for (compares, steps, reads) in [(most + 1, 1, 1), (1, most + 1, 1), (1, 1, most + 1)] {
        too_large(&client, full(&context, compares, steps, reads), most).await;
    }
    let deletes = (0..=most).map(|number| Op::Delete(context.key(number.to_string())));
    too_large(&client, ops(deletes), most).await;
    assert_eq!(state(&client, context.all()).await.entries, []);
}

async fn the_largest_value_is_stored(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let around_it = ops([put(key.clone(), "")]).request_bytes();
    let Limits { max_value_bytes, max_request_bytes, .. } = client.limits();
    let value = pattern(max_value_bytes.min(max_request_bytes - around_it));
    client.put(key.clone(), value.clone()).await.unwrap();
    let entry = there(&client, &key).await;
    assert!(entry.value == value, "{} of {} bytes came back", entry.value.len(), value.len());
}

async fn a_larger_value_is_refused(context: Context) {
    let client = context.client().await;
    client.put(context.key("k"), Bytes::from("before")).await.unwrap();
    let before = state(&client, context.all()).await;
    let most = client.limits().max_value_bytes;
    let value = pattern(most + 1);
    too_large(&client, ops([put(context.key("k"), value.clone())]), most).await;
    too_large(&client, ops([put(context.key("other"), "v"), put(context.key("k"), value)]), most).await;
    assert_eq!(state(&client, context.all()).await, before);
}

async fn the_largest_request_is_applied(context: Context) {
    let client = context.client().await;
    let txn = of_size(&context, &client, client.limits().max_request_bytes);
    let expected: Vec<_> = txn.success.clone();
    matched(&client, txn).await;
    let stored = state(&client, context.all()).await.pairs();
    let sizes: Vec<_> = stored.iter().map(|(key, value)| (key, value.len())).collect();
    assert!(
        stored.iter().cloned().map(|(key, value)| put(key, value)).eq(expected),
        "not stored whole: {sizes:?}"
    );
}

async fn a_larger_request_is_refused(context: Context) {
    let client = context.client().await;
    let most = client.limits().max_request_bytes;
    too_large(&client, of_size(&context, &client, most + 1), most).await;
    too_large(&client, of_size(&context, &client, most).when(Compare::Absent(context.key("k"))), most).await;
    assert_eq!(state(&client, context.all()).await.entries, []);
}

async fn what_one_transaction_put_one_can_read(context: Context) {
    let client = context.client().await;
    let txn = of_size(&context, &client, client.limits().max_request_bytes);
    let gets = txn.success.iter().map(|op| match op {
        Op::Put { key, .. } => Op::Get(Get::key(key.clone())),
        other => unreachable!("only puts are in it: {other:?}"),
    });
    let gets = ops(gets);
    let sizes = |op: &Op| if let Op::Put { value, .. } = op { value.len() } else { 0 };
    let expected: Vec<_> = txn.success.iter().map(sizes).collect();
    matched(&client, txn).await;
    let (_, replies) = matched(&client, gets).await;
    let found = replies.iter().map(|reply| match reply {
        OpReply::Get(get) => get.entries.iter().map(|entry| entry.value.len()).sum(),
        other => panic!("a read is answered with what was read: {other:?}"),
    });
    assert_eq!(found.collect::<Vec<usize>>(), expected, "bytes in each value");
}

async fn the_limits_go_together(context: Context) {
    let client = context.client().await;
    let limits = client.limits();
    assert!(limits.max_txn_ops >= 16 && limits.max_request_bytes >= 8_192, "{limits:?}");
    let values = limits.max_value_bytes.saturating_mul(limits.max_txn_ops);
    assert!(values >= limits.max_request_bytes, "{values} bytes in the largest values: {limits:?}");
    let (_, replies) = matched(&client, full(&context, 16, 16, 16)).await;
    assert_eq!(replies, vec![OpReply::Put; 16]);
}

async fn keys_may_be_long(context: Context) {
    let client = context.client().await;
    let room = 2048 - context.key("").as_bytes().len();
    let keys = ["a", "b"].map(|last| context.key("k".repeat(room - 1) + last));
    assert!(keys.iter().all(|key| key.as_bytes().len() == 2048));
    for key in &keys {
        client.put(key.clone(), Bytes::from("v")).await.unwrap();
        assert_eq!(there(&client, key).await.key, *key);
    }
    assert_eq!(state(&client, context.all()).await.keys(), keys);
}

/// A transaction with so many compares, operations and reads, each about another key.
fn full(context: &Context, compares: usize, steps: usize, reads: usize) -> Txn {
    let key = |number: usize| context.key(format!("{number:05}"));
    let txn = (0..compares).fold(Txn::new(), |txn, number| txn.when(Compare::Absent(key(number))));
    let txn = (0..steps).fold(txn, |txn, number| txn.then(put(key(number), "v")));
    (0..reads).fold(txn, |txn, number| txn.otherwise(Get::key(key(number))))
}

/// A transaction of exactly so many bytes, of as few puts as the largest value allows.
fn of_size(context: &Context, client: &Client, bytes: usize) -> Txn {
    let Limits { max_value_bytes, max_txn_ops, .. } = client.limits();
    let puts = bytes / max_value_bytes + 1;
    assert!(puts <= max_txn_ops, "the limits contradict each other: {:?}", client.limits());
    let empty = |number| put(context.key(format!("{number:05}")), "");
    let mut txn = ops((0..puts).map(empty));
    let mut missing = bytes - txn.request_bytes();
    for op in &mut txn.success {
        let Op::Put { value, .. } = op else { unreachable!("only puts were put there") };
        let size = missing.min(max_value_bytes);
        *value = pattern(size);
        missing -= size;
    }
    assert_eq!(txn.request_bytes(), bytes);
    txn
}

/// Bytes that do not repeat at any power of two, so that a piece out of place shows.
fn pattern(size: usize) -> Bytes {
    (0..=250u8).cycle().take(size).collect()
}

async fn too_large(client: &Client, txn: Txn, limit: usize) {
    let error = refused(client.txn(txn).await, BackendErrorKind::TooLarge);
    assert!(error.to_string().contains(&limit.to_string()), "should name the limit {limit}: {error}");
}
