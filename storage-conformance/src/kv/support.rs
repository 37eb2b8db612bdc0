//! What the cases share: reading whole ranges, taking answers apart, following a watch.

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use storage_core::kv::{
    BackendError, BackendErrorKind, Entry, Event, GetReply, Key, KeyRange, KvBackend, KvBackendExt, LeaseId,
    Op, OpReply, RangePage, RangeRequest, Revision, Txn, TxnOutcome, WatchBatch, WatchStream,
};

use crate::Context;

pub(super) type Client = Arc<dyn KvBackend>;

pub(super) fn put(key: Key, value: impl Into<Bytes>) -> Op {
    Op::Put { key, value: value.into(), lease: None }
}

pub(super) fn put_leased(key: Key, value: impl Into<Bytes>, lease: LeaseId) -> Op {
    Op::Put { key, value: value.into(), lease: Some(lease) }
}

pub(super) fn ops(ops: impl IntoIterator<Item = Op>) -> Txn {
    ops.into_iter().fold(Txn::new(), Txn::then)
}

pub(super) fn limit(entries: u32) -> NonZeroU32 {
    NonZeroU32::new(entries).expect("the limits of the cases are not zero")
}

/// Puts all these keys, in as few transactions as the store allows, and answers the revision of the last.
pub(super) async fn put_all(client: &Client, entries: &[(Key, Bytes)]) -> Revision {
    let mut revision = Revision::ZERO;
    for chunk in entries.chunks(client.limits().max_txn_ops) {
        let puts = chunk.iter().map(|(key, value)| put(key.clone(), value.clone()));
        revision = matched(client, ops(puts)).await.0;
    }
    revision
}

/// Runs a transaction whose compares must hold: its revision, and its answers.
pub(super) async fn matched(client: &Client, txn: Txn) -> (Revision, Vec<OpReply>) {
    let steps = txn.success.len();
    let reply = client.txn(txn).await.unwrap();
    let TxnOutcome::Matched(replies) = reply.outcome else { panic!("the compares should hold: {reply:?}") };
    assert_eq!(replies.len(), steps, "one answer for every step: {replies:?}");
    (reply.revision, replies)
}

/// Runs a transaction of which a compare must not hold: its revision, and its answers.
pub(super) async fn not_matched(client: &Client, txn: Txn) -> (Revision, Vec<GetReply>) {
    let steps = txn.failure.len();
    let reply = client.txn(txn).await.unwrap();
    let TxnOutcome::NotMatched(replies) = reply.outcome else { panic!("a compare should fail: {reply:?}") };
    assert_eq!(replies.len(), steps, "one answer for every read: {replies:?}");
    (reply.revision, replies)
}

/// The entry of a key that must be there.
pub(super) async fn there(client: &Client, key: &Key) -> Entry {
    let entry = client.get(key.clone()).await.unwrap();
    entry.unwrap_or_else(|| panic!("{key:?} should be there, and reads as no entry"))
}

/// A refusal: the kind that was expected, and none that leaves anything open.
#[track_caller]
pub(super) fn refused<T: Debug>(result: Result<T, BackendError>, kind: BackendErrorKind) -> BackendError {
    let error = result.expect_err(&format!("should be refused with {kind:?}"));
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.is_maybe_applied(), "a refusal has changed nothing: {error:?}");
    assert!(!error.is_retryable(), "it would be refused again: {error:?}");
    error
}

/// What a range holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The revision that the first page showed, and with it all others.
    pub(super) revision: Revision,
    pub(super) entries: Vec<Entry>,
}

impl State {
    pub(super) fn keys(&self) -> Vec<Key> {
        self.entries.iter().map(|entry| entry.key.clone()).collect()
    }

    pub(super) fn pairs(&self) -> Vec<(Key, Bytes)> {
        self.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    }
}

/// Reads a range at the newest revision.
pub(super) async fn state(client: &Client, range: KeyRange) -> State {
    read(client, RangeRequest::new(range)).await.unwrap()
}

/// Reads a range at an older revision.
pub(super) async fn state_at(client: &Client, range: KeyRange, revision: Revision) -> State {
    read(client, RangeRequest::new(range).with_revision(revision)).await.unwrap()
}

