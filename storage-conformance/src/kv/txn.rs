//! Transactions: compares, operations, answers, and what is malformed.

use bytes::Bytes;
use storage_core::kv::{
    BackendErrorKind, Compare, Get, GetReply, Key, KeyRange, KvBackendExt, Op, OpReply, Projection, Revision,
    Txn,
};

use super::support::{limit, matched, newest, not_matched, ops, put, refused, state, state_at, there};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-TXN-1"], absent_and_present_are_opposites),
    case!(["KV-TXN-2"], a_mod_revision_must_be_the_last_one),
    case!(["KV-TXN-3"], a_missing_key_has_no_mod_revision),
    case!(["KV-TXN-4"], a_range_is_empty_when_no_key_lies_in_it),
    case!(["KV-TXN-5"], all_compares_must_hold),
    case!(["KV-TXN-6", "KV-REV-4"], a_failed_compare_is_an_answer_and_changes_nothing),
    case!(["KV-TXN-7"], compares_judge_the_state_before_the_transaction),
    case!(["KV-TXN-8", "KV-REV-2"], all_changes_are_of_one_revision),
    case!(["KV-TXN-9", "KV-TXN-10"], every_step_is_answered_in_order),
    case!(["KV-TXN-10"], a_read_sees_the_steps_before_it_and_not_those_after),
    case!(["KV-TXN-11"], a_read_obeys_its_limit_and_projection),
    case!(["KV-TXN-12"], deletes_count_what_was_there),
    case!(["KV-TXN-13"], a_deleted_range_ends_where_it_says),
    case!(["KV-TXN-14"], deleted_ranges_may_overlap),
    case!(["KV-TXN-15"], a_transaction_may_read_only_or_do_nothing),
    case!(["KV-TXN-15", "KV-READ-4"], a_transaction_that_only_reads_sees_what_others_were_told),
    case!(["KV-TXN-16", "KV-ERR-1", "KV-ERR-2"], a_key_may_not_be_changed_twice),
    case!(["KV-TXN-17", "KV-ERR-1", "KV-ERR-2"], a_put_may_not_lie_in_a_deleted_range),
    case!(["KV-TXN-18", "KV-ERR-1", "KV-ERR-2"], the_empty_key_is_refused_everywhere),
];

async fn absent_and_present_are_opposites(context: Context) {
    let client = context.client().await;
    let (there, missing) = (context.key("there"), context.key("missing"));
    client.put(there.clone(), Bytes::new()).await.unwrap();
    matched(&client, Txn::new().when(Compare::Absent(missing.clone()))).await;
    not_matched(&client, Txn::new().when(Compare::Present(missing))).await;
    matched(&client, Txn::new().when(Compare::Present(there.clone()))).await;
    not_matched(&client, Txn::new().when(Compare::Absent(there.clone()))).await;
    matched(&client, ops([Op::Delete(there.clone())])).await;
    matched(&client, Txn::new().when(Compare::Absent(there))).await;
}

async fn a_mod_revision_must_be_the_last_one(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let first = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    let second = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    let elsewhere = client.put(context.key("other"), Bytes::from("v")).await.unwrap();
    let compare = |revision| Txn::new().when(Compare::ModRevision(key.clone(), revision));
    matched(&client, compare(second)).await;
    for wrong in [first, elsewhere, Revision::ZERO, Revision(elsewhere.0 + 1), Revision(u64::MAX)] {
        not_matched(&client, compare(wrong)).await;
    }
    let swap = || compare(second).then(put(key.clone(), "w"));
    matched(&client, swap()).await;
    not_matched(&client, swap()).await;
}

async fn a_missing_key_has_no_mod_revision(context: Context) {
    let client = context.client().await;
    let gone = context.key("gone");
    let put_at = client.put(gone.clone(), Bytes::from("v")).await.unwrap();
    let (deleted_at, _) = matched(&client, ops([Op::Delete(gone.clone())])).await;
    for key in [context.key("never"), gone] {
        for revision in [Revision::ZERO, put_at, deleted_at] {
            not_matched(&client, Txn::new().when(Compare::ModRevision(key.clone(), revision))).await;
        }
    }
}

async fn a_range_is_empty_when_no_key_lies_in_it(context: Context) {
    let client = context.client().await;
    client.put(context.key("b"), Bytes::from("v")).await.unwrap();
    let empty = |range| Txn::new().when(Compare::RangeEmpty(range));
    for range in [
        context.between("a", "b"),
        context.between("b\0", "c"),
        context.below("b/"),
        KeyRange::new(context.key("b"), context.key("b")),
        KeyRange::new(context.key("b"), Key::new(Bytes::new())),
        KeyRange::new(context.key("b"), Key::new(&b"\0"[..])),
    ] {
        matched(&client, empty(range)).await;
    }
    for range in [context.between("b", "c"), context.between("a", "b\0"), context.below("b"), context.all()] {
        not_matched(&client, empty(range)).await;
    }
    matched(&client, ops([Op::Delete(context.key("b"))])).await;
    matched(&client, empty(context.all())).await;
}

