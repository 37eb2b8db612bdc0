//! Reading states of the past, and losing them by compaction.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use storage_core::kv::{BackendErrorKind, Consistency, KeyRange, KvBackendExt, Op, RangeRequest, Revision};

use super::support::{Changes, State, limit, matched, ops, put, put_leased, read, refused, state, state_at};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["KV-SNAP-1"], a_page_says_which_state_it_shows),
    case!(["KV-SNAP-2"], an_old_revision_shows_the_state_after_it),
    case!(["KV-SNAP-3"], paging_at_one_revision_sees_no_later_change),
    case!(["KV-SNAP-3"], another_client_goes_on_from_a_cursor),
    case!(["KV-SNAP-4"], a_serializable_read_of_the_past_is_exact),
    case!(["KV-SNAP-5", "KV-ERR-1"], the_future_cannot_be_read),
    case!(["KV-SNAP-6", "KV-ERR-1"], what_was_compacted_cannot_be_read),
    case!(["KV-SNAP-7"], revision_zero_is_before_everything),
    case!(["KV-SNAP-8"], the_last_thousand_states_and_changes_are_kept),
    case!(["KV-SNAP-9"], a_serializable_read_shows_a_state_that_was),
    case!(["KV-REV-4"], compaction_takes_no_revision),
];

async fn a_page_says_which_state_it_shows(context: Context) {
    let client = context.client().await;
    let first = client.put(context.key("a"), Bytes::from("1")).await.unwrap();
    let second = client.put(context.key("b"), Bytes::from("1")).await.unwrap();
    assert!(second > first, "{second} after {first}");
    // The newest revision is the store's, also where the range itself changed earlier or never.
    for range in [context.all(), KeyRange::single(context.key("a")), context.below("missing")] {
        assert_eq!(state(&client, range.clone()).await.revision, second, "{range:?}");
        assert_eq!(state_at(&client, range.clone(), first).await.revision, first, "{range:?}");
    }
}

async fn an_old_revision_shows_the_state_after_it(context: Context) {
    let client = context.client().await;
    let (a, b) = (context.key("a"), context.key("b"));
    let one = client.grant(Duration::from_secs(600)).await.unwrap().id;
    let other = client.grant(Duration::from_secs(600)).await.unwrap().id;
    let steps = [
        ops([put_leased(a.clone(), "1", one)]),
        ops([put(b.clone(), "1")]),
        ops([put_leased(a.clone(), "2", other)]),
        ops([put(a.clone(), "2")]),
        ops([Op::Delete(a.clone())]),
        ops([put(a.clone(), "3"), Op::Delete(b.clone())]),
        ops([Op::DeleteRange(context.all())]),
        ops([put(b.clone(), "4"), put(a.clone(), "4")]),
    ];
    let mut history: Vec<State> = Vec::new();
    for step in steps {
        let (revision, _) = matched(&client, step).await;
        let now = state(&client, context.all()).await;
        assert_eq!(now.revision, revision);
        history.push(now);
    }
    let counts: Vec<_> = history.iter().map(|state| state.entries.len()).collect();
    assert_eq!(counts, [1, 2, 2, 2, 1, 1, 0, 2]);
    for then in &history {
        assert_eq!(state_at(&client, context.all(), then.revision).await, *then);
    }
}

async fn paging_at_one_revision_sees_no_later_change(context: Context) {
    let client = context.client().await;
    for number in 0..30 {
        client.put(context.key(format!("{number:02}")), Bytes::from("old")).await.unwrap();
    }
    let before = state(&client, context.all()).await;
    let request = RangeRequest::new(context.all()).with_limit(limit(4));
    let mut page = client.range(request.clone()).await.unwrap();
    let (pinned, mut entries, mut round) = (request.with_revision(page.revision), page.entries, 0);
    while let Some(cursor) = page.next {
        let behind = context.key(format!("{:02}", round % 30));
        let ahead = context.key(format!("{:02}", 29 - round % 30));
        let between = context.key(format!("{:02}x", 29 - round % 30));
        let changes = [put(between, "new"), put(behind, "new"), Op::Delete(ahead)];
        matched(&client, ops(changes)).await;
        page = client.range(pinned.clone().with_cursor(cursor)).await.unwrap();
        assert_eq!(page.revision, before.revision);
        entries.append(&mut page.entries);
        round += 1;
    }
    assert_eq!(entries, before.entries);
    assert_ne!(state(&client, context.all()).await.entries, before.entries);
}

async fn another_client_goes_on_from_a_cursor(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    for number in 0..20 {
        one.put(context.key(format!("{number:02}")), Bytes::from("v")).await.unwrap();
    }
    let expected = state(&one, context.all()).await;
    let request = RangeRequest::new(context.all()).with_limit(limit(6));
    let page = one.range(request.clone()).await.unwrap();
    let mut entries = page.entries;
    let cursor = page.next.expect("a page of six of twenty entries is not the last");
    let rest = request.with_cursor(cursor).with_revision(page.revision);
    entries.append(&mut read(&other, rest).await.unwrap().entries);
    assert_eq!(entries, expected.entries);
}

