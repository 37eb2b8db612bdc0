//! What nothing can be called in this layout.

use std::time::Duration;

use storage_core::{ErrorKind, ListOptions};

use super::member::{Clock, GoMember, open_at};
use crate::files::support::{NOTHING, everything, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-CADDY-4"], paths_where_metadata_and_locks_are_are_refused),
    case!(["FS-CADDY-4"], names_of_locks_that_the_go_module_would_clean_are_refused),
];

const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

async fn paths_where_metadata_and_locks_are_are_refused(context: Context) {
    let clock = Clock::new();
    let tree = open_at(&context, &clock, LOCK_TIMEOUT).await;
    let go = GoMember::new(&context, &clock, LOCK_TIMEOUT).await;
    go.store("x", b"x").await;
    for path in ["md", "md/x", "lock", "lock/a", "md/lock/a"] {
        let error = refused(tree.store(path, "1").await, ErrorKind::InvalidPath, path);
        assert!(error.to_string().contains("caddy-etcd"), "gives the reason: {error}");
        refused(tree.create(path, "1").await, ErrorKind::InvalidPath, path);
        refused(tree.load(path).await, ErrorKind::InvalidPath, path);
        refused(tree.delete(path).await, ErrorKind::InvalidPath, path);
        refused(tree.exists(path).await, ErrorKind::InvalidPath, path);
        refused(tree.stat(path).await, ErrorKind::InvalidPath, path);
        refused(tree.list(path, ListOptions::children()).await, ErrorKind::InvalidPath, path);
        refused(tree.rename("x", path).await, ErrorKind::InvalidPath, path);
        refused(tree.store_many([("fine", "1"), (path, "1")]).await, ErrorKind::InvalidPath, path);
        refused(tree.watch(path).await.map(drop), ErrorKind::InvalidPath, path);
    }
    assert_eq!(everything(&tree).await, ["x"]);
    let fine = ["mdx/a", "a/md/b", "a/lock", "locks"];
    for path in fine {
        tree.store(path, path.as_bytes().to_vec()).await.unwrap();
        assert_eq!(go.load(path).await.unwrap(), path.as_bytes());
    }
    // What the Go module has put there is no file here, and stays.
    go.store("lock/file", b"theirs").await;
    assert_eq!(everything(&tree).await, ["a", "a/lock", "a/md", "a/md/b", "locks", "mdx", "mdx/a", "x"]);
    assert_eq!(tree.stat("").await.unwrap().size, fine.iter().map(|path| path.len() as u64).sum::<u64>() + 1);
    tree.delete("a").await.unwrap();
    assert_eq!(go.load("lock/file").await.unwrap(), b"theirs");
}

async fn names_of_locks_that_the_go_module_would_clean_are_refused(context: Context) {
    let tree = open_at(&context, &Clock::new(), LOCK_TIMEOUT).await;
    for name in ["a//b", "/a", "a/", "..", "../md/x", "a/./b", "."] {
        refused(tree.lock(name).await, ErrorKind::InvalidName, name);
        refused(tree.try_lock(name).await, ErrorKind::InvalidName, name);
        refused(tree.unlock(name).await, ErrorKind::InvalidName, name);
        refused(tree.break_lock(name).await, ErrorKind::InvalidName, name);
    }
    assert_eq!(everything(&tree).await, NOTHING);
    for name in ["a", "a/b", "md", "md/x", "lock", "issue_cert_*.example.com"] {
        tree.lock(name).await.unwrap().unlock().await.unwrap();
    }
}