async fn all_compares_must_hold(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let revision = client.put(key.clone(), Bytes::from("v")).await.unwrap();
    let holds = [
        Compare::Present(key.clone()),
        Compare::ModRevision(key.clone(), revision),
        Compare::Absent(context.key("missing")),
        Compare::RangeEmpty(context.below("k/")),
    ];
    let done = context.key("done");
    let when = |compares: &[Compare]| compares.iter().cloned().fold(Txn::new(), Txn::when);
    for compares in [&holds[..], &[]] {
        let (revision, _) = matched(&client, when(compares).then(put(done.clone(), "v"))).await;
        let put_at = client.get(done.clone()).await.unwrap().map(|entry| entry.mod_revision);
        assert_eq!(put_at, Some(revision), "the operation runs if {compares:?}");
    }
    let before = state(&client, context.all()).await;
    let fails = Compare::Absent(key);
    for position in 0..=holds.len() {
        let mut compares = holds.to_vec();
        compares.insert(position, fails.clone());
        not_matched(&client, when(&compares).then(put(done.clone(), "w"))).await;
        assert_eq!(state(&client, context.all()).await, before, "nothing runs if {compares:?}");
    }
}

async fn a_failed_compare_is_an_answer_and_changes_nothing(context: Context) {
    let client = context.client().await;
    let (a, b) = (context.key("a"), context.key("b"));
    client.put(a.clone(), Bytes::from("1")).await.unwrap();
    client.put(b.clone(), Bytes::from("1")).await.unwrap();
    let before = state(&client, context.all()).await;
    let txn = Txn::new()
        .when(Compare::Absent(a.clone()))
        .then(put(a.clone(), "2"))
        .then(put(context.key("c"), "2"))
        .then(Op::Delete(b.clone()))
        .otherwise(Get::key(b))
        .otherwise(Get::range(context.all()))
        .otherwise(Get::key(context.key("c")));
    let (revision, replies) = not_matched(&client, txn).await;
    let reply = |entries: &[_]| GetReply { entries: entries.to_vec(), more: false };
    assert_eq!(replies, [reply(&before.entries[1..]), reply(&before.entries), reply(&[])]);
    assert_eq!(revision, before.revision);
    assert_eq!(state(&client, context.all()).await, before);
}

async fn compares_judge_the_state_before_the_transaction(context: Context) {
    let client = context.client().await;
    let key = context.key("k");
    let create = Txn::new()
        .when(Compare::Absent(key.clone()))
        .when(Compare::RangeEmpty(context.all()))
        .then(put(key.clone(), "v"))
        .then(put(context.key("k/child"), "v"));
    matched(&client, create.clone()).await;
    not_matched(&client, create).await;
    let remove = Txn::new().when(Compare::Present(key.clone())).then(Op::DeleteRange(context.all()));
    let (_, replies) = matched(&client, remove).await;
    assert_eq!(replies, [OpReply::Deleted(2)]);
}

async fn all_changes_are_of_one_revision(context: Context) {
    let client = context.client().await;
    client.put(context.key("old"), Bytes::from("v")).await.unwrap();
    let before = state(&client, context.all()).await;
    let puts = ["a", "b", "c"].map(|name| put(context.key(name), name));
    let (revision, _) = matched(&client, ops(puts).then(Op::Delete(context.key("old")))).await;
    let after = state(&client, context.all()).await;
    assert_eq!(after.keys(), ["a", "b", "c"].map(|name| context.key(name)));
    assert!(after.entries.iter().all(|entry| entry.mod_revision == revision), "{after:?}");
    assert_eq!(after.revision, revision);
    // No revision shows a part of it: the one before shows nothing of it.
    let just_before = Revision(revision.0 - 1);
    let then = state_at(&client, context.all(), just_before).await;
    assert_eq!(then.entries, before.entries);
}

async fn every_step_is_answered_in_order(context: Context) {
    let client = context.client().await;
    client.put(context.key("a"), Bytes::from("1")).await.unwrap();
    client.put(context.key("b/1"), Bytes::from("1")).await.unwrap();
    client.put(context.key("b/2"), Bytes::from("1")).await.unwrap();
    let a = there(&client, &context.key("a")).await;
    let txn = ops([
        Op::Get(Get::key(a.key.clone())),
        Op::Delete(a.key.clone()),
        Op::DeleteRange(context.below("b/")),
        put(context.key("c"), "1"),
        Op::Get(Get::key(a.key.clone())),
        Op::Delete(context.key("missing")),
    ]);
    let (_, replies) = matched(&client, txn).await;
    let expected = [
        OpReply::Get(GetReply { entries: vec![a], more: false }),
        OpReply::Deleted(1),
        OpReply::Deleted(2),
        OpReply::Put,
        OpReply::Get(GetReply::default()),
        OpReply::Deleted(0),
    ];
    assert_eq!(replies, expected);
}

