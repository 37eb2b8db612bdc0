//! A transaction happens as a whole or not at all, and sees its own steps.

use bytes::Bytes;
use kv_memory::{MemoryBackend, MemoryOptions};
use std::num::NonZeroU32;
use storage_core::kv::{
    BackendErrorKind, Compare, Get, GetReply, Key, KeyRange, KvBackend, KvBackendExt, LeaseId, Limits, Op,
    OpReply, Projection, RangeRequest, Revision, Txn, TxnOutcome, TxnReply,
};

fn key(name: &'static str) -> Key {
    Key::new(name)
}

fn put(name: &'static str, value: &'static str) -> Op {
    Op::Put { key: key(name), value: value.into(), lease: None }
}

fn get_all() -> Get {
    Get::range(KeyRange::prefix(Bytes::new()))
}

fn names(reply: &GetReply) -> Vec<&[u8]> {
    reply.entries.iter().map(|entry| entry.key.as_bytes()).collect()
}

fn matched(reply: TxnReply) -> Vec<OpReply> {
    match reply.outcome {
        TxnOutcome::Matched(replies) => replies,
        TxnOutcome::NotMatched(_) => panic!("not matched"),
    }
}

fn deleted(reply: &OpReply) -> Option<u64> {
    if let OpReply::Deleted(count) = reply { Some(*count) } else { None }
}

/// The revision and the keys of the whole store.
async fn state(backend: &MemoryBackend) -> (Revision, Vec<Key>) {
    let page = backend.range(RangeRequest::new(KeyRange::prefix(Bytes::new()))).await.unwrap();
    (page.revision, page.entries.into_iter().map(|entry| entry.key).collect())
}

#[tokio::test]
async fn a_read_sees_the_steps_before_it_and_not_those_behind() {
    let backend = MemoryBackend::new();
    backend.put(key("a"), "old".into()).await.unwrap();
    let txn = Txn::new()
        .then(Op::Get(get_all()))
        .then(put("b", "new"))
        .then(Op::Get(get_all()))
        .then(Op::DeleteRange(KeyRange::single(key("a"))))
        .then(Op::DeleteRange(KeyRange::new(key("a"), key("b"))))
        .then(Op::Get(get_all().with_projection(Projection::KeysOnly)))
        .then(put("c", "new"))
        .then(Op::Get(get_all().with_limit(NonZeroU32::MIN)));
    let reply = backend.txn(txn).await.unwrap();
    assert_eq!(reply.revision, Revision(2));
    let replies = matched(reply);
    let [OpReply::Get(first), OpReply::Put, OpReply::Get(second), rest @ ..] = &replies[..] else {
        panic!("unexpected replies: {replies:?}")
    };
    assert_eq!(names(first), [b"a"]);
    assert_eq!(names(second), [b"a", b"b"]);
    assert_eq!(second.entries[1].mod_revision, Revision(2));
    let [OpReply::Deleted(1), OpReply::Deleted(0), OpReply::Get(third), OpReply::Put, OpReply::Get(fourth)] =
        rest
    else {
        panic!("unexpected replies: {rest:?}")
    };
    assert_eq!((names(third), third.entries[0].value.len()), (vec![&b"b"[..]], 0));
    assert_eq!((names(fourth), fourth.more), (vec![&b"b"[..]], true));
}

