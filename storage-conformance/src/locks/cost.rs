//! How many calls locking makes.

use std::sync::Arc;

use storage_core::LayoutKind;
use storage_core::kv::KvBackend;

use crate::decorate::{Calls, Counting};
use crate::files::support::{open, options};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-COST-3"], taking_and_releasing_a_free_lock_take_one_transaction_each),
    case!(["FS-COST-3"], fenced_writes_take_no_more_calls_than_others),
    case!(["FS-COST-4"], a_session_is_made_once_and_when_it_is_needed),
];

const ONE_TXN: Calls = Calls { txn: 1, ..NONE };
const NONE: Calls = Calls { range: 0, txn: 0, grant: 0, keep_alive: 0, time_to_live: 0, revoke: 0, watch: 0 };

async fn counting(context: &Context) -> Tree<Arc<Counting<Arc<dyn KvBackend>>>> {
    let client = Counting::new(context.client().await);
    let tree = Tree::open_through(context, client, options(context)).await.unwrap();
    tree.store("first", "gives the tree its format").await.unwrap();
    tree
}

async fn taking_and_releasing_a_free_lock_take_one_transaction_each(context: Context) {
    let tree = counting(&context).await;
    tree.lock("first").await.unwrap().unlock().await.unwrap();
    // The watch of the session's own key is opened beside.
    let watches = async || (tree.backend().calls().watch == 1).then_some(());
    context.eventually("the session watches its key", Context::PATIENCE, watches).await;
    for _ in 0..5 {
        tree.backend().take();
        let guard = tree.lock("a").await.unwrap();
        assert_eq!(tree.backend().take(), ONE_TXN, "lock");
        assert!(tree.try_lock("a").await.unwrap().is_none());
        assert_eq!(tree.backend().take(), NONE, "try_lock of what a task of this client has");
        guard.unlock().await.unwrap();
        assert_eq!(tree.backend().take(), ONE_TXN, "unlock");
        let guard = tree.try_lock("a").await.unwrap().unwrap();
        assert_eq!(tree.backend().take(), ONE_TXN, "try_lock");
        tree.unlock("a").await.unwrap();
        assert_eq!(tree.backend().take(), ONE_TXN, "unlock by name");
        drop(guard);
    }
    let theirs = open(&context).await.lock("theirs").await.unwrap();
    tree.backend().take();
    assert!(tree.try_lock("theirs").await.unwrap().is_none());
    assert_eq!(tree.backend().take(), ONE_TXN, "try_lock of what another client has");
    drop(theirs);
}

async fn fenced_writes_take_no_more_calls_than_others(context: Context) {
    let tree = counting(&context).await;
    let guard = tree.lock("a").await.unwrap();
    let watches = async || (tree.backend().calls().watch == 1).then_some(());
    context.eventually("the session watches its key", Context::PATIENCE, watches).await;
    tree.backend().take();
    guard.store("x", "1").await.unwrap();
    assert_eq!(tree.backend().take(), ONE_TXN, "store");
    guard.store_many([("y", "1"), ("z/a", "2")]).await.unwrap();
    assert_eq!(tree.backend().take(), ONE_TXN, "store_many");
    guard.delete("z").await.unwrap();
    assert_eq!(tree.backend().take(), ONE_TXN, "delete");
    guard.rename("x", "b").await.unwrap();
    assert_eq!(tree.backend().take(), Calls { txn: 2, ..NONE }, "rename");
    guard.renew().await.unwrap();
    assert_eq!(tree.backend().take(), Calls { keep_alive: 1, ..NONE }, "renew");
    assert!(guard.is_held());
    assert_eq!(tree.backend().take(), NONE, "state");
}

async fn a_session_is_made_once_and_when_it_is_needed(context: Context) {
    let tree = counting(&context).await;
    tree.load("first").await.unwrap();
    tree.locks().await.unwrap();
    assert_eq!(tree.break_lock("nobody's").await.unwrap(), None);
    tree.unlock("nobody's").await.unwrap_err();
    assert_eq!(tree.backend().take().grant, 0, "nothing here needs a session");
    let all: Vec<_> = (0..8).map(|n| format!("lock-{n}")).collect();
    let guards = futures::future::join_all(all.iter().map(|name| tree.lock(name))).await;
    let refused: Vec<_> = guards.iter().filter_map(|guard| guard.as_ref().err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let calls = tree.backend().take();
    // With the key that members of the Go module look at.
    let of_a_lock = if context.layout() == LayoutKind::Native { 1 } else { 2 };
    let expected = (1, 1 + 8 * of_a_lock);
    assert_eq!((calls.grant, calls.txn), expected, "a lease, its record, and eight locks: {calls:?}");
}
