//! What a real store rarely does: answers lost, formats that change, snapshots that vanish.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;
use mockall::Sequence;
use mockall::predicate::always;

use super::{ListItem, ListOptions, Storage};
use crate::config::StorageOptions;
use crate::environment::Surroundings;
use crate::error::ErrorKind;
use crate::kv::{
    BackendError, BackendErrorKind, Compare, Entry, GetReply, Key, KeyRange, Limits, Op, OpReply, RangePage,
    Revision, Txn, TxnOutcome, TxnReply,
};
use crate::layout::READS;
use crate::mock::MockBackend;
use crate::record::{Record, WriteId};

fn entry(key: &'static str, value: &'static str, revision: u64) -> Entry {
    let revision = Revision(revision);
    Entry {
        key: Key::new(key),
        value: Bytes::from_static(value.as_bytes()),
        create_revision: revision,
        mod_revision: revision,
        lease: None,
    }
}

fn write_id() -> WriteId {
    WriteId::random(&Surroundings::default())
}

fn page(revision: u64, entries: Vec<Entry>) -> RangePage {
    RangePage { revision: Revision(revision), entries, next: None }
}

fn found(entries: Vec<Entry>) -> GetReply {
    GetReply { entries, more: false }
}

fn reply(revision: u64, outcome: TxnOutcome) -> TxnReply {
    TxnReply { revision: Revision(revision), outcome }
}

fn matched(revision: u64, replies: Vec<OpReply>) -> TxnReply {
    reply(revision, TxnOutcome::Matched(replies))
}

/// A store that has the tree's format key, put at this revision, and gives these answers to transactions in turn.
fn store_with(format: Vec<Entry>, txns: Vec<Result<TxnReply, BackendError>>) -> MockBackend {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    let mut answers = VecDeque::from(txns);
    answers.push_front(Ok(opened(format)));
    let times = answers.len();
    let answers = Mutex::new(answers);
    backend.expect_txn().times(times).returning(move |_| answers.lock().unwrap().pop_front().unwrap());
    backend
}

/// Whether this is the transaction that opens a tree.
fn is_opening(txn: &Txn) -> bool {
    txn.compares.is_empty() && txn.success.len() == READS
}

/// The answer to it in a tree with this format key.
fn opened(format: Vec<Entry>) -> TxnReply {
    let mut replies = vec![OpReply::Get(found(format))];
    replies.resize(READS, OpReply::Get(GetReply::default()));
    matched(5, replies)
}

async fn open(backend: MockBackend) -> Storage<MockBackend> {
    Storage::open(backend, StorageOptions::new()).await.unwrap()
}

fn format_1() -> Vec<Entry> {
    vec![entry("/caddy/format", "1", 3)]
}

fn lost() -> BackendError {
    BackendError::new(BackendErrorKind::Timeout, "after 5 s")
}

#[tokio::test]
async fn a_write_that_cannot_be_fenced_off_is_reported_as_open() {
    let denied = BackendError::new(BackendErrorKind::PermissionDenied, "no longer");
    let storage = open(store_with(format_1(), vec![Err(lost()), Err(denied)])).await;
    let error = storage.store("a", "x").await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::OutcomeUnknown, Some("a")));
    assert!(error.is_backend(BackendErrorKind::PermissionDenied), "{error:?}");
}

