//! Failing honestly, being cancelled, being wrapped.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use storage_core::kv::{
    BackendError, BackendErrorKind, Entry, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, Op, RangeRequest,
    Revision,
};

use super::support::{limit, matched, newest, ops, put, put_leased, refused, state, there};
use crate::decorate::{Calls, Counting};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-ERR-1", "KV-ERR-3"], a_refusal_is_definite_and_says_why_in_one_line),
    case!(["KV-ERR-2"], a_refused_transaction_leaves_the_revision_alone),
    case!(["KV-ERR-4"], a_dropped_transaction_is_applied_whole_or_not_at_all),
    case!(["KV-ERR-4"], a_dropped_revocation_is_carried_out_whole_or_not_at_all),
    case!(["KV-ERR-4"], a_client_works_on_after_any_dropped_call),
    case!(["KV-DYN-1"], a_wrapped_backend_is_a_backend),
    case!(["KV-DYN-2"], each_call_of_the_sugar_is_one_call),
];

async fn a_refusal_is_definite_and_says_why_in_one_line(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let first = client.put(key.clone(), Bytes::from("1")).await.unwrap();
    let last = client.put(key.clone(), Bytes::from("2")).await.unwrap();
    context.compact(last).await;
    let at = |revision| RangeRequest::new(context.all()).with_revision(revision);
    let too_many =
        ops((0..=client.limits().max_txn_ops).map(|number| put(context.key(number.to_string()), "v")));
    let no_lease = LeaseId::new(0x7777).expect("not zero");
    let unleased = ops([put_leased(key.clone(), "v", no_lease)]);
    let twice = ops([put(key.clone(), "v"), Op::Delete(key)]);
    let refusals = [
        refused(client.txn(too_many).await, BackendErrorKind::TooLarge),
        refused(client.txn(twice).await, BackendErrorKind::InvalidRequest),
        refused(client.txn(unleased).await, BackendErrorKind::LeaseNotFound),
        refused(client.keep_alive(no_lease).await, BackendErrorKind::LeaseNotFound),
        refused(client.time_to_live(no_lease).await, BackendErrorKind::LeaseNotFound),
        refused(client.range(at(first)).await, BackendErrorKind::Compacted),
        refused(client.range(at(Revision(last.0 + 1000))).await, BackendErrorKind::FutureRevision),
    ];
    for error in &refusals {
        one_line(error);
    }
}

fn one_line(error: &BackendError) {
    let text = error.to_string();
    assert!(!text.trim().is_empty() && !text.contains('\n'), "one line: {text:?}");
    assert!(!text.starts_with(char::is_uppercase), "lower-case: {text:?}");
    if let Some(source) = error.source() {
        assert!(!text.contains(&source.to_string()), "repeats its source {source}: {text:?}");
    }
}

async fn a_refused_transaction_leaves_the_revision_alone(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let mut mod_revision = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    for _ in 0..3 {
        let twice = ops([put(key.clone(), "w"), put(key.clone(), "x")]);
        refused(client.txn(twice).await, BackendErrorKind::InvalidRequest);
        assert_eq!(newest(&client, &context).await, mod_revision);
        mod_revision = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    }
}

async fn a_dropped_transaction_is_applied_whole_or_not_at_all(context: Context) {
    let (client, other) = (context.client().await, context.client().await);
    for round in 0..25 {
        let names = ["left", "right"].map(|side| context.key(format!("{side}/{round:02}")));
        let write = client.txn(ops(names.map(|key| put(key, "v"))));
        polled_a_few_times(write, round * round).await;
        let count = async |name: &str| state(&other, context.below(name)).await.entries.len();
        let page = state(&other, context.all()).await;
        let is_below = |entry: &Entry, name: &str| context.below(name).contains(&entry.key);
        let sides =
            ["left/", "right/"].map(|name| page.entries.iter().filter(|entry| is_below(entry, name)).count());
        assert_eq!(sides[0], sides[1], "half a transaction: {page:?}");
        assert!(count("left/").await >= sides[0], "what was applied stays");
    }
    matched(&client, ops([put(context.key("after"), "v")])).await;
    assert!(other.get(context.key("after")).await.unwrap().is_some());
}

