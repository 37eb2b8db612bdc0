//! Writes whose answer is lost.

use std::time::Duration;

use storage_core::kv::{Op, Txn};
use storage_core::{ErrorKind, LoadOrStore, Metadata};

use super::support::{NOTHING, everything, is_format, is_meta, open, options, refused, store_all};
use crate::decorate::{Call, Fault, Faulty};
use crate::locks::lost_answers::first;
use crate::locks::support::open_faulty;
use crate::tree::{FaultyTree, Tree};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-LOST-1"], a_write_that_was_applied_is_found_out),
    case!(["FS-LOST-1"], a_write_that_was_not_applied_is_sent_again),
    case!(["FS-LOST-1"], a_write_that_was_refused_is_refused_all_the_same),
    case!(["FS-LOST-2"], an_attempt_that_is_late_is_never_applied),
    case!(["FS-LOST-5"], a_write_that_is_not_answered_in_time_is_reported_as_open),
    case!(["FS-LOST-5"], a_request_timeout_under_a_second_is_refused),
    case!(["FS-LOST-6"], a_full_store_is_reported_only_if_nothing_was_written),
    case!(["FS-LOST-6"], files_are_deleted_from_a_full_store),
    case!(["FS-LOST-7"], a_handle_that_was_idle_finds_out_as_well),
];

/// The lock timeout of trees here, whose locks are released.
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);

/// The time by which late calls are late.
const LATE: Duration = Duration::from_secs(2);

/// Whether a call changes files.
pub(super) fn writes_files(call: &Call<'_>) -> bool {
    let Call::Txn(Txn { success, .. }) = call else { return false };
    success.iter().any(|op| match op {
        Op::Put { key, .. } | Op::Delete(key) => is_meta(key.as_bytes()),
        Op::DeleteRange(range) => is_meta(range.start().as_bytes()),
        Op::Get(_) => false,
    })
}

/// Whether a call fences writes off.
pub(super) fn fences(call: &Call<'_>) -> bool {
    let puts_format = |op: &Op| matches!(op, Op::Put { key, .. } if is_format(key.as_bytes()));
    matches!(call, Call::Txn(Txn { success, .. }) if success.iter().any(puts_format))
}

/// Does every kind of write on a tree, the first attempt of each with this fault, and checks what each answers and leaves.
async fn every_kind_of_write(tree: &FaultyTree, fault: Fault) {
    let spoil = || tree.backend().inject(first(1, writes_files, fault));
    let version = async |path: &str| tree.stat(path).await.unwrap().version;

    spoil();
    assert_eq!(tree.store("a", "1").await.unwrap().version, version("a").await);
    spoil();
    let stored = tree.store("a", "2").await.unwrap();
    assert_eq!((stored.version, &tree.load("a").await.unwrap()[..]), (version("a").await, &b"2"[..]));
    spoil();
    assert_eq!(tree.create("b", "1").await.unwrap().version, version("b").await);
    spoil();
    let stored = tree.store_if("a", "3", stored.version).await.unwrap();
    assert_eq!(stored.version, version("a").await);
    spoil();
    let loaded = tree.load_or_store("c", "1").await.unwrap();
    assert!(matches!(&loaded, LoadOrStore::Stored(file) if file.metadata.version == version("c").await));
    spoil();
    let group = tree.store_many([("d/1", "1"), ("d/2", "2"), ("d/3", "3")]).await.unwrap();
    assert_eq!(group.iter().map(|file| file.version).collect::<Vec<_>>(), [version("d/2").await; 3]);
    spoil();
    let moved = tree.rename("a", "e").await.unwrap();
    assert_eq!(moved.version, version("e").await);
    assert_eq!(everything(tree).await, ["b", "c", "d", "d/1", "d/2", "d/3", "e"]);

    spoil();
    assert_eq!(tree.delete("e").await.unwrap(), 1);
    spoil();
    assert_eq!(tree.delete("nothing").await.unwrap(), 0);
    spoil();
    assert_eq!(tree.delete_file("c").await.unwrap(), 1);
    spoil();
    assert_eq!(tree.delete("d").await.unwrap(), 3);
    assert_eq!(everything(tree).await, ["b"]);
    spoil();
    assert_eq!(tree.delete_all().await.unwrap(), 1);
    assert_eq!(everything(tree).await, NOTHING);

    let guard = tree.lock("lock").await.unwrap();
    spoil();
    assert_eq!(guard.store("a", "1").await.unwrap().version, version("a").await);
    spoil();
    assert_eq!(guard.store_many([("b", "1")]).await.unwrap()[0].version, version("b").await);
    spoil();
    assert_eq!(guard.rename("a", "c").await.unwrap().version, version("c").await);
    spoil();
    assert_eq!(guard.delete("c").await.unwrap(), 1);
    assert_eq!(everything(tree).await, ["b"]);
    guard.unlock().await.unwrap();
}