async fn a_read_sees_the_steps_before_it_and_not_those_after(context: Context) {
    let client = context.client().await;
    let (old, gone, new) = (context.key("old"), context.key("gone"), context.key("new"));
    client.put(old.clone(), Bytes::from("1")).await.unwrap();
    client.put(gone.clone(), Bytes::from("1")).await.unwrap();
    let before = state(&client, context.all()).await;
    let read = || Op::Get(Get::range(context.all()));
    let changes = [put(old, "2"), Op::Delete(gone), put(new, "2")];
    let txn = ops([read()].into_iter().chain(changes).chain([read()]));
    let (revision, mut replies) = matched(&client, txn).await;
    let after = state(&client, context.all()).await;
    assert_eq!(after.revision, revision);
    assert_ne!(before.entries, after.entries);
    assert_eq!(replies.pop(), Some(OpReply::Get(GetReply { entries: after.entries, more: false })));
    assert_eq!(replies[0], OpReply::Get(GetReply { entries: before.entries, more: false }));
}

async fn a_read_obeys_its_limit_and_projection(context: Context) {
    let client = context.client().await;
    for name in ["a", "b", "c"] {
        client.put(context.key(name), Bytes::from(name)).await.unwrap();
    }
    let entries = state(&client, context.all()).await.entries;
    let get = Get::range(context.all());
    let gets = [2, 3, 4].map(|size| get.clone().with_limit(limit(size)));
    let keys_only = get.with_projection(Projection::KeysOnly);
    let expected: Vec<_> = [(2, true), (3, false), (3, false)]
        .map(|(count, more)| GetReply { entries: entries[..count].to_vec(), more })
        .into();
    let mut bare = entries.clone();
    for entry in &mut bare {
        entry.value = Bytes::new();
    }
    let bare = GetReply { entries: bare, more: false };

    let success = ops(gets.iter().cloned().chain([keys_only.clone()]).map(Op::Get));
    let (_, replies) = matched(&client, success).await;
    let wanted: Vec<_> = expected.iter().cloned().chain([bare.clone()]).collect();
    assert_eq!(replies, wanted.iter().cloned().map(OpReply::Get).collect::<Vec<_>>());

    let fails = Txn::new().when(Compare::Absent(context.key("a")));
    let failure = gets.into_iter().chain([keys_only]).fold(fails, Txn::otherwise);
    assert_eq!(not_matched(&client, failure).await.1, wanted);
}

async fn deletes_count_what_was_there(context: Context) {
    let client = context.client().await;
    for name in ["d", "d/1", "d/2", "d/3", "d0"] {
        client.put(context.key(name), Bytes::from("v")).await.unwrap();
    }
    for (op, count) in [
        (Op::Delete(context.key("missing")), 0),
        (Op::Delete(context.key("d")), 1),
        (Op::Delete(context.key("d")), 0),
        (Op::DeleteRange(context.below("d/")), 3),
        (Op::DeleteRange(context.below("d/")), 0),
        (Op::DeleteRange(context.all()), 1),
    ] {
        let (_, replies) = matched(&client, ops([op.clone()])).await;
        assert_eq!(replies, [OpReply::Deleted(count)], "{op:?}");
    }
    assert_eq!(state(&client, context.all()).await.entries, []);
}

/// An end that no key can lie before must not be taken for "one key" or "to the last key".
async fn a_deleted_range_ends_where_it_says(context: Context) {
    let client = context.client().await;
    let names = ["foo", "foo/a", "foo/b", "foo0", "foobar"];
    for name in names {
        client.put(context.key(name), Bytes::from("v")).await.unwrap();
    }
    let start = context.key("foo");
    for end in [start.clone(), context.key("a"), Key::new(Bytes::new()), Key::new(&b"\0"[..])] {
        let range = KeyRange::new(start.clone(), end);
        let (_, replies) = matched(&client, ops([Op::DeleteRange(range.clone())])).await;
        assert_eq!(replies, [OpReply::Deleted(0)], "{range:?}");
    }
    assert_eq!(state(&client, context.all()).await.keys(), names.map(|name| context.key(name)));
    matched(&client, ops([Op::DeleteRange(context.below("foo/"))])).await;
    let left = ["foo", "foo0", "foobar"].map(|name| context.key(name));
    assert_eq!(state(&client, context.all()).await.keys(), left);
}

