//! What the cases share: opening trees, looking below them, and telling errors apart.

use std::fmt::Debug;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use storage_core::kv::{Key, KvBackend, KvBackendExt, Op, Txn};
use storage_core::{DirEntry, Error, ErrorKind, KeyPrefix, LayoutKind, ListOptions, Storage, StorageOptions};

use crate::Context;
use crate::tree::Tree;

/// The prefix of the case's tree, without a slash at its end.
pub(crate) fn tree_prefix(context: &Context) -> String {
    String::from_utf8(context.key("tree").into_bytes().to_vec()).unwrap()
}

pub(crate) fn options(context: &Context) -> StorageOptions {
    let options = StorageOptions::new().with_prefix(KeyPrefix::parse(&tree_prefix(context)).unwrap());
    match context.layout() {
        // What is found decides, as it does for users.
        LayoutKind::Native => options,
        layout => options.with_layout(layout),
    }
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

/// A key of the tree, by the name that it has in the native layout: `data/<path>`, `meta/<path>`, `format`, `deleted`,
/// `lock/…`, `session/…`, `quarantine/…`. In another layout it is the key of the same thing, as `docs/format.md` lays it out.
pub(crate) fn raw_key(context: &Context, rest: &str) -> Key {
    let prefix = tree_prefix(context);
    Key::new(match (context.layout(), rest.split_once('/')) {
        (LayoutKind::CaddyEtcd, Some(("data", path))) => format!("{prefix}/{path}"),
        (LayoutKind::CaddyEtcd, Some(("meta", path))) => format!("{prefix}/md/{path}"),
        (LayoutKind::CaddyEtcd, Some(("lock" | "session" | "quarantine", _))) => {
            format!("{prefix}/lock/md//{rest}")
        }
        (LayoutKind::CaddyEtcd, None) if ["format", "deleted"].contains(&rest) => {
            format!("{prefix}/lock/md//{rest}")
        }
        _ => format!("{prefix}/{rest}"),
    })
}

/// Whether the values of keys by these names are in base64.
fn is_encoded(context: &Context, rest: &str) -> bool {
    // A file in the quarantine has its two values there.
    let part = match rest.split_once('/') {
        Some(("quarantine", rest)) => rest.split_once('/').map_or("", |(_, part)| part),
        _ => rest,
    };
    context.layout() == LayoutKind::CaddyEtcd && (part.starts_with("data/") || part.starts_with("meta/"))
}

/// What the store holds under a key of the tree.
pub(crate) async fn raw_get(context: &Context, rest: &str) -> Option<Bytes> {
    let client = context.client().await;
    let value = client.get(raw_key(context, rest)).await.unwrap()?.value;
    let is_encoded = is_encoded(context, rest);
    Some(if is_encoded { BASE64_STANDARD.decode(value).unwrap().into() } else { value })
}

/// Writes past the tree, as damage or a foreign program would.
pub(crate) async fn raw_put(context: &Context, rest: &str, value: impl Into<Bytes>) {
    let client = context.client().await;
    let mut value = value.into();
    if is_encoded(context, rest) {
        value = BASE64_STANDARD.encode(value).into();
    }
    client.put(raw_key(context, rest), value).await.unwrap();
}

pub(crate) async fn raw_delete(context: &Context, rest: &str) {
    let client = context.client().await;
    client.txn(Txn::new().then(Op::Delete(raw_key(context, rest)))).await.unwrap();
}

/// Whether a key of a case's tree is a file's metadata, in either layout.
pub(crate) fn is_meta(key: &[u8]) -> bool {
    contains(key, b"/tree/meta/") || contains(key, b"/tree/md/")
}

/// Whether a key of a case's tree is that of its format, in either layout.
pub(crate) fn is_format(key: &[u8]) -> bool {
    key.ends_with(b"/tree/format") || key.ends_with(b"/tree/lock/md//format")
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
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
