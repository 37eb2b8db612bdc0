//! Writes that hold only while the lock does.

use storage_core::{ErrorKind, LockGuard, LockState};

use super::support::{delete_keys_below, done, open_faulty, until_lost, until_places};
use crate::decorate::{Call, Fault};
use crate::files::support::{everything, open, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-FENCE-1"], a_holder_writes_as_anybody_does),
    case!(["FS-FENCE-1"], what_is_refused_without_a_lock_is_refused_with_one),
    case!(["FS-FENCE-2"], nothing_is_written_once_the_lock_is_gone_though_the_guard_does_not_know),
    case!(["FS-FENCE-2"], nothing_is_written_for_a_holder_that_was_overtaken),
    case!(["FS-FENCE-3"], a_refused_write_tells_the_guard),
];

async fn a_holder_writes_as_anybody_does(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    let stored = guard.store("d/x", "1").await.unwrap();
    assert_eq!(stored, tree.stat("d/x").await.unwrap());
    assert_eq!(guard.store_many([("d/y", "2"), ("z", "3")]).await.unwrap().len(), 2);
    assert_eq!(guard.store_many(Vec::<(&str, &str)>::new()).await.unwrap(), []);
    guard.rename("z", "d/z").await.unwrap();
    assert_eq!(everything(&tree).await, ["d", "d/x", "d/y", "d/z"]);
    assert_eq!(guard.delete("d/x").await.unwrap(), 1);
    assert_eq!(guard.delete("d").await.unwrap(), 2);
    assert_eq!(guard.delete("d").await.unwrap(), 0);
    // Somebody else's lock does not stop who writes without one.
    open(&context).await.store("x", "unfenced").await.unwrap();
    guard.unlock().await.unwrap();
}

async fn what_is_refused_without_a_lock_is_refused_with_one(context: Context) {
    let tree = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    guard.store("d/x", "1").await.unwrap();
    refused(guard.store("d", "1").await, ErrorKind::IsADirectory, "d");
    refused(guard.store("d/x/y", "1").await, ErrorKind::NotADirectory, "d/x");
    refused(guard.store("", "1").await, ErrorKind::InvalidPath, "");
    refused(guard.store_many([("b", "1"), ("b", "2")]).await, ErrorKind::InvalidPath, "b");
    refused(guard.delete("").await, ErrorKind::InvalidPath, "");
    refused(guard.rename("d/x", "d/x").await, ErrorKind::AlreadyExists, "d/x");
    refused(guard.rename("b", "c").await, ErrorKind::NotFound, "b");
    // As deep as a path may be, and a move, fit into a transaction with the fence.
    let components = (tree.backend().limits().max_txn_ops - 8).min(64);
    let deepest = vec!["x"; components].join("/");
    guard.store(&deepest, "1").await.unwrap();
    guard.rename(&deepest, "y").await.unwrap();
    assert!(guard.is_held());
}

/// Every fenced write, each of which must be refused.
async fn all_refused<B: storage_core::kv::KvBackend>(guard: &LockGuard<B>) {
    refused(guard.store("kept", "overwritten").await, ErrorKind::LockLost, "kept");
    refused(guard.rename("kept", "moved").await, ErrorKind::LockLost, "kept");
    refused(guard.delete("kept").await, ErrorKind::LockLost, "kept");
    let group = guard.store_many([("kept", "overwritten"), ("new", "x")]).await;
    assert_eq!(group.unwrap_err().kind(), ErrorKind::LockLost);
}

async fn nothing_is_written_once_the_lock_is_gone_though_the_guard_does_not_know(context: Context) {
    // The watch that would tell the guard does not come to be.
    let tree = open_faulty(&context, std::time::Duration::from_secs(300)).await;
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Hang));
    tree.store("kept", "as it was").await.unwrap();
    for write in 0..4 {
        let guard = tree.lock("a").await.unwrap();
        guard.store("kept", "as it was").await.unwrap();
        delete_keys_below(&context, "lock/").await;
        assert_eq!(guard.state(), LockState::Held, "it does not know");
        let error = match write {
            0 => guard.store("kept", "overwritten").await.unwrap_err(),
            1 => guard.store_many([("kept", "overwritten"), ("new", "x")]).await.unwrap_err(),
            2 => guard.delete("kept").await.map(drop).unwrap_err(),
            _ => guard.rename("kept", "moved").await.map(drop).unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::LockLost, "write {write}: {error:?}");
        assert_eq!(everything(&tree).await, ["kept"]);
        assert_eq!(tree.load("kept").await.unwrap(), "as it was");
    }
}

async fn nothing_is_written_for_a_holder_that_was_overtaken(context: Context) {
    let tree = open_faulty(&context, super::support::shortest_timeout(&context).await).await;
    let other = open(&context).await;
    let guard = tree.lock("a").await.unwrap();
    let waiting = tokio::spawn(async move { other.lock("a").await.unwrap() });
    until_places(&context, "a", 2).await;
    tree.backend().inject(|call| matches!(call, Call::KeepAlive(_)).then_some(Fault::Refuse));
    let next = done("the next has it", waiting).await;
    next.store("kept", "as it was").await.unwrap();
    tree.backend().heal();
    all_refused(&guard).await;
    assert_eq!(everything(&tree).await, ["kept"]);
    assert_eq!(tree.load("kept").await.unwrap(), "as it was");
    assert!(next.is_held());
}

async fn a_refused_write_tells_the_guard(context: Context) {
    let tree = open_faulty(&context, std::time::Duration::from_secs(300)).await;
    tree.backend().inject(|call| matches!(call, Call::Watch(..)).then_some(Fault::Hang));
    let guard = tree.lock("a").await.unwrap();
    delete_keys_below(&context, "lock/").await;
    refused(guard.store("x", "y").await, ErrorKind::LockLost, "x");
    until_lost(&guard).await;
    refused(guard.unlock().await, ErrorKind::LockLost, "a");
}
