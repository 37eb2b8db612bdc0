//! A history that is given up again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use etcd_client::Client;
use futures::StreamExt;
use storage_core::{ChangeKind, ListOptions, Version, WatchEvent};
use tokio::time::{Instant, sleep};

use crate::report::Report;
use crate::run::{Setting, config};
use crate::tree::{Tree, newest_revision, open};

/// What a list or a watch says: the version of each file.
type Files = BTreeMap<String, Version>;

/// Compacts every 100 ms, while files are listed, written in groups and watched.
pub(super) async fn compaction(setting: &Setting, report: &mut Report) -> Result<()> {
    let cluster = setting.cluster(false)?;
    let config = config(cluster.endpoints()).with_request_timeout(Duration::from_secs(30)).build()?;
    let tree = open(&config).await?;
    let files = setting.pick(5_000, 50_000);
    for first in (0..files).step_by(50) {
        tree.store_many((first..first + 50).map(|n| (format!("many/{n:05}"), "x"))).await?;
    }
    let end = Instant::now() + Duration::from_secs(setting.pick(5, 30));
    let watched = tokio::spawn(follow(open(&config).await?, end));
    let compacting =
        tokio::spawn(compact(Client::connect(cluster.endpoints(), None).await?, tree.clone(), end));
    let writing = tokio::spawn(write(tree.clone(), end));
    let reader = open(&config).await?;
    let (mut lists, mut mixed) = (0, 0);
    while Instant::now() < end {
        let listed = list(&reader).await?;
        lists += 1;
        let group: Vec<_> = listed.iter().filter(|(path, _)| path.starts_with("group/")).collect();
        let is_mixed = group.windows(2).any(|pair| pair[0].1 != pair[1].1);
        mixed += usize::from(is_mixed || listed.len() < files);
    }
    let (compactions, writes) = (compacting.await??, writing.await??);
    let (followed, resyncs) = watched.await??;
    let differing =
        list(&tree).await?.iter().filter(|(path, version)| followed.get(*path) != Some(version)).count();
    report.valid_if("compactions ≥ 20", compactions, compactions >= 20);
    report.valid_if("complete lists ≥ 1", lists, lists >= 1);
    report.valid_if("groups written ≥ 100", writes, writes >= 100);
    report.show("files", files);
    report.show("resyncs", resyncs);
    report.none("lists of several revisions", mixed);
    report.none("files of which the watch has missed something", differing);
    Ok(())
}

async fn list(tree: &Tree) -> Result<Files> {
    let entries = tree.list("", ListOptions::descendants().with_metadata()).await?;
    let files = entries.into_iter().filter(|entry| entry.kind == storage_core::EntryKind::File);
    let version = |entry: storage_core::DirEntry| {
        let metadata = entry.metadata.context("asked for")??;
        Ok((entry.path.to_string(), metadata.version))
    };
    files.map(version).collect()
}

/// Keeps up with the tree by watching it, and by listing it anew where it is told to.
async fn follow(tree: Tree, end: Instant) -> Result<(Files, usize)> {
    let mut changes = tree.watch("").await?;
    let mut files = list(&tree).await?;
    let mut resyncs = 0;
    // The last writes may come a little later.
    while let Ok(Some(event)) = tokio::time::timeout_at(end + Duration::from_secs(3), changes.next()).await {
        match event? {
            WatchEvent::Change { kind, path, version, .. } => {
                let path = path.to_string();
                if files.get(&path).is_some_and(|known| *known >= version) {
                    continue;
                }
                match kind {
                    ChangeKind::Deleted => files.remove(&path),
                    ChangeKind::Created | ChangeKind::Modified => files.insert(path, version),
                };
            }
            WatchEvent::Resync { .. } => {
                resyncs += 1;
                files = list(&tree).await?;
            }
            _ => {}
        }
    }
    Ok((files, resyncs))
}

async fn write(tree: Tree, end: Instant) -> Result<usize> {
    let mut round = 0;
    while Instant::now() < end {
        tree.store_many((0..3).map(|n| (format!("group/{n}"), format!("{round}")))).await?;
        tree.store(&format!("many/{:05}", round % 1000), "again").await?;
        round += 1;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(round)
}

async fn compact(mut client: Client, tree: Tree, end: Instant) -> Result<usize> {
    let mut compactions = 0;
    while Instant::now() < end {
        let now = newest_revision(&tree).await?;
        client.compact(i64::try_from(now.0)?, None).await?;
        compactions += 1;
        sleep(Duration::from_millis(100)).await;
    }
    Ok(compactions)
}
