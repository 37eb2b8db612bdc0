//! Dropping futures.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};

use super::support::open;
use crate::{Case, Context, case};

pub(crate) const CASES: &[Case] = &[case!(["FS-CANCEL-1"], a_dropped_write_is_whole_or_nothing)];

/// Polls a future so many times, then drops it.
pub(crate) async fn poll_and_drop<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// One handle has its calls dropped, another looks on: a call that was dropped may still be on its way to the store, and
/// be applied at any time after.
///
/// No read is dropped here: a read-only transaction that is cancelled can bring old servers down (etcd 3.5.1).
async fn a_dropped_write_is_whole_or_nothing(context: Context) {
    let (dropped, looking_on) = (open(&context).await, open(&context).await);
    let group = ["d/one", "d/two", "d/three"];
    for polls in 0..12 {
        poll_and_drop(dropped.store_many(group.map(|path| (path, polls.to_string()))), polls).await;
        let loaded = looking_on.load_many(group).await.unwrap();
        let contents: Vec<_> =
            loaded.iter().map(|file| file.as_ref().ok().map(|file| &file.content)).collect();
        assert!(contents.iter().all(|content| content == &contents[0]), "torn after {polls}: {contents:?}");
    }
    for polls in 0..12 {
        looking_on.delete("d").await.unwrap();
        looking_on.store_many(group.map(|path| (path, "there"))).await.unwrap();
        poll_and_drop(dropped.delete("d"), polls).await;
        let loaded = looking_on.load_many(group).await.unwrap();
        let there = loaded.iter().filter(|file| file.is_ok()).count();
        assert!(there == 0 || there == 3, "torn after {polls}: {loaded:?}");
    }
    let what = "the handle works after all that";
    context.eventually(what, Context::PATIENCE, async || dropped.exists("d").await.ok()).await;
}
