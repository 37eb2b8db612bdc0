//! What the cases share: opening trees, looking below them, and telling errors apart.

use std::fmt::Debug;

use bytes::Bytes;
use storage_core::kv::{Key, KvBackend, KvBackendExt, Op, Txn};
use storage_core::{DirEntry, Error, ErrorKind, KeyPrefix, ListOptions, Storage, StorageOptions};

use crate::Context;
use crate::tree::Tree;

/// The prefix of the case's tree, without a slash at its end.
pub(crate) fn tree_prefix(context: &Context) -> String {
    String::from_utf8(context.key("tree").into_bytes().to_vec()).unwrap()
}

pub(crate) fn options(context: &Context) -> StorageOptions {
    StorageOptions::new().with_prefix(KeyPrefix::parse(&tree_prefix(context)).unwrap())
}

/// The case's tree, through a client of its own.
pub(crate) async fn open(context: &Context) -> Tree {
    Tree::open(context, options(context)).await.unwrap()
}

/// The case's tree with these files, each with its own path as content.
pub(crate) async fn open_with(context: &Context, files: &[&str]) -> Tree {
    let tree = open(context).await;
    store_all(&tree, files).await;
    tree
}

pub(crate) async fn store_all<B: KvBackend>(tree: &Storage<B>, files: &[&str]) {
    for path in files {
        tree.store(path, path.as_bytes().to_vec()).await.unwrap();
    }
}

/// A key of the tree, as `docs/format.md` lays it out.
pub(crate) fn raw_key(context: &Context, rest: &str) -> Key {
    Key::new(format!("{}/{rest}", tree_prefix(context)))
}

/// What the store holds under a key of the tree.
pub(crate) async fn raw_get(context: &Context, rest: &str) -> Option<Bytes> {
    let client = context.client().await;
    client.get(raw_key(context, rest)).await.unwrap().map(|entry| entry.value)
}

/// Writes past the tree, as damage or a foreign program would.
pub(crate) async fn raw_put(context: &Context, rest: &str, value: impl Into<Bytes>) {
    let client = context.client().await;
    client.put(raw_key(context, rest), value.into()).await.unwrap();
}

pub(crate) async fn raw_delete(context: &Context, rest: &str) {
    let client = context.client().await;
    client.txn(Txn::new().then(Op::Delete(raw_key(context, rest)))).await.unwrap();
}

/// A refusal of this kind that is about this path.
pub(crate) fn refused<T: Debug>(result: Result<T, Error>, kind: ErrorKind, path: &str) -> Error {
    let error = result.expect_err(&format!("{path:?} should be refused with {kind:?}"));
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.path(), Some(path), "{error:?}");
    assert!(!error.to_string().contains('\n'), "an error is one line: {error}");
    error
}

pub(crate) fn paths(entries: &[DirEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.path.as_str()).collect()
}

/// What [`everything`] answers of an empty tree.
pub(crate) const NOTHING: [&str; 0] = [];

/// Every file and directory of a tree.
pub(crate) async fn everything<B: KvBackend>(tree: &Storage<B>) -> Vec<String> {
    let entries = tree.list("", ListOptions::descendants()).await.unwrap();
    entries.iter().map(|entry| entry.path.to_string()).collect()
}