async fn a_serializable_read_of_the_past_is_exact(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    for round in 0..20 {
        let value = Bytes::from(round.to_string());
        let revision = one.put(context.key("k"), value.clone()).await.unwrap();
        let request = RangeRequest::new(context.all()).with_revision(revision);
        let found = read(&other, request.with_consistency(Consistency::Serializable)).await.unwrap();
        assert_eq!(found.pairs(), [(context.key("k"), value)]);
        assert_eq!(found.revision, revision);
    }
}

async fn the_future_cannot_be_read(context: Context) {
    let client = context.client().await;
    let newest = client.put(context.key("k"), Bytes::from("v")).await.unwrap();
    let future = [newest.0 + 1, newest.0 + 1000, i64::MAX as u64, 1 << 63, u64::MAX];
    for revision in future.map(Revision) {
        let request = RangeRequest::new(context.all()).with_revision(revision);
        refused(client.range(request).await, BackendErrorKind::FutureRevision);
    }
    assert_eq!(state_at(&client, context.all(), newest).await.entries.len(), 1);
}

async fn what_was_compacted_cannot_be_read(context: Context) {
    let client = context.client().await;
    let (deleted, kept) = (context.key("deleted"), context.key("kept"));
    let first = client.put(deleted.clone(), Bytes::from("1")).await.unwrap();
    let second = client.put(kept.clone(), Bytes::from("1")).await.unwrap();
    matched(&client, ops([Op::Delete(deleted)])).await;
    let third = client.put(kept.clone(), Bytes::from("2")).await.unwrap();
    let last = client.put(kept, Bytes::from("3")).await.unwrap();
    let (at_third, at_last) =
        (state_at(&client, context.all(), third).await, state_at(&client, context.all(), last).await);
    context.compact(third).await;
    for consistency in [Consistency::Linearizable, Consistency::Serializable] {
        for revision in [first, second] {
            let request = RangeRequest::new(context.all()).with_revision(revision);
            let answer = client.range(request.with_consistency(consistency)).await;
            refused(answer, BackendErrorKind::Compacted);
        }
    }
    assert_eq!(
        state_at(&client, context.all(), third).await,
        at_third,
        "the compacted revision itself is kept"
    );
    assert_eq!(state_at(&client, context.all(), last).await, at_last);
    assert_eq!(state(&client, context.all()).await, at_last, "the newest state is not touched");
}

async fn revision_zero_is_before_everything(context: Context) {
    let client = context.client().await;
    let put_at = client.put(context.key("k"), Bytes::from("v")).await.unwrap();
    assert!(put_at > Revision::ZERO, "a put at {put_at}");
    match client.range(RangeRequest::new(context.all()).with_revision(Revision::ZERO)).await {
        Ok(page) => {
            assert_eq!((page.revision, page.entries.len()), (Revision::ZERO, 0), "nothing was there yet");
        }
        Err(error) => assert_eq!(error.kind(), BackendErrorKind::Compacted, "{error:?}"),
    }
    assert_eq!(state(&client, context.all()).await.keys(), [context.key("k")]);
}

async fn the_last_thousand_states_and_changes_are_kept(context: Context) {
    const AT_ONCE: usize = 50;
    let client = context.client().await;
    let mut revisions = Vec::new();
    for _ in 0..1_000 / AT_ONCE {
        let puts = (0..AT_ONCE).map(|number| {
            let (client, key) = (client.clone(), context.key(number.to_string()));
            async move { client.put(key, Bytes::from("v")).await.unwrap() }
        });
        revisions.extend(join_all(puts).await);
    }
    revisions.sort();
    let first = state_at(&client, context.all(), revisions[0]).await;
    let found: Vec<_> = first.entries.iter().map(|entry| entry.mod_revision).collect();
    assert_eq!(found, [revisions[0]]);
    let mut changes = Changes::watch(&client, context.all(), revisions[0]).await;
    for revision in &revisions[1..] {
        assert_eq!(changes.next().await.revision, *revision);
    }
}

async fn a_serializable_read_shows_a_state_that_was(context: Context) {
    let (one, other) = (context.client().await, context.client().await);
    for round in 0..20 {
        let both = ["left", "right"].map(|name| put(context.key(name), round.to_string()));
        let (revision, _) = matched(&one, ops(both)).await;
        let request = RangeRequest::new(context.all()).with_consistency(Consistency::Serializable);
        let found = read(&other, request).await.unwrap();
        assert!(found.revision <= revision, "of the future, after {revision}: {found:?}");
        assert_eq!(found, state_at(&one, context.all(), found.revision).await);
    }
}

async fn compaction_takes_no_revision(context: Context) {
    let client = context.client().await;
    client.put(context.key("k"), Bytes::from("1")).await.unwrap();
    client.put(context.key("k"), Bytes::from("2")).await.unwrap();
    let before = state(&client, context.all()).await;
    context.compact(before.revision).await;
    assert_eq!(state(&client, context.all()).await, before);
    let next = client.put(context.key("k"), Bytes::from("3")).await.unwrap();
    assert_eq!(next, Revision(before.revision.0 + 1), "the revision after {}", before.revision);
}