async fn a_write_that_was_applied_is_found_out(context: Context) {
    every_kind_of_write(&open_faulty(&context, TIMEOUT).await, Fault::LoseAnswer).await;
}

async fn a_write_that_was_not_applied_is_sent_again(context: Context) {
    every_kind_of_write(&open_faulty(&context, TIMEOUT).await, Fault::Late(LATE)).await;
}

async fn a_write_that_was_refused_is_refused_all_the_same(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    store_all(&tree, &["dir/file"]).await;
    let old = tree.store("file", "1").await.unwrap().version;
    tree.store("file", "2").await.unwrap();
    for fault in [Fault::LoseAnswer, Fault::Late(LATE)] {
        let spoil = || tree.backend().inject(first(1, writes_files, fault));
        spoil();
        refused(tree.store("dir", "x").await, ErrorKind::IsADirectory, "dir");
        spoil();
        refused(tree.create("file", "x").await, ErrorKind::AlreadyExists, "file");
        spoil();
        refused(tree.store_if("file", "x", old).await, ErrorKind::Conflict, "file");
        spoil();
        refused(tree.rename("file", "dir/file").await, ErrorKind::AlreadyExists, "dir/file");
        spoil();
        refused(tree.delete_file("dir").await, ErrorKind::IsADirectory, "dir");
    }
    assert_eq!(tree.load("file").await.unwrap(), "2");
}

async fn an_attempt_that_is_late_is_never_applied(context: Context) {
    let (tree, other) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    store_all(&other, &["replaced", "deleted", "dir/1", "dir/2"]).await;
    let spoil = || tree.backend().inject(first(1, writes_files, Fault::Late(LATE)));
    spoil();
    tree.store("replaced", "ours").await.unwrap();
    spoil();
    tree.store("deleted", "ours").await.unwrap();
    spoil();
    assert_eq!(tree.delete("dir").await.unwrap(), 2);
    // What others do now is after all that.
    let replaced = other.store("replaced", "theirs").await.unwrap();
    other.delete("deleted").await.unwrap();
    store_all(&other, &["dir/1"]).await;
    context.sleep(2 * LATE).await;
    assert_eq!(other.load_file("replaced").await.unwrap().metadata.version, replaced.version);
    assert_eq!(everything(&other).await, ["dir", "dir/1", "replaced"]);
}

async fn a_write_that_is_not_answered_in_time_is_reported_as_open(context: Context) {
    let limit = Duration::from_secs(1);
    let options = options(&context).with_request_timeout(limit);
    let tree = Tree::open_through(&context, Faulty::new(context.client().await), options).await.unwrap();
    store_all(&tree, &["a"]).await;
    for fault in [Fault::LoseAnswer, Fault::Hang] {
        let began = tokio::time::Instant::now();
        tree.backend().inject(move |_| Some(fault));
        refused(tree.store("a", "2").await, ErrorKind::OutcomeUnknown, "a");
        refused(tree.delete("a").await, ErrorKind::OutcomeUnknown, "a");
        let took = began.elapsed();
        assert!(took < 4 * limit, "{fault:?}: it took {took:?}");
        tree.backend().heal();
        tree.store("a", "3").await.unwrap();
        assert_eq!(tree.load("a").await.unwrap(), "3");
    }
    // Nothing was sent.
    tree.backend().inject(|_| Some(Fault::Refuse));
    refused(tree.store("a", "4").await, ErrorKind::Unavailable, "a");
    tree.backend().heal();
    // Every attempt was late, and none can be applied any more. The time may be over between an attempt and what makes
    // sure of that, in a slow store also more than once, but not every time.
    for content in ["5", "6", "7", "8", "9"] {
        let before = tree.load("a").await.unwrap();
        tree.backend().inject(|call| writes_files(call).then_some(Fault::Late(LATE)));
        let error = tree.store("a", content).await.unwrap_err();
        tree.backend().heal();
        context.sleep(2 * LATE).await;
        if error.kind() == ErrorKind::Timeout {
            assert_eq!(tree.load("a").await.unwrap(), before);
            return;
        }
        refused(Err::<Metadata, _>(error), ErrorKind::OutcomeUnknown, "a");
    }
    panic!("none of these writes is known not to have been applied");
}