/// Reads a range to its end, all pages at the revision of the first, and checks each page.
pub(super) async fn read(client: &Client, request: RangeRequest) -> Result<State, BackendError> {
    let mut page = client.range(request.clone()).await?;
    check_page(&request, &page);
    let revision = page.revision;
    let mut entries = page.entries;
    while let Some(cursor) = page.next {
        let following = request.clone().with_cursor(cursor).with_revision(revision);
        page = client.range(following.clone()).await?;
        check_page(&following, &page);
        entries.append(&mut page.entries);
    }
    Ok(State { revision, entries })
}

/// What every page obeys, whatever was asked for.
fn check_page(request: &RangeRequest, page: &RangePage) {
    let range = request.remaining();
    if let Some(at) = request.at {
        assert_eq!(page.revision, at, "the page shows the revision asked for");
    }
    if let Some(limit) = request.limit {
        assert!(page.entries.len() <= limit.get() as usize, "{} entries, limit {limit}", page.entries.len());
    }
    assert!(page.entries.iter().all(|entry| range.contains(&entry.key)), "outside {range:?}: {page:?}");
    assert!(page.entries.is_sorted_by(|one, next| one.key < next.key), "not in key order: {page:?}");
    assert!(
        page.entries.iter().all(|entry| entry.mod_revision <= page.revision),
        "from the future: {page:?}"
    );
    if let Some(next) = &page.next {
        if let Some(cursor) = &request.cursor {
            assert!(next.key > cursor.key, "no progress: from {cursor:?} to {next:?}");
        }
        assert!(page.entries.iter().all(|entry| entry.key < next.key), "delivers twice: {page:?}");
    }
}

/// The newest revision of the store.
pub(super) async fn newest(client: &Client, context: &Context) -> Revision {
    client.range(RangeRequest::new(KeyRange::single(context.key("newest")))).await.unwrap().revision
}

/// The changes that a watch delivers, checked for what every watch obeys.
pub(super) struct Changes {
    stream: WatchStream,
    /// Everything up to here has been delivered.
    seen: Revision,
}

impl Changes {
    pub(super) async fn watch(client: &Client, range: KeyRange, after: Revision) -> Self {
        Self { stream: client.watch(range, after).await.unwrap(), seen: after }
    }

    /// Up to where everything has been delivered: where a resumed watch goes on.
    pub(super) fn seen(&self) -> Revision {
        self.seen
    }

    /// The next changes; reports of mere progress are passed over.
    pub(super) async fn next(&mut self) -> WatchBatch {
        loop {
            let item = tokio::time::timeout(Context::PATIENCE, self.stream.next()).await;
            let item = item.unwrap_or_else(|_| {
                let (seen, patience) = (self.seen, Context::PATIENCE);
                panic!("the watch should deliver a change after {seen}, and said nothing for {patience:?}")
            });
            let mut batch = item.expect("the watch should go on").unwrap();
            if batch.events.is_empty() {
                assert!(batch.revision >= self.seen, "progress goes back from {}: {batch:?}", self.seen);
                self.seen = batch.revision;
                continue;
            }
            assert!(batch.revision > self.seen, "delivered up to {} already: {batch:?}", self.seen);
            assert!(batch.events.iter().all(|event| event.revision() == batch.revision), "mixed: {batch:?}");
            self.seen = batch.revision;
            // Within a batch there is no order; the cases compare with theirs.
            batch.events.sort_by(|one, other| one.key().cmp(other.key()));
            return batch;
        }
    }

    /// The next changes, which must be exactly these, given in key order.
    pub(super) async fn expect(&mut self, revision: Revision, events: Vec<Event>) {
        assert_eq!(self.next().await, WatchBatch { revision, events });
    }

    /// The next changes must be the puts of these keys, given in key order.
    pub(super) async fn expect_puts(&mut self, revision: Revision, keys: &[Key]) {
        let batch = self.next().await;
        assert_eq!(batch.revision, revision, "{batch:?}");
        assert!(batch.events.iter().all(|event| matches!(event, Event::Put(_))), "only puts: {batch:?}");
        assert_eq!(batch.events.iter().map(|event| event.key().clone()).collect::<Vec<_>>(), keys);
    }
}

pub(super) fn deleted(key: &Key, revision: Revision) -> Event {
    Event::Delete { key: key.clone(), revision }
}
