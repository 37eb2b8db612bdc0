//! Revisions: what counts, and what entries say about it.

use bytes::Bytes;
use storage_core::kv::{Compare, Get, KeyRange, KvBackendExt, Op, Revision, Txn};

use super::support::{matched, newest, not_matched, ops, put, state, there};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-REV-1"], revisions_grow_over_all_keys_and_clients),
    case!(["KV-REV-2", "KV-REV-3"], an_entry_knows_when_it_was_created_and_last_put),
    case!(["KV-REV-3"], a_key_that_returns_is_a_new_key),
    case!(["KV-REV-4"], what_changes_nothing_takes_no_revision),
    case!(["KV-REV-5"], the_same_value_again_is_a_change),
];

async fn revisions_grow_over_all_keys_and_clients(context: Context) {
    let clients = [context.client().await, context.client().await];
    let mut last = newest(&clients[0], &context).await;
    for round in 0..30 {
        let client = &clients[round % 2];
        let key = context.key(format!("k{}", round % 3));
        let step = if round % 5 == 4 { Op::DeleteRange(context.all()) } else { put(key, "v") };
        let (revision, _) = matched(client, ops([step])).await;
        assert!(revision > last, "round {round}: {revision} after {last}");
        last = revision;
    }
    assert_eq!(newest(&clients[0], &context).await, last);
}

async fn an_entry_knows_when_it_was_created_and_last_put(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let created = client.put(key.clone(), Bytes::from("1")).await.unwrap();
    let entry = there(&client, &key).await;
    assert_eq!((entry.create_revision, entry.mod_revision, entry.lease), (created, created, None));
    client.put(context.key("other"), Bytes::from("1")).await.unwrap();
    for value in ["2", "3"] {
        let changed = client.put(key.clone(), Bytes::from(value)).await.unwrap();
        let entry = there(&client, &key).await;
        assert_eq!((entry.create_revision, entry.mod_revision), (created, changed));
    }
}

async fn a_key_that_returns_is_a_new_key(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let mut last = Revision::ZERO;
    for delete in [
        Op::Delete(key.clone()),
        Op::DeleteRange(context.all()),
        Op::DeleteRange(KeyRange::single(key.clone())),
    ] {
        let created = client.put(key.clone(), Bytes::from("v")).await.unwrap();
        let entry = there(&client, &key).await;
        assert_eq!((entry.create_revision, entry.mod_revision), (created, created));
        assert!(created > last, "created at {created}, after the deletion at {last}");
        (last, _) = matched(&client, ops([delete])).await;
    }
}

async fn what_changes_nothing_takes_no_revision(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let revision = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    let idle = [
        Txn::new(),
        ops([Op::Get(Get::range(context.all()))]),
        ops([Op::Delete(context.key("missing"))]),
        ops([Op::DeleteRange(context.below("missing/"))]),
        Txn::new().when(Compare::Present(key.clone())),
    ];
    for txn in idle {
        assert_eq!(matched(&client, txn.clone()).await.0, revision, "{txn:?}");
    }
    let failing = Txn::new().when(Compare::Absent(key.clone())).then(put(key.clone(), "other"));
    assert_eq!(not_matched(&client, failing).await.0, revision);
    assert_eq!(state(&client, context.all()).await.revision, revision);
    assert!(client.put(key, Bytes::from("v")).await.unwrap() > revision);
}

async fn the_same_value_again_is_a_change(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let first = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    let second = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    assert!(second > first, "{second} after {first}");
    let entry = there(&client, &key).await;
    assert_eq!((entry.create_revision, entry.mod_revision), (first, second));
}
