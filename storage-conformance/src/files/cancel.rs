//! Dropping futures.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};

use super::support::{everything, open};
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[case!(["FS-CANCEL-1"], a_dropped_write_is_whole_or_nothing)];

/// Polls a future so many times, then drops it.
async fn poll_and_drop<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_dropped_write_is_whole_or_nothing(context: Context) {
    let tree = open(&context).await;
    let group = ["d/one", "d/two", "d/three"];
    for polls in 0..12 {
        poll_and_drop(tree.store_many(group.map(|path| (path, polls.to_string()))), polls).await;
        let loaded = tree.load_many(group).await.unwrap();
        let contents: Vec<_> =
            loaded.iter().map(|file| file.as_ref().ok().map(|file| &file.content)).collect();
        assert!(contents.iter().all(|content| content == &contents[0]), "torn after {polls}: {contents:?}");
    }
    tree.store_many(group.map(|path| (path, "there"))).await.unwrap();
    for polls in 0..12 {
        poll_and_drop(tree.delete("d"), polls).await;
        let left = everything(&tree).await.len();
        assert!(left == 0 || left == 4, "{left} entries after {polls}");
        poll_and_drop(tree.rename("d/one", "d/moved"), polls).await;
        if tree.exists("d").await.unwrap() {
            let places = ["d/one", "d/moved"];
            let loaded = tree.load_many(places).await.unwrap();
            assert_eq!(loaded.iter().filter(|file| file.is_ok()).count(), 1, "after {polls}");
        }
        tree.delete("d").await.unwrap();
        tree.store_many(group.map(|path| (path, "there"))).await.unwrap();
    }
}