#[tokio::test]
async fn every_compare_has_to_hold() {
    let backend = MemoryBackend::new();
    let revision = backend.put(key("k"), Bytes::new()).await.unwrap();
    let (here, nowhere) = (KeyRange::prefix("k"), KeyRange::prefix("x"));
    let holds = [
        Compare::Present(key("k")),
        Compare::Absent(key("x")),
        Compare::ModRevision(key("k"), revision),
        Compare::RangeEmpty(nowhere),
        Compare::RangeEmpty(KeyRange::new(key("z"), key("a"))),
    ];
    let fails = [
        Compare::Present(key("x")),
        Compare::Absent(key("k")),
        Compare::ModRevision(key("k"), Revision(revision.0 + 1)),
        Compare::ModRevision(key("x"), Revision::ZERO),
        Compare::RangeEmpty(here),
    ];
    let all = holds.into_iter().fold(Txn::new(), Txn::when);
    assert!(matches!(backend.txn(all.clone()).await.unwrap().outcome, TxnOutcome::Matched(_)));
    for failing in fails {
        let txn = all.clone().when(failing.clone()).then(put("new", "x")).otherwise(get_all());
        let reply = backend.txn(txn).await.unwrap();
        let TxnOutcome::NotMatched(gets) = reply.outcome else { panic!("{failing:?} holds") };
        assert_eq!((reply.revision, names(&gets[0])), (revision, vec![&b"k"[..]]));
    }
    assert_eq!(state(&backend).await, (revision, vec![key("k")]));
}

#[tokio::test]
async fn what_changes_nothing_makes_no_revision() {
    let backend = MemoryBackend::new();
    let revision = backend.put(key("k"), Bytes::new()).await.unwrap();
    let nothing = Txn::new()
        .then(Op::Delete(key("x")))
        .then(Op::DeleteRange(KeyRange::prefix("y")))
        .then(Op::DeleteRange(KeyRange::new(key("z"), key("a"))))
        .then(Op::Get(get_all()));
    for txn in [nothing, Txn::new()] {
        assert_eq!(backend.txn(txn).await.unwrap().revision, revision);
    }
    let again = backend.put(key("k"), Bytes::new()).await.unwrap();
    assert_eq!(again, Revision(revision.0 + 1), "the same value put again is a change");
}

#[tokio::test]
async fn a_key_that_comes_back_is_a_new_one() {
    let backend = MemoryBackend::new();
    backend.put(key("k"), Bytes::new()).await.unwrap();
    backend.put(key("k"), Bytes::new()).await.unwrap();
    assert_eq!(backend.get(key("k")).await.unwrap().unwrap().create_revision, Revision(1));
    backend.txn(Txn::new().then(Op::Delete(key("k")))).await.unwrap();
    backend.put(key("k"), Bytes::new()).await.unwrap();
    assert_eq!(backend.get(key("k")).await.unwrap().unwrap().create_revision, Revision(4));
}

#[tokio::test]
async fn malformed_ones_are_refused_before_anything_happens() {
    let backend = MemoryBackend::new();
    backend.put(key("a"), Bytes::new()).await.unwrap();
    let before = state(&backend).await;
    let range = |start, end| Op::DeleteRange(KeyRange::new(key(start), key(end)));
    let malformed = [
        Txn::new().then(put("", "v")),
        Txn::new().then(Op::Delete(key(""))),
        Txn::new().then(Op::DeleteRange(KeyRange::single(key("")))),
        Txn::new().then(Op::Get(Get::key(key("")))),
        Txn::new().otherwise(Get::key(key(""))),
        Txn::new().when(Compare::Absent(key(""))),
        Txn::new().when(Compare::Present(key(""))),
        Txn::new().when(Compare::ModRevision(key(""), Revision::ZERO)),
        Txn::new().then(put("k", "1")).then(put("k", "2")),
        Txn::new().then(put("k", "1")).then(put("l", "1")).then(Op::Delete(key("k"))),
        Txn::new().then(Op::Delete(key("a"))).then(put("b", "1")).then(Op::Delete(key("a"))),
        Txn::new().then(put("k", "1")).then(range("a", "z")),
        Txn::new().then(range("a", "z")).then(put("k", "1")),
    ];
    for txn in malformed {
        // The operation that is in order must not happen either.
        let error = backend.txn(txn.clone().then(put("zz", "v"))).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::InvalidRequest, "{txn:?}");
        assert!(!error.is_maybe_applied() && !error.is_retryable());
        assert_eq!(state(&backend).await, before);
    }
    let range_of_the_empty_key = RangeRequest::new(KeyRange::single(key("")));
    assert_eq!(
        backend.range(range_of_the_empty_key).await.unwrap_err().kind(),
        BackendErrorKind::InvalidRequest
    );
}

