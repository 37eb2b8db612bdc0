//! What saboteurs share: hooks that change only what goes in or only what comes out, and a look at keys.

use futures::stream::{self, StreamExt};
use storage_core::kv::{
    BackendError, Compare, Entry, Key, KeyRange, KvBackend, Op, OpReply, RangePage, RangeRequest, Revision,
    Txn, TxnOutcome, TxnReply, WatchBatch,
};

use super::twist::{Store, Twist};

/// Changes what is asked for before it is read.
pub(super) fn requests(change: fn(&mut RangeRequest)) -> Twist {
    Twist::new().range(move |store, mut request| async move {
        change(&mut request);
        store.range(request).await
    })
}

/// Changes pages on their way back.
pub(super) fn pages(change: fn(&RangeRequest, &mut RangePage)) -> Twist {
    Twist::new().range(move |store, request| async move {
        let mut page = store.range(request.clone()).await?;
        change(&request, &mut page);
        Ok(page)
    })
}

/// Changes transactions before they are run.
pub(super) fn txns(change: fn(&mut Txn)) -> Twist {
    Twist::new().txn(move |store, mut txn| async move {
        change(&mut txn);
        store.txn(txn).await
    })
}

/// Changes what transactions answer.
pub(super) fn replies(change: fn(&Txn, &mut TxnReply)) -> Twist {
    Twist::new().txn(move |store, txn| async move {
        let mut reply = store.txn(txn.clone()).await?;
        change(&txn, &mut reply);
        Ok(reply)
    })
}

/// Leaves out the compares of which this is said, as if they held.
pub(super) fn without(is_ignored: fn(&Txn, &Compare) -> bool) -> Twist {
    Twist::new().txn(move |store, mut txn| async move {
        let all = txn.clone();
        txn.compares.retain(|compare| !is_ignored(&all, compare));
        store.txn(txn).await
    })
}

/// Changes every error of every method.
pub(super) fn errors(change: fn(BackendError) -> BackendError) -> Twist {
    Twist::new()
        .range(move |store, request| async move { store.range(request).await.map_err(change) })
        .txn(move |store, txn| async move { store.txn(txn).await.map_err(change) })
        .keep_alive(move |store, lease| async move { store.keep_alive(lease).await.map_err(change) })
        .time_to_live(move |store, lease| async move { store.time_to_live(lease).await.map_err(change) })
        .revoke(move |store, lease| async move { store.revoke(lease).await.map_err(change) })
}

/// Makes any number of batches of every batch that a watch delivers.
pub(super) fn batches(change: fn(WatchBatch) -> Vec<WatchBatch>) -> Twist {
    Twist::new().watch(move |store, (range, after)| async move {
        let changes = store.watch(range, after).await?;
        let twisted = changes.flat_map(move |item| match item {
            Ok(batch) => stream::iter(change(batch).into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        Ok(twisted.boxed())
    })
}

/// The newest revision of the store.
pub(super) async fn newest(store: &Store) -> Result<Revision, BackendError> {
    let any = RangeRequest::new(KeyRange::single(Key::new("any")));
    Ok(store.range(any).await?.revision)
}

/// Runs the steps of a transaction one by one, with time for others between them, as if they were one.
pub(super) async fn one_by_one(store: Store, txn: Txn) -> Result<TxnReply, BackendError> {
    let mut judging = Txn::new();
    (judging.compares, judging.failure) = (txn.compares, txn.failure);
    let judged = store.txn(judging).await?;
    if matches!(judged.outcome, TxnOutcome::NotMatched(_)) {
        return Ok(judged);
    }
    let mut revision = judged.revision;
    let mut answers = Vec::new();
    for op in txn.success {
        tokio::task::yield_now().await;
        let reply = store.txn(Txn::new().then(op)).await?;
        revision = reply.revision;
        if let TxnOutcome::Matched(mut answer) = reply.outcome {
            answers.append(&mut answer);
        }
    }
    Ok(TxnReply { revision, outcome: TxnOutcome::Matched(answers) })
}

/// What the steps of a transaction would answer had they been run and found nothing.
pub(super) fn made_up(txn: &Txn) -> Vec<OpReply> {
    let answer = |op: &Op| match op {
        Op::Put { .. } => OpReply::Put,
        Op::Delete(_) | Op::DeleteRange(_) => OpReply::Deleted(1),
        Op::Get(_) => OpReply::Get(storage_core::kv::GetReply::default()),
    };
    txn.success.iter().map(answer).collect()
}

/// Whether a transaction changes anything, should its compares hold.
pub(super) fn writes(txn: &Txn) -> bool {
    !txn.success.iter().all(|op| matches!(op, Op::Get(_)))
}

/// Every entry that a transaction has answered.
pub(super) fn entries(reply: &mut TxnReply) -> impl Iterator<Item = &mut Entry> {
    let (matched, not_matched) = match &mut reply.outcome {
        TxnOutcome::Matched(replies) => (Some(replies), None),
        TxnOutcome::NotMatched(gets) => (None, Some(gets)),
    };
    let gets = matched.into_iter().flatten().filter_map(|reply| match reply {
        OpReply::Get(get) => Some(get),
        OpReply::Put | OpReply::Deleted(_) => None,
    });
    gets.chain(not_matched.into_iter().flatten()).flat_map(|get| &mut get.entries)
}

/// Whether a key is of this kind in the case's tree: `meta`, `data`, `lock`, `session`.
pub(super) fn is_of(key: &Key, kind: &str) -> bool {
    String::from_utf8_lossy(key.as_bytes()).contains(&format!("/tree/{kind}/"))
}

/// Whether a transaction puts this key.
pub(super) fn puts(txn: &Txn, wanted: &Key) -> bool {
    txn.success.iter().any(|op| matches!(op, Op::Put { key, .. } if key == wanted))
}

/// The range of all keys with this prefix, if it is one of those.
pub(super) fn prefix_of(range: &KeyRange) -> Option<Vec<u8>> {
    let prefix = range.start().as_bytes();
    (KeyRange::prefix(prefix.to_vec()) == *range).then(|| prefix.to_vec())
}

/// A range that begins with the letters of a directory's name, in place of what lies below it.
pub(super) fn with_namesakes(range: &KeyRange) -> KeyRange {
    match prefix_of(range) {
        Some(mut prefix) if prefix.len() > 1 && prefix.ends_with(b"/") => {
            prefix.pop();
            KeyRange::prefix(prefix)
        }
        _ => range.clone(),
    }
}

/// A range with its end, which does not belong to it.
pub(super) fn with_end(range: &KeyRange) -> KeyRange {
    match range.end() {
        Some(end) if range.as_single().is_none() => KeyRange::new(range.start().clone(), end.successor()),
        _ => range.clone(),
    }
}

/// The ranges of a transaction's operations.
pub(super) fn deleted_ranges(txn: &mut Txn) -> impl Iterator<Item = &mut KeyRange> {
    txn.success.iter_mut().filter_map(|op| match op {
        Op::DeleteRange(range) => Some(range),
        Op::Put { .. } | Op::Delete(_) | Op::Get(_) => None,
    })
}
