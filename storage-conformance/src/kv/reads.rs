//! Reading single keys.

use bytes::Bytes;
use storage_core::kv::{BackendErrorKind, Key, KeyRange, KvBackendExt, Op, RangeRequest};

use super::support::{matched, ops, put_all, refused, state, there};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-READ-1", "KV-READ-3"], a_missing_key_reads_as_nothing_whatever_lies_beside_it),
    case!(["KV-READ-1", "KV-READ-2"], a_key_reads_as_what_was_put_last),
    case!(["KV-READ-2"], keys_and_values_are_any_bytes),
    case!(["KV-READ-2"], an_empty_value_is_a_value),
    case!(["KV-READ-3"], one_key_is_one_page),
    case!(["KV-READ-4"], another_client_sees_an_acknowledged_write_at_once),
    case!(["KV-READ-5", "KV-ERR-1"], the_empty_key_cannot_be_read),
];

async fn a_missing_key_reads_as_nothing_whatever_lies_beside_it(context: Context) {
    let client = context.client().await;
    for neighbour in ["j", "k\0", "k/", "kk"] {
        client.put(context.key(neighbour), Bytes::from(neighbour)).await.unwrap();
        assert_eq!(client.get(context.key("k")).await.unwrap(), None, "beside {neighbour:?}");
        assert_eq!(there(&client, &context.key(neighbour)).await.value, neighbour);
    }
}

async fn a_key_reads_as_what_was_put_last(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    for value in ["one", "two"] {
        client.put(key.clone(), Bytes::from(value)).await.unwrap();
        let entry = there(&client, &key).await;
        assert_eq!((entry.key, entry.value), (key.clone(), Bytes::from(value)));
    }
    matched(&client, ops([Op::Delete(key.clone())])).await;
    assert_eq!(client.get(key).await.unwrap(), None, "after it was deleted");
}

async fn keys_and_values_are_any_bytes(context: Context) {
    let client = context.client().await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let single = (0..=u8::MAX).map(|byte| (vec![byte], vec![byte]));
    let double = [0, 1, 0x7f, 0x80, 0xfe, u8::MAX].map(|byte| (vec![byte, byte], vec![byte, 0, byte]));
    let whole = [(every_byte.clone(), every_byte)];
    let entries = single.chain(double).chain(whole);
    let mut entries: Vec<_> = entries.map(|(name, value)| (context.key(name), Bytes::from(value))).collect();
    put_all(&client, &entries).await;
    for (key, value) in &entries {
        assert_eq!(there(&client, key).await.value, value, "value of {key:?}");
    }
    entries.sort();
    assert_eq!(state(&client, context.all()).await.pairs(), entries);
}

async fn an_empty_value_is_a_value(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    client.put(key.clone(), Bytes::new()).await.unwrap();
    let entry = client.get(key.clone()).await.unwrap().expect("the key exists");
    assert_eq!(entry.value, Bytes::new());
    assert_eq!(client.create(key, Bytes::from("other")).await.unwrap(), None, "it cannot be created again");
}

async fn one_key_is_one_page(context: Context) {
    let client = context.client().await;
    for name in ["k", "k\0", "kk"] {
        client.put(context.key(name), Bytes::from(name)).await.unwrap();
    }
    for (name, there) in [("k", 1), ("kk", 1), ("missing", 0)] {
        let page = client.range(RangeRequest::new(KeyRange::single(context.key(name)))).await.unwrap();
        assert_eq!((page.entries.len(), page.next), (there, None), "page of {name:?}");
        assert!(page.entries.iter().all(|entry| entry.value == name), "page of {name:?}: {:?}", page.entries);
    }
}

async fn another_client_sees_an_acknowledged_write_at_once(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let key = context.key("k");
    for round in 0..50 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let value = Bytes::from(round.to_string());
        let revision = writer.put(key.clone(), value.clone()).await.unwrap();
        let entry = reader.get(key.clone()).await.unwrap().expect("it was put");
        assert_eq!((entry.value, entry.mod_revision), (value, revision), "round {round}");
        matched(writer, ops([Op::Delete(key.clone())])).await;
        assert_eq!(reader.get(key.clone()).await.unwrap(), None, "round {round}");
    }
}

async fn the_empty_key_cannot_be_read(context: Context) {
    let client = context.client().await;
    let empty = KeyRange::single(Key::new(Bytes::new()));
    refused(client.range(RangeRequest::new(empty)).await, BackendErrorKind::InvalidRequest);
}
