//! What the cases of locks share: clients whose calls can be made to fail, and a look at the queues in the store.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use storage_core::LockGuard;
use storage_core::kv::{KeyRange, KvBackend, KvBackendExt, Op, Projection, RangeRequest, Revision, Txn};

use crate::Context;
use crate::decorate::{Call, Faulty};
use crate::files::support::{contains, options, raw_key};
use crate::tree::{FaultyTree, Tree};

/// The shortest lock timeout that the store grants.
pub(super) async fn shortest_timeout(context: &Context) -> Duration {
    context.client().await.limits().min_lease_ttl.max(Duration::from_secs(1))
}

/// A lock timeout that a machine which does other things as well does not let run out, and is over in seconds.
pub(crate) async fn short_timeout(context: &Context) -> Duration {
    shortest_timeout(context).await.max(Duration::from_secs(4))
}

/// The case's tree, through a client of its own whose locks outlive it for a short time.
pub(super) async fn open_short(context: &Context) -> Tree {
    let options = options(context).with_lock_timeout(short_timeout(context).await);
    Tree::open(context, options).await.unwrap()
}

/// Many storages that share one connection; each has a session of its own, as if it were a process.
pub(super) async fn open_many(context: &Context, count: usize) -> Vec<Tree> {
    let client = context.client().await;
    let mut trees = Vec::with_capacity(count);
    for _ in 0..count {
        trees.push(Tree::open_with(context, Arc::clone(&client), options(context)).await.unwrap());
    }
    trees
}

/// The case's tree, through a client of its own whose calls can be made to fail.
pub(crate) async fn open_faulty(context: &Context, lock_timeout: Duration) -> FaultyTree {
    let faulty = Faulty::new(context.client().await);
    Tree::open_through(context, faulty, options(context).with_lock_timeout(lock_timeout)).await.unwrap()
}

/// Whether a call puts a key of a lock's queue.
pub(super) fn puts_place(call: &Call<'_>) -> bool {
    let of_place = |op: &Op| matches!(op, Op::Put { key, .. } if is_place(key.as_bytes()));
    matches!(call, Call::Txn(Txn { success, .. }) if success.iter().any(of_place))
}

/// Whether a call puts the key of a session.
pub(super) fn puts_session(call: &Call<'_>) -> bool {
    let is_session = |op: &Op| matches!(op, Op::Put { key, .. } if contains(key.as_bytes(), b"/session/"));
    matches!(call, Call::Txn(Txn { success, .. }) if success.iter().any(is_session))
}

/// Whether a call deletes a key of a lock's queue.
pub(super) fn deletes_place(call: &Call<'_>) -> bool {
    let of_place = |op: &Op| matches!(op, Op::Delete(key) if is_place(key.as_bytes()));
    matches!(call, Call::Txn(Txn { success, .. }) if success.iter().any(of_place))
}

/// Whether a key is that of a place, in either layout, and not that of a lock of the Go module.
fn is_place(key: &[u8]) -> bool {
    let number = key.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
    let ends_in_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    contains(key, b"/tree/lock/") && contains(key, b"/lock/") && ends_in_number
}

/// How many places there are in the queue of this name, whose characters need no escape.
pub(crate) async fn places(context: &Context, name: &str) -> usize {
    keys_below(context, &format!("lock/{name}/")).await
}

/// How many keys of the tree begin so.
pub(super) async fn keys_below(context: &Context, rest: &str) -> usize {
    count(&context.client().await, below(context, rest)).await
}

/// Waits until there are so many places in the queue of this name.
pub(crate) async fn until_places(context: &Context, name: &str, expected: usize) {
    let what = format!("{expected} places in the queue of {name}");
    let (client, queue) = (context.client().await, below(context, &format!("lock/{name}/")));
    let reached = async || (count(&client, queue.clone()).await == expected).then_some(());
    context.eventually(&what, Context::PATIENCE, reached).await;
}

fn below(context: &Context, rest: &str) -> KeyRange {
    KeyRange::prefix(raw_key(context, rest).into_bytes())
}

async fn count(client: &Arc<dyn KvBackend>, range: KeyRange) -> usize {
    let keys = RangeRequest::new(range).with_projection(Projection::KeysOnly);
    client.scan(keys).try_fold(0, async |count, _| Ok(count + 1)).await.unwrap()
}

/// Waits until a task has ended well.
pub(crate) async fn done<T>(what: &str, task: tokio::task::JoinHandle<T>) -> T {
    let ended = tokio::time::timeout(Context::PATIENCE, task).await;
    ended.unwrap_or_else(|_| panic!("not within {:?}: {what}", Context::PATIENCE)).unwrap()
}

/// Waits until the guard says that its lock is lost.
pub(crate) async fn until_lost<B: KvBackend>(guard: &LockGuard<B>) {
    let lost = tokio::time::timeout(Context::PATIENCE, guard.lost()).await;
    lost.expect("the guard should be told that its lock is lost");
    assert!(!guard.is_held());
}

/// Deletes keys of the tree past it, as somebody with the store's own tools would.
pub(super) async fn delete_keys_below(context: &Context, rest: &str) {
    context.client().await.txn(Txn::new().then(Op::DeleteRange(below(context, rest)))).await.unwrap();
}

/// The newest revision of the store.
pub(super) async fn revision(context: &Context) -> Revision {
    let request = RangeRequest::new(KeyRange::single(raw_key(context, "format")));
    context.client().await.range(request).await.unwrap().revision
}
