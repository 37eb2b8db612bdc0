//! Locks that are held, and a watch that goes on, while clients work.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use kv_etcd::EtcdBackend;
use storage_conformance::history::{RecordedGuard, RecordedStorage, Recorder};
use storage_core::{ChangeStream, LockOptions, WatchEvent};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::tree::Tree;

/// The file that is stored last.
const LAST: &str = "last";

pub(crate) struct Witness {
    trees: Vec<RecordedStorage<EtcdBackend>>,
    guards: Vec<RecordedGuard<EtcdBackend>>,
    watching: JoinHandle<Result<BTreeSet<u64>>>,
}

impl Witness {
    /// Lets each client take a lock, and one of them watch. In the history their numbers begin with that of clients.
    pub(crate) async fn start(trees: &[Tree], recorder: &Recorder) -> Result<Self> {
        let written_down = |(number, tree): (usize, &Tree)| {
            RecordedStorage::new(tree.clone(), recorder.clone(), trees.len() + number)
        };
        let trees: Vec<_> = trees.iter().enumerate().map(written_down).collect();
        let mut guards = Vec::new();
        for (client, tree) in trees.iter().enumerate() {
            guards.push(tree.lock(&format!("held by {client}"), LockOptions::new()).await?);
        }
        let tree = trees.last().context("there is a client")?.storage();
        let watching = tokio::spawn(follow(tree.watch("").await?));
        Ok(Self { trees, guards, watching })
    }

    /// How many locks were lost; and the revisions of all changes that were seen.
    pub(crate) async fn stop(self) -> Result<(usize, BTreeSet<u64>)> {
        let mut lost = 0;
        for (client, guard) in self.guards.into_iter().enumerate() {
            // The store says so itself, in the transaction.
            let is_held =
                guard.guard().is_held() && guard.store(&format!("fenced/{client}"), "held").await.is_ok();
            lost += usize::from(!is_held);
        }
        self.trees[0].store(LAST, "").await?;
        Ok((lost, self.watching.await??))
    }
}

/// The revisions of all changes, up to that of the last file. A resync makes a gap.
async fn follow(mut changes: ChangeStream) -> Result<BTreeSet<u64>> {
    let mut seen = BTreeSet::new();
    while let Ok(Some(event)) = timeout(Duration::from_secs(60), changes.next()).await {
        if let WatchEvent::Change { path, version, .. } = event? {
            seen.insert(version.revision().0);
            if path.as_str() == LAST {
                break;
            }
        }
    }
    Ok(seen)
}
