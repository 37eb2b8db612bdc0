//! Writes that depend on what is there.

use futures::future::join_all;
use storage_core::{ErrorKind, LoadOrStore, Replaces, StoreOptions};

use super::support::{everything, open, open_with, raw_put, refused};
use crate::tree::Tree;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-COND-1"], store_if_replaces_only_the_version_that_was_seen),
    case!(["FS-COND-1", "FS-COND-2"], what_a_file_may_replace_can_be_said_with_the_options),
    case!(["FS-COND-2"], create_never_replaces),
    case!(["FS-COND-2"], of_many_creators_one_wins),
    case!(["FS-COND-3"], load_or_store_stores_once),
    case!(["FS-COND-3"], everybody_gets_the_first_ones_file),
    case!(["FS-COND-3", "FS-DAMAGE-1"], a_damaged_bootstrap_file_is_an_error),
    case!(["FS-COND-4"], no_change_is_lost),
    case!(["FS-COND-5"], files_above_and_below_are_respected),
];

async fn store_if_replaces_only_the_version_that_was_seen(context: Context) {
    let tree = open(&context).await;
    let first = tree.store("a", "1").await.unwrap();
    let second = tree.store_if("a", "2", first.version).await.unwrap();
    assert!(second.version > first.version, "{second:?} after {first:?}");
    let error = refused(tree.store_if("a", "3", first.version).await, ErrorKind::Conflict, "a");
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!(tree.load("a").await.unwrap(), "2");
    tree.delete("a").await.unwrap();
    refused(tree.store_if("a", "3", second.version).await, ErrorKind::NotFound, "a");
    tree.create("a", "4").await.unwrap();
    refused(tree.store_if("a", "5", second.version).await, ErrorKind::Conflict, "a");
    assert_eq!(tree.load("a").await.unwrap(), "4");
}

async fn what_a_file_may_replace_can_be_said_with_the_options(context: Context) {
    let tree = open_with(&context, &["dir/file"]).await;
    let over = |replaces| StoreOptions::new().with_replaces(replaces);
    let first = tree.store_with("a", "1", over(Replaces::Nothing)).await.unwrap();
    refused(tree.store_with("a", "2", over(Replaces::Nothing)).await, ErrorKind::AlreadyExists, "a");
    refused(tree.store_with("dir", "2", over(Replaces::Nothing)).await, ErrorKind::IsADirectory, "dir");
    assert_eq!(tree.load("a").await.unwrap(), "1");
    let second = tree.store_with("a", "2", over(Replaces::Version(first.version))).await.unwrap();
    refused(
        tree.store_with("a", "3", over(Replaces::Version(first.version))).await,
        ErrorKind::Conflict,
        "a",
    );
    assert_eq!(tree.load_file("a").await.unwrap().metadata, second);
    tree.store_with("a", "4", over(Replaces::Anything)).await.unwrap();
    tree.delete("a").await.unwrap();
    refused(
        tree.store_with("a", "5", over(Replaces::Version(second.version))).await,
        ErrorKind::NotFound,
        "a",
    );
    assert_eq!(everything(&tree).await, ["dir", "dir/file"]);
}

async fn create_never_replaces(context: Context) {
    let tree = open(&context).await;
    tree.create("a", "1").await.unwrap();
    refused(tree.create("a", "2").await, ErrorKind::AlreadyExists, "a");
    assert_eq!(tree.load("a").await.unwrap(), "1");
}

async fn of_many_creators_one_wins(context: Context) {
    let trees = [open(&context).await, open(&context).await];
    let attempts = (0..16).map(|n| {
        let tree: &Tree = &trees[n % 2];
        async move { tree.create("lockfile", n.to_string()).await }
    });
    let results = join_all(attempts).await;
    let winners: Vec<_> = (0..16).filter(|n| results[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    assert_eq!(trees[0].load("lockfile").await.unwrap(), winners[0].to_string());
    let losers = results.into_iter().filter_map(Result::err);
    let kinds: Vec<_> = losers.into_iter().map(|error| error.kind()).collect();
    assert_eq!(kinds, vec![ErrorKind::AlreadyExists; kinds.len()]);
}

async fn load_or_store_stores_once(context: Context) {
    let tree = open(&context).await;
    let stored = tree.load_or_store("caddyfile", "first").await.unwrap();
    assert!(matches!(&stored, LoadOrStore::Stored(file) if file.content == "first"), "{stored:?}");
    let loaded = tree.load_or_store("caddyfile", "second").await.unwrap();
    assert!(matches!(&loaded, LoadOrStore::Loaded(_)), "{loaded:?}");
    assert_eq!(loaded.into_file(), stored.into_file());
    assert_eq!(tree.load("caddyfile").await.unwrap(), "first");
}

async fn everybody_gets_the_first_ones_file(context: Context) {
    let trees = [open(&context).await, open(&context).await, open(&context).await];
    let members = (0..15).map(|n| {
        let tree: &Tree = &trees[n % 3];
        async move { tree.load_or_store("caddyfile", format!("of member {n}")).await.unwrap() }
    });
    let answers = join_all(members).await;
    let stored = answers.iter().filter(|answer| matches!(answer, LoadOrStore::Stored(_))).count();
    assert_eq!(stored, 1);
    let files: Vec<_> = answers.into_iter().map(LoadOrStore::into_file).collect();
    assert!(files.iter().all(|file| *file == files[0]), "all the same: {files:?}");
}

async fn a_damaged_bootstrap_file_is_an_error(context: Context) {
    let tree = open_with(&context, &["caddyfile"]).await;
    raw_put(&context, "data/caddyfile", "something").await;
    refused(tree.load_or_store("caddyfile", "mine").await, ErrorKind::ChecksumMismatch, "caddyfile");
}

/// Two clients with four tasks each count up one file.
async fn no_change_is_lost(context: Context) {
    let trees = [open(&context).await, open(&context).await];
    trees[0].store("counter", "0").await.unwrap();
    let counting = (0..8).map(|n| {
        let tree: &Tree = &trees[n % 2];
        async move {
            for _ in 0..5 {
                loop {
                    let file = tree.load_file("counter").await.unwrap();
                    let value: u32 = std::str::from_utf8(&file.content).unwrap().parse().unwrap();
                    match tree.store_if("counter", (value + 1).to_string(), file.metadata.version).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                    }
                }
            }
        }
    });
    join_all(counting).await;
    assert_eq!(trees[1].load("counter").await.unwrap(), "40");
}

async fn files_above_and_below_are_respected(context: Context) {
    let tree = open_with(&context, &["dir/x", "file"]).await;
    let version = tree.stat("file").await.unwrap().version;
    refused(tree.create("dir", "x").await, ErrorKind::IsADirectory, "dir");
    refused(tree.create("file/y/z", "x").await, ErrorKind::NotADirectory, "file");
    refused(tree.load_or_store("dir", "x").await, ErrorKind::IsADirectory, "dir");
    refused(tree.load_or_store("file/y", "x").await, ErrorKind::NotADirectory, "file");
    refused(tree.store_if("dir", "x", version).await, ErrorKind::NotFound, "dir");
    refused(tree.store_if("file/y", "x", version).await, ErrorKind::NotFound, "file/y");
    assert_eq!(everything(&tree).await, ["dir", "dir/x", "file"]);
}
