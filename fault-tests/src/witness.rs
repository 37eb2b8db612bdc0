//! Locks that are held, and a watch that goes on, while clients work.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use kv_etcd::EtcdBackend;
use storage_core::{ChangeStream, LockGuard, WatchEvent};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::workload::Tree;

/// The file that is stored last.
const LAST: &str = "last";

pub(crate) struct Witness {
    guards: Vec<LockGuard<EtcdBackend>>,
    watching: JoinHandle<Result<BTreeSet<u64>>>,
}

impl Witness {
    /// Lets each client take a lock, and one of them watch.
    pub(crate) async fn start(trees: &[Tree]) -> Result<Self> {
        let mut guards = Vec::new();
        for (client, tree) in trees.iter().enumerate() {
            guards.push(tree.lock(&format!("held by {client}")).await?);
        }
        let tree = trees.last().context("there is a client")?;
        let watching = tokio::spawn(follow(tree.watch("").await?));
        Ok(Self { guards, watching })
    }

    /// How many locks were lost; and the revisions of all changes that were seen.
    pub(crate) async fn stop(self, trees: &[Tree]) -> Result<(usize, BTreeSet<u64>)> {
        let mut lost = 0;
        for (client, guard) in self.guards.into_iter().enumerate() {
            // The store says so itself, in the transaction.
            let is_held = guard.is_held() && guard.store(&format!("fenced/{client}"), "held").await.is_ok();
            lost += usize::from(!is_held);
        }
        trees[0].store(LAST, "").await?;
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