async fn a_request_timeout_under_a_second_is_refused(context: Context) {
    let options = options(&context).with_request_timeout(Duration::from_millis(999));
    let error = Tree::open(&context, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("request_timeout"), "{error}");
    let options = self::options(&context).with_request_timeout(Duration::from_secs(1));
    Tree::open(&context, options).await.unwrap();
}

async fn a_full_store_is_reported_only_if_nothing_was_written(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    store_all(&tree, &["old"]).await;
    tree.backend().inject(first(1, writes_files, Fault::NoSpace { applied: true }));
    let stored = tree.store("new", "x").await.unwrap();
    assert_eq!(tree.stat("new").await.unwrap().version, stored.version);
    tree.backend().inject(|call| writes_files(call).then_some(Fault::NoSpace { applied: false }));
    refused(tree.store("old", "x").await, ErrorKind::NoSpace, "old");
    refused(tree.create("other", "x").await, ErrorKind::NoSpace, "other");
    refused(tree.rename("old", "other").await, ErrorKind::NoSpace, "old");
    assert_eq!(tree.load("old").await.unwrap(), "old");
    assert_eq!(everything(&tree).await, ["new", "old"]);
}

async fn files_are_deleted_from_a_full_store(context: Context) {
    let tree = open_faulty(&context, TIMEOUT).await;
    store_all(&tree, &["a", "b", "dir/1", "dir/2"]).await;
    let puts = |call: &Call<'_>| matches!(call, Call::Txn(Txn { success, .. }) if success.iter().any(|op| matches!(op, Op::Put { .. })));
    tree.backend().inject(move |call| puts(call).then_some(Fault::NoSpace { applied: false }));
    assert_eq!(tree.delete("dir").await.unwrap(), 2);
    assert_eq!(tree.delete_file("a").await.unwrap(), 1);
    assert_eq!(everything(&tree).await, ["b"]);
    tree.backend().inject(first(1, puts, Fault::NoSpace { applied: true }));
    assert_eq!(tree.delete("b").await.unwrap(), 1);
    // A store that takes no deletions either.
    tree.backend().heal();
    store_all(&tree, &["a", "dir/1"]).await;
    tree.backend().inject(|call| writes_files(call).then_some(Fault::NoSpace { applied: false }));
    refused(tree.delete("a").await, ErrorKind::NoSpace, "a");
    refused(tree.delete("dir").await, ErrorKind::NoSpace, "dir");
    refused(tree.delete_file("a").await, ErrorKind::NoSpace, "a");
    assert_eq!(everything(&tree).await, ["a", "dir", "dir/1"]);
}

async fn a_handle_that_was_idle_finds_out_as_well(context: Context) {
    let (tree, other) = (open_faulty(&context, TIMEOUT).await, open(&context).await);
    store_all(&other, &["a", "b", "c"]).await;
    other.delete("c").await.unwrap();
    other.store("a", "newer").await.unwrap();
    tree.backend().inject(first(1, writes_files, Fault::LoseAnswer));
    assert_eq!(tree.store("c", "x").await.unwrap().version, other.stat("c").await.unwrap().version);
    tree.backend().inject(first(1, writes_files, Fault::Late(LATE)));
    let stored = tree.store("a", "x").await.unwrap();
    assert_eq!(other.load_file("a").await.unwrap().metadata.version, stored.version);
}
