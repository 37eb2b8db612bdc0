//! Moving files.

use futures::future::join_all;
use storage_core::ErrorKind;

use super::support::{everything, open, open_with, raw_get, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-MOVE-1"], a_file_is_moved_with_all_it_has),
    case!(["FS-MOVE-2"], nothing_is_overwritten),
    case!(["FS-MOVE-3"], only_files_are_moved),
    case!(["FS-MOVE-4"], the_target_must_be_free),
    case!(["FS-MOVE-5"], a_file_is_at_exactly_one_place),
];

async fn a_file_is_moved_with_all_it_has(context: Context) {
    let tree = open(&context).await;
    let before = tree.store("a/b", "content").await.unwrap();
    let moved = tree.rename("a/b", "/c/d/e/").await.unwrap();
    assert_eq!(moved.path.as_str(), "c/d/e");
    assert_eq!((moved.size, moved.sha1, moved.modified), (before.size, before.sha1, before.modified));
    assert!(moved.version > before.version, "{moved:?} after {before:?}");
    assert_eq!(tree.stat("c/d/e").await.unwrap(), moved);
    assert_eq!(tree.load("c/d/e").await.unwrap(), "content");
    assert_eq!(everything(&tree).await, ["c", "c/d", "c/d/e"]);
    assert_eq!(raw_get(&context, "data/a/b").await, None, "nothing is left behind");
    tree.rename("c/d/e", "c/d/f").await.unwrap();
    tree.rename("c/d/f", "c/e").await.unwrap();
    assert_eq!(everything(&tree).await, ["c", "c/e"]);
}

async fn nothing_is_overwritten(context: Context) {
    let tree = open_with(&context, &["a", "b"]).await;
    refused(tree.rename("a", "b").await, ErrorKind::AlreadyExists, "b");
    refused(tree.rename("a", "/a").await, ErrorKind::AlreadyExists, "/a");
    assert_eq!(tree.load("a").await.unwrap(), "a");
    assert_eq!(tree.load("b").await.unwrap(), "b");
}

async fn only_files_are_moved(context: Context) {
    let tree = open_with(&context, &["dir/x"]).await;
    refused(tree.rename("missing", "b").await, ErrorKind::NotFound, "missing");
    refused(tree.rename("missing", "missing").await, ErrorKind::NotFound, "missing");
    refused(tree.rename("dir", "b").await, ErrorKind::IsADirectory, "dir");
    refused(tree.rename("", "b").await, ErrorKind::InvalidPath, "");
    assert_eq!(everything(&tree).await, ["dir", "dir/x"]);
}

async fn the_target_must_be_free(context: Context) {
    let tree = open_with(&context, &["a", "dir/x", "file"]).await;
    refused(tree.rename("a", "dir").await, ErrorKind::IsADirectory, "dir");
    refused(tree.rename("a", "file/x").await, ErrorKind::NotADirectory, "file");
    refused(tree.rename("a", "a/b").await, ErrorKind::NotADirectory, "a");
    refused(tree.rename("dir/x", "dir").await, ErrorKind::IsADirectory, "dir");
    assert_eq!(everything(&tree).await, ["a", "dir", "dir/x", "file"]);
}

/// Eight movers fight for one file while others change it and look for it.
async fn a_file_is_at_exactly_one_place(context: Context) {
    let (mover, other) = (open(&context).await, open(&context).await);
    mover.store("place/0", "x").await.unwrap();
    let fights = (0..8).map(|n| {
        let tree = if n % 2 == 0 { &mover } else { &other };
        async move {
            for step in 0..5 {
                let (from, to) =
                    (format!("place/{}", (n + step) % 8), format!("place/{}", (n + step + 1) % 8));
                if let Err(error) = tree.rename(&from, &to).await {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
                }
            }
        }
    });
    let look = async {
        let names: Vec<String> = (0..8).map(|n| format!("place/{n}")).collect();
        for _ in 0..40 {
            let found = other.load_many(&names).await.unwrap();
            assert_eq!(found.iter().filter(|file| file.is_ok()).count(), 1);
            tokio::task::yield_now().await;
        }
    };
    futures::join!(join_all(fights), look);
}
