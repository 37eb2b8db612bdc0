//! Deleting files and directories.

use futures::future::join_all;
use storage_core::{ErrorKind, ListOptions};

use super::support::{NOTHING, everything, open, open_with, refused};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-DEL-1"], deleting_counts_files),
    case!(["FS-DEL-2"], a_directory_goes_with_everything_below_it_and_nothing_else),
    case!(["FS-DEL-3"], a_directory_is_seen_whole_or_not_at_all),
    case!(["FS-DEL-4"], the_root_is_not_deleted),
    case!(["FS-DEL-5"], delete_all_empties_the_tree),
    case!(["FS-DEL-6"], a_directory_of_many_files_is_deleted),
    case!(["FS-DEL-7"], deleting_a_file_spares_directories),
];

async fn deleting_counts_files(context: Context) {
    let tree = open_with(&context, &["a/one", "a/b/two", "a/b/three", "file"]).await;
    assert_eq!(tree.delete("nothing").await.unwrap(), 0);
    assert_eq!(tree.delete("file/below").await.unwrap(), 0);
    assert_eq!(tree.delete("file").await.unwrap(), 1);
    assert_eq!(tree.delete("file").await.unwrap(), 0);
    assert_eq!(tree.delete("a").await.unwrap(), 3);
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn a_directory_goes_with_everything_below_it_and_nothing_else(context: Context) {
    let tree = open_with(&context, &["a/b/c", "a/b/d/e", "a/bc", "a/b.d", "a/b-/x", "ab", "b/a/b/c"]).await;
    assert_eq!(tree.delete("a/b").await.unwrap(), 2);
    assert!(tree.load("a/b/c").await.unwrap_err().is_not_found());
    assert_eq!(
        everything(&tree).await,
        ["a", "a/b-", "a/b-/x", "a/b.d", "a/bc", "ab", "b", "b/a", "b/a/b", "b/a/b/c"]
    );
    let stored = context.client().await;
    let leftover =
        storage_core::kv::KvBackendExt::get(&*stored, super::support::raw_key(&context, "data/a/b/c"));
    assert!(leftover.await.unwrap().is_none(), "the content goes with the metadata");
}

/// One deletes and stores a directory of ten again and again, the other looks.
async fn a_directory_is_seen_whole_or_not_at_all(context: Context) {
    let (writer, reader) = (open(&context).await, open(&context).await);
    let names: Vec<String> = (0..10).map(|n| format!("dir/{n}")).collect();
    let files = || names.iter().map(|name| (name.as_str(), "x"));
    writer.store_many(files()).await.unwrap();
    let write = async {
        for _ in 0..30 {
            assert_eq!(writer.delete("dir").await.unwrap(), 10);
            tokio::task::yield_now().await;
            writer.store_many(files()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let look = async {
        for _ in 0..60 {
            match reader.list("dir", ListOptions::children()).await {
                Ok(entries) => assert_eq!(entries.len(), 10),
                Err(error) => assert!(error.is_not_found(), "{error}"),
            }
            let loaded = reader.load_many(&names).await.unwrap();
            let there = loaded.iter().filter(|file| file.is_ok()).count();
            assert!(there == 0 || there == 10, "{there} of 10");
            tokio::task::yield_now().await;
        }
    };
    futures::join!(write, look);
}

async fn the_root_is_not_deleted(context: Context) {
    let tree = open_with(&context, &["a"]).await;
    for root in ["", "/"] {
        refused(tree.delete(root).await, ErrorKind::InvalidPath, root);
    }
    assert_eq!(everything(&tree).await, ["a"]);
}

async fn delete_all_empties_the_tree(context: Context) {
    let tree = open(&context).await;
    assert_eq!(tree.delete_all().await.unwrap(), 0);
    super::support::store_all(&tree, &["a", "b/c", "b/d/e"]).await;
    assert_eq!(tree.delete_all().await.unwrap(), 3);
    assert_eq!(everything(&tree).await, NOTHING);
    tree.store("a/b", "the tree is still one").await.unwrap();
    assert_eq!(everything(&*open(&context).await).await, ["a", "a/b"]);
}

async fn a_directory_of_many_files_is_deleted(context: Context) {
    let tree = open(&context).await;
    let names: Vec<String> = (0..500).map(|n| format!("many/{}/{n}", n % 7)).collect();
    let stored = join_all(names.iter().map(|name| tree.store(name, "x"))).await;
    assert!(stored.iter().all(Result::is_ok), "{stored:?}");
    assert_eq!(tree.delete("many").await.unwrap(), 500);
    assert_eq!(everything(&tree).await, NOTHING);
}

async fn deleting_a_file_spares_directories(context: Context) {
    let tree = open_with(&context, &["a/b", "a/c", "file"]).await;
    refused(tree.delete_file("a").await, ErrorKind::IsADirectory, "a");
    refused(tree.delete_file("").await, ErrorKind::InvalidPath, "");
    assert_eq!(tree.delete_file("missing").await.unwrap(), 0);
    assert_eq!(tree.delete_file("file").await.unwrap(), 1);
    assert_eq!(tree.delete_file("a/b").await.unwrap(), 1);
    assert_eq!(everything(&tree).await, ["a", "a/c"]);
}