async fn deleted_ranges_may_overlap(context: Context) {
    let client = context.client().await;
    for name in ["a", "b", "c", "d", "e"] {
        client.put(context.key(name), Bytes::from("v")).await.unwrap();
    }
    let txn = ops([
        Op::Delete(context.key("b")),
        Op::DeleteRange(context.between("a", "d")),
        Op::DeleteRange(context.between("c", "e")),
        Op::DeleteRange(context.between("c", "e")),
    ]);
    let (_, replies) = matched(&client, txn).await;
    assert_eq!(replies, [1, 2, 1, 0].map(OpReply::Deleted), "a key counts where it was deleted first");
    assert_eq!(state(&client, context.all()).await.keys(), [context.key("e")]);
}

async fn a_transaction_may_read_only_or_do_nothing(context: Context) {
    let client = context.client().await;
    let revision = client.put(context.key("k"), Bytes::from("v")).await.unwrap();
    assert_eq!(matched(&client, Txn::new()).await, (revision, vec![]));
    let (read_at, replies) = matched(&client, ops([Op::Get(Get::range(context.all()))])).await;
    let entries = state(&client, context.all()).await.entries;
    assert_eq!(replies, [OpReply::Get(GetReply { entries, more: false })]);
    assert_eq!((read_at, newest(&client, &context).await), (revision, revision));
}

async fn a_transaction_that_only_reads_sees_what_others_were_told(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    let key = context.key("k");
    for round in 0..25 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let revision = writer.put(key.clone(), Bytes::from(round.to_string())).await.unwrap();
        let compare = Compare::ModRevision(key.clone(), revision);
        let read = Txn::new().when(compare).then(Op::Get(Get::key(key.clone())));
        let expected = GetReply { entries: vec![there(writer, &key).await], more: false };
        assert_eq!(matched(reader, read).await, (revision, vec![OpReply::Get(expected.clone())]));
        matched(writer, ops([put(key.clone(), "again")])).await;
        let expected = GetReply { entries: vec![there(writer, &key).await], more: false };
        let fails = Txn::new().when(Compare::Absent(key.clone())).otherwise(Get::key(key.clone()));
        assert_eq!(not_matched(reader, fails).await.1, [expected]);
    }
}

async fn a_key_may_not_be_changed_twice(context: Context) {
    let (key, other) = (context.key("k"), context.key("other"));
    let write = || put(key.clone(), "v");
    let delete = || Op::Delete(key.clone());
    let changes = [[write(), write()], [write(), delete()], [delete(), write()], [delete(), delete()]];
    let malformed = changes.map(|[first, second]| ops([first, put(other.clone(), "between"), second]));
    refused_and_not_applied(&context, malformed).await;
}

async fn a_put_may_not_lie_in_a_deleted_range(context: Context) {
    let within = || put(context.key("d/b"), "v");
    let single = KeyRange::single(context.key("d/b"));
    let ranges = [context.below("d/"), context.between("d/b", "d/c"), context.all(), single];
    let malformed = ranges.into_iter().flat_map(|range| {
        let delete = || Op::DeleteRange(range.clone());
        [ops([within(), delete()]), ops([delete(), within()])]
    });
    refused_and_not_applied(&context, malformed).await;

    let client = context.client().await;
    let beside = [context.between("d/a", "d/b"), context.between("d/b\0", "d/c")];
    matched(&client, ops(beside.map(Op::DeleteRange)).then(within())).await;
    there(&client, &context.key("d/b")).await;
}

async fn the_empty_key_is_refused_everywhere(context: Context) {
    let empty = || Key::new(Bytes::new());
    let apply = || ops([put(context.key("other"), "v")]);
    let malformed = [
        apply().then(put(empty(), "v")),
        apply().then(Op::Delete(empty())),
        apply().then(Op::Get(Get::key(empty()))),
        apply().when(Compare::Absent(empty())),
        apply().when(Compare::Present(empty())),
        apply().when(Compare::ModRevision(empty(), Revision(1))),
        apply().otherwise(Get::key(empty())),
    ];
    refused_and_not_applied(&context, malformed).await;
}

async fn refused_and_not_applied(context: &Context, malformed: impl IntoIterator<Item = Txn>) {
    let client = context.client().await;
    client.put(context.key("k"), Bytes::from("before")).await.unwrap();
    client.put(context.key("d/a"), Bytes::from("before")).await.unwrap();
    let before = state(&client, context.all()).await;
    for txn in malformed {
        let not_to_be_run = txn.clone().when(Compare::Absent(context.key("k")));
        for txn in [txn, not_to_be_run] {
            refused(client.txn(txn.clone()).await, BackendErrorKind::InvalidRequest);
            assert_eq!(state(&client, context.all()).await, before, "after {txn:?}");
        }
    }
}