#[tokio::test]
async fn deletions_may_overlap_and_writes_may_lie_side_by_side() {
    let backend = MemoryBackend::new();
    for name in ["a", "b", "c"] {
        backend.put(key(name), Bytes::new()).await.unwrap();
    }
    let range = |start, end| Op::DeleteRange(KeyRange::new(key(start), key(end)));
    let deletions =
        [Op::Delete(key("a")), range("a", "c"), range("a", "c"), range("z", "a"), Op::Delete(key("b"))];
    let txn = deletions.into_iter().fold(Txn::new(), Txn::then).then(put("c", "v"));
    let counts: Vec<u64> = matched(backend.txn(txn).await.unwrap()).iter().filter_map(deleted).collect();
    assert_eq!(counts, [1, 1, 0, 0, 0]);
    assert_eq!(state(&backend).await.1, [key("c")]);
}

#[tokio::test]
async fn what_is_beyond_a_limit_is_refused_by_the_name_of_the_limit() {
    let limits =
        Limits::ETCD_DEFAULTS.with_max_txn_ops(3).with_max_value_bytes(10).with_max_request_bytes(1_000);
    let backend = MemoryBackend::with_options(MemoryOptions::default().with_limits(limits));
    let puts = |names: &[&'static str]| names.iter().map(|name| put(name, "v")).fold(Txn::new(), Txn::then);
    let compares = |count| (0..count).map(|_| Compare::Absent(key("x"))).fold(Txn::new(), Txn::when);
    let reads = |count| (0..count).map(|_| get_all()).fold(Txn::new(), Txn::otherwise);
    let value = |value| Txn::new().then(put("k", value));
    // A request counts 256 bytes, an operation 32, and a put its key and value.
    let request = |bytes: usize| Txn::new().then(Op::Delete(Key::new(vec![b'k'; bytes - 256 - 32])));
    let cases = [
        ("max_txn_ops", puts(&["a", "b", "c"]), puts(&["a", "b", "c", "d"])),
        ("max_txn_ops", compares(3), compares(4)),
        ("max_txn_ops", reads(3), reads(4)),
        ("max_value_bytes", value("ten bytes."), value("eleven byte")),
        ("max_request_bytes", request(1_000), request(1_001)),
    ];
    for (limit, within, beyond) in cases {
        backend.txn(within).await.unwrap();
        let before = state(&backend).await;
        let error = backend.txn(beyond).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::TooLarge);
        assert!(error.to_string().contains(limit) && !error.is_maybe_applied(), "{error}");
        assert_eq!(state(&backend).await, before);
    }
    let three_of_each = puts(&["d", "e", "f"]).when(Compare::Absent(key("x")));
    backend.txn(three_of_each.otherwise(get_all())).await.expect("each list counts for itself");
}

#[tokio::test]
async fn a_put_with_an_unknown_lease_applies_nothing() {
    let backend = MemoryBackend::new();
    let revision = backend.put(key("k"), Bytes::new()).await.unwrap();
    let with_lease = Op::Put { key: key("b"), value: Bytes::new(), lease: LeaseId::new(404) };
    let txn = Txn::new().then(Op::Delete(key("k"))).then(put("a", "v")).then(with_lease);
    let error = backend.txn(txn.clone()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::LeaseNotFound);
    assert!(!error.is_maybe_applied());
    assert_eq!(state(&backend).await, (revision, vec![key("k")]));
    // Only the branch that runs is looked at.
    let reply = backend.txn(txn.when(Compare::Absent(key("k")))).await.unwrap();
    assert_eq!(reply.outcome, TxnOutcome::NotMatched(Vec::new()));
}