#[tokio::test]
async fn a_write_is_reported_as_open_if_the_history_in_which_it_would_be_found_is_gone() {
    let fenced = matched(20, vec![OpReply::Put]);
    let mut backend = store_with(format_1(), vec![Err(lost()), Ok(fenced)]);
    let newer = Record::of(b"y", SystemTime::UNIX_EPOCH, write_id()).encode();
    let meta = Entry { value: newer, ..entry("/caddy/meta/a", "", 15) };
    backend.expect_range().times(1).return_once(move |_| Ok(page(20, vec![meta])));
    let gone = || BackendError::new(BackendErrorKind::Compacted, "up to 16");
    backend
        .expect_range()
        .times(1)
        .withf(|request| request.at == Some(Revision(14)))
        .return_once(move |_| Err(gone()));
    let storage = open(backend).await;
    let error = storage.store("a", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(error.is_backend(BackendErrorKind::Compacted), "{error:?}");
}

#[tokio::test]
async fn what_was_written_before_the_call_is_not_looked_through() {
    let again = matched(30, vec![OpReply::Put, OpReply::Put]);
    let fenced = matched(20, vec![OpReply::Put]);
    let mut backend = store_with(format_1(), vec![Err(lost()), Ok(fenced), Ok(again)]);
    let older = Record::of(b"y", SystemTime::UNIX_EPOCH, write_id()).encode();
    let meta = Entry { value: older, ..entry("/caddy/meta/a", "", 5) };
    backend.expect_range().times(1).return_once(move |_| Ok(page(20, vec![meta])));
    let stored = open(backend).await.store("a", "x").await.unwrap();
    assert_eq!(stored.version.revision(), Revision(30));
}

#[tokio::test]
async fn in_a_store_that_has_gone_back_everything_is_looked_through() {
    let again = matched(6, vec![OpReply::Put, OpReply::Put]);
    let mut backend =
        store_with(format_1(), vec![Err(lost()), Ok(matched(4, vec![OpReply::Put])), Ok(again)]);
    let record = |revision| Entry {
        value: Record::of(b"y", SystemTime::UNIX_EPOCH, write_id()).encode(),
        ..entry("/caddy/meta/a", "", revision)
    };
    backend.expect_range().times(1).return_once(move |_| Ok(page(4, vec![record(3)])));
    let older = |request: &crate::kv::RangeRequest| request.at == Some(Revision(2));
    backend.expect_range().times(1).withf(older).return_once(move |_| Ok(page(4, vec![record(1)])));
    let stored = open(backend).await.store("a", "x").await.unwrap();
    assert_eq!(stored.version.revision(), Revision(6));
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_was_idle_looks_where_the_store_is_before_it_writes() {
    let answers = (6..9).map(|revision| Ok(matched(revision, vec![OpReply::Put, OpReply::Put])));
    let mut backend = store_with(format_1(), answers.collect());
    backend.expect_range().times(1).return_once(|_| Ok(page(7, format_1())));
    let storage = open(backend).await;
    storage.store("a", "x").await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(59)).await;
    storage.store("a", "x").await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    storage.store("a", "x").await.unwrap();
}

#[tokio::test]
async fn an_outage_is_never_an_answer() {
    let down = || Err(BackendError::new(BackendErrorKind::Unavailable, "connection refused"));
    let storage = open(store_with(format_1(), vec![down(), down(), down()])).await;
    assert_eq!(storage.exists("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(storage.load("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(storage.list("", ListOptions::children()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_tree_of_another_format_is_refused_before_anything_is_written() {
    let mut backend = MockBackend::new();
    backend.expect_txn().with(always()).return_once(|_| Ok(opened(vec![entry("/caddy/format", "2", 3)])));
    let error = Storage::open(backend, StorageOptions::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("\"2\""), "{error}");
}

#[tokio::test]
async fn a_tree_that_changes_its_format_is_not_written_any_more() {
    let moved = vec![found(vec![entry("/caddy/format", "2", 9)]), found(vec![])];
    let answers = vec![Ok(reply(9, TxnOutcome::NotMatched(moved)))];
    let storage = open(store_with(format_1(), answers)).await;
    assert_eq!(storage.store("a", "x").await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_format_key_that_was_put_again_is_learnt_and_the_write_sent_again() {
    let again = vec![found(vec![entry("/caddy/format", "1", 9)]), found(vec![])];
    let answers =
        vec![Ok(reply(9, TxnOutcome::NotMatched(again))), Ok(matched(10, vec![OpReply::Put, OpReply::Put]))];
    let storage = open(store_with(format_1(), answers)).await;
    let stored = storage.store("a", "x").await.unwrap();
    assert_eq!(stored.version.revision(), Revision(10));
}

#[tokio::test]
async fn the_first_write_of_an_empty_tree_gives_it_its_format() {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_txn().withf(is_opening).times(1).return_once(|_| Ok(opened(vec![])));
    let key = Key::new("/caddy/format");
    let format = Op::Put { key: key.clone(), value: Bytes::from_static(b"1"), lease: None };
    let unused =
        [Compare::Absent(key.clone()), Compare::RangeEmpty(KeyRange::prefix("/caddy/md/".to_owned()))];
    backend
        .expect_txn()
        .withf(move |txn| txn.compares == unused && txn.success == [format.clone()])
        .times(1)
        .return_once(|_| Ok(matched(6, vec![OpReply::Put])));
    backend
        .expect_txn()
        .withf(move |txn| txn.compares[0] == Compare::ModRevision(key.clone(), Revision(6)))
        .times(1)
        .return_once(|_| Ok(matched(7, vec![OpReply::Put, OpReply::Put])));
    open(backend).await.store("a", "x").await.unwrap();
}

#[tokio::test]
async fn a_listing_whose_snapshot_is_compacted_away_starts_over() {
    let first = |revision, key| {
        let more = GetReply { entries: vec![entry(key, "", revision)], more: true };
        matched(revision, vec![OpReply::Get(more)])
    };
    let whole = matched(9, vec![OpReply::Get(found(vec![entry("/caddy/meta/b", "", 9)]))]);
    let mut backend = store_with(format_1(), vec![Ok(first(8, "/caddy/meta/a")), Ok(whole)]);
    backend
        .expect_range()
        .withf(|request| request.at == Some(Revision(8)))
        .times(1)
        .return_once(|_| Err(BackendError::new(BackendErrorKind::Compacted, "")));
    let storage = open(backend).await;
    let items: Vec<_> = storage.list_stream("", ListOptions::children()).try_collect().await.unwrap();
    let shown: Vec<_> = items
        .iter()
        .map(|item| match item {
            ListItem::Entry(entry) => entry.path.as_str(),
            ListItem::StartOver => "start over",
        })
        .collect();
    assert_eq!(shown, ["a", "start over", "b"]);
}

#[tokio::test]
async fn a_page_behind_a_large_child_directory_is_small() {
    let small = NonZeroU32::new(1_000);
    for (second, behind, limit) in
        [("/caddy/meta/d/a/y", "/caddy/meta/d/a0", small), ("/caddy/meta/d/b/y", "/caddy/meta/d/b0", None)]
    {
        let entries = ["/caddy/meta/d/a/x", second].map(|key| entry(key, "", 8)).into();
        let first = matched(8, vec![OpReply::Get(GetReply { entries, more: true })]);
        let mut backend = store_with(format_1(), vec![Ok(first)]);
        backend
            .expect_range()
            .withf(move |request| {
                let cursor = request.cursor.as_ref();
                cursor.is_some_and(|cursor| cursor.key == Key::new(behind)) && request.limit == limit
            })
            .times(1)
            .return_once(|_| Ok(page(8, vec![entry("/caddy/meta/d/c", "", 8)])));
        let listed = open(backend).await.list("d", ListOptions::children()).await.unwrap();
        assert_eq!(listed.last().unwrap().path.as_str(), "d/c");
    }
}

#[tokio::test]
async fn what_no_transaction_can_hold_is_refused_before_it_is_sent() {
    let storage = open(store_with(format_1(), vec![])).await;
    let too_large = storage.store("a", vec![0; 1_572_865]).await.unwrap_err();
    assert_eq!(too_large.kind(), ErrorKind::TooLarge);
    assert!(too_large.to_string().contains("1572864"), "{too_large}");
    let files: Vec<_> = (0..65).map(|n| (format!("f{n}"), "x")).collect();
    let too_many = storage.store_many(files).await.unwrap_err();
    assert_eq!(too_many.kind(), ErrorKind::TooLarge);
    assert!(too_many.to_string().contains("128"), "{too_many}");
    let empty = open(store_with(vec![], vec![])).await;
    assert_eq!(empty.store("a", vec![0; 1_572_865]).await.unwrap_err().kind(), ErrorKind::TooLarge);
}

/// A file's content and record, as the store answers a load.
fn loaded(content: &'static str, revision: u64) -> TxnReply {
    let record = Record::of(content.as_bytes(), SystemTime::UNIX_EPOCH, write_id()).encode();
    let mut meta = entry("/caddy/meta/a", "", revision);
    meta.value = record;
    let data = entry("/caddy/data/a", content, revision);
    let replies = [vec![data], vec![meta], vec![]].map(|entries| OpReply::Get(found(entries)));
    matched(revision, replies.into())
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_moved_is_moved_as_it_then_is() {
    let mut backend = MockBackend::new();
    backend.expect_limits().return_const(Limits::ETCD_DEFAULTS);
    backend.expect_txn().withf(is_opening).times(1).return_once(|_| Ok(opened(format_1())));
    let is_load = |txn: &Txn| txn.compares.is_empty() && !is_opening(txn);
    let moves = |content: &'static [u8], version: u64| {
        move |txn: &Txn| {
            let unchanged = Compare::ModRevision(Key::new("/caddy/meta/a"), Revision(version));
            let puts = txn.success.iter().any(|op| matches!(op, Op::Put { value, .. } if value == content));
            txn.compares.contains(&unchanged) && puts
        }
    };
    let mut order = Sequence::new();
    let changed =
        [entry("/caddy/format", "1", 3), entry("/caddy/meta/a", "", 8)].map(|entry| found(vec![entry]));
    let changed = reply(8, TxnOutcome::NotMatched(changed.into()));
    let done = matched(9, vec![OpReply::Put, OpReply::Put, OpReply::Deleted(1), OpReply::Deleted(1)]);
    backend
        .expect_txn()
        .withf(is_load)
        .times(1)
        .in_sequence(&mut order)
        .return_once(|_| Ok(loaded("old", 7)));
    backend
        .expect_txn()
        .withf(moves(b"old", 7))
        .times(1)
        .in_sequence(&mut order)
        .return_once(|_| Ok(changed));
    backend
        .expect_txn()
        .withf(is_load)
        .times(1)
        .in_sequence(&mut order)
        .return_once(|_| Ok(loaded("new", 8)));
    backend.expect_txn().withf(moves(b"new", 8)).times(1).in_sequence(&mut order).return_once(|_| Ok(done));
    let target = open(backend).await.rename("a", "b").await.unwrap();
    assert_eq!((target.path.as_str(), target.size, target.version.revision()), ("b", 3, Revision(9)));
}
