//! Directories: they exist while something lies in them.

use futures::future::join_all;
use storage_core::{ErrorKind, ListOptions};

use super::support::{everything, open, open_with};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[
    case!(["FS-DIR-1"], a_directory_exists_while_a_file_lies_below_it),
    case!(["FS-DIR-2"], a_path_is_never_both_file_and_directory),
    case!(["FS-DIR-3"], a_path_can_change_its_kind_when_it_is_free),
];

async fn a_directory_exists_while_a_file_lies_below_it(context: Context) {
    let tree = open_with(&context, &["a/b/one", "a/b/two"]).await;
    assert!(tree.stat("a/b").await.unwrap().is_dir());
    tree.delete("a/b/one").await.unwrap();
    assert!(tree.exists("a/b").await.unwrap() && tree.exists("a").await.unwrap());
    tree.delete("a/b/two").await.unwrap();
    assert!(!tree.exists("a/b").await.unwrap() && !tree.exists("a").await.unwrap());
    assert!(tree.list("a", ListOptions::children()).await.unwrap_err().is_not_found());
}

/// Clients race to make `n` a file and `n/x/y` a file: one wins, for each `n`.
async fn a_path_is_never_both_file_and_directory(context: Context) {
    let (one, other) = (open(&context).await, open(&context).await);
    let rounds = (0..20).map(|n| {
        let (one, other) = (&one, &other);
        async move {
            let (file, below) = (format!("{n}"), format!("{n}/x/y"));
            let results = futures::join!(one.store(&file, "file"), other.store(&below, "below"));
            match results {
                (Ok(_), Err(error)) => assert_eq!(error.kind(), ErrorKind::NotADirectory),
                (Err(error), Ok(_)) => assert_eq!(error.kind(), ErrorKind::IsADirectory),
                both => panic!("exactly one may win: {both:?}"),
            }
        }
    });
    join_all(rounds).await;
}

async fn a_path_can_change_its_kind_when_it_is_free(context: Context) {
    let tree = open_with(&context, &["a/b"]).await;
    tree.delete("a").await.unwrap();
    tree.store("a", "now a file").await.unwrap();
    assert_eq!(tree.load("a").await.unwrap(), "now a file");
    tree.delete("a").await.unwrap();
    tree.store("a/b/c", "a directory again").await.unwrap();
    assert_eq!(everything(&tree).await, ["a", "a/b", "a/b/c"]);
}