async fn a_dropped_revocation_is_carried_out_whole_or_not_at_all(context: Context) {
    let (client, other) = (context.client().await, context.client().await);
    for round in 0..15 {
        let lease = client.grant(Duration::from_secs(600)).await.unwrap().id;
        let names = ["left", "right"].map(|side| context.key(format!("{round:02}/{side}")));
        matched(&client, ops(names.map(|key| put_leased(key, "v", lease)))).await;
        polled_a_few_times(client.revoke(lease), round * round).await;
        let page = state(&other, context.below(format!("{round:02}/"))).await;
        assert!([0, 2].contains(&page.entries.len()), "half a revocation: {page:?}");
        match client.revoke(lease).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), BackendErrorKind::LeaseNotFound, "{error:?}"),
        }
        assert_eq!(state(&other, context.below(format!("{round:02}/"))).await.entries, []);
    }
}

/// Polls a future about so often, and drops it.
async fn polled_a_few_times<T>(future: impl Future<Output = T>, times: usize) {
    let enough = async {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = future => {}
        () = enough => {}
    }
}

async fn a_client_works_on_after_any_dropped_call(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let lease = client.grant(Duration::from_secs(600)).await.unwrap().id;
    for round in 0..10 {
        let value = Bytes::from(round.to_string());
        let revision = client.put(key.clone(), value.clone()).await.unwrap();
        // Whatever a call sends or holds on to first, it is dropped behind it.
        let polls = round * round;
        polled_a_few_times(client.range(RangeRequest::new(context.all())), polls).await;
        polled_a_few_times(client.grant(Duration::from_secs(600)), polls).await;
        polled_a_few_times(client.keep_alive(lease), polls).await;
        polled_a_few_times(client.time_to_live(lease), polls).await;
        polled_a_few_times(client.watch(context.all(), revision), polls).await;
        drop(client.txn(ops([put(key.clone(), "never polled")])));
        assert_eq!(there(&client, &key).await.value, value);
    }
    client.keep_alive(lease).await.unwrap();
}

async fn a_wrapped_backend_is_a_backend(context: Context) {
    let inner = context.client().await;
    let wrapped: Arc<dyn KvBackend> = Arc::new(Counting::new(Arc::new(Counting::new(inner.clone()))));
    assert_eq!(wrapped.limits(), inner.limits());
    let key = context.key("k");
    let lease = wrapped.grant(Duration::from_secs(600)).await.unwrap();
    matched(&wrapped, ops([put_leased(key.clone(), "v", lease.id)])).await;
    let renewed = wrapped.keep_alive(lease.id).await.unwrap();
    assert!(renewed >= lease.ttl, "{lease:?} was renewed for {renewed:?} only");
    let left = wrapped.time_to_live(lease.id).await.unwrap();
    assert!(left <= renewed, "{left:?} left of {renewed:?}");
    assert_eq!(state(&wrapped, context.all()).await, state(&inner, context.all()).await);
    wrapped.revoke(lease.id).await.unwrap();
    assert_eq!(wrapped.get(key).await.unwrap(), None);
    let empty = KeyRange::single(Key::new(Bytes::new()));
    refused(wrapped.range(RangeRequest::new(empty)).await, BackendErrorKind::InvalidRequest);
}

async fn each_call_of_the_sugar_is_one_call(context: Context) {
    let client = Counting::new(context.client().await);
    let key = context.key("k");
    client.put(key.clone(), Bytes::from("v")).await.unwrap();
    client.create(key.clone(), Bytes::from("w")).await.unwrap();
    assert_eq!(client.take(), Calls { txn: 2, ..Calls::default() });
    client.get(key.clone()).await.unwrap().unwrap();
    client.get(context.key("missing")).await.unwrap();
    assert_eq!(client.take(), Calls { range: 2, ..Calls::default() });
    for number in 0..10 {
        client.put(context.key(format!("k/{number}")), Bytes::from("v")).await.unwrap();
    }
    client.take();
    let request = RangeRequest::new(context.all()).with_limit(limit(4));
    let found: Vec<Entry> = client.scan(request).try_collect().await.unwrap();
    assert_eq!(found.len(), 11);
    let calls = client.calls();
    assert_eq!(calls.total(), calls.range);
    assert!(calls.range >= 3, "eleven entries in pages of at most four: {calls:?}");
}
