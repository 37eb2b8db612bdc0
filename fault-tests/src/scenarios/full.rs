//! A store that is full.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use etcd_process::{EtcdCluster, EtcdProcess};
use storage_conformance::history::Log;
use storage_core::ErrorKind;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::report::{Report, with_sources};
use crate::run::{Setting, config};
use crate::tree::{PREFIX, Tree, newest_revision, open};

/// Many writers fill a store of 20 MB. Then it is emptied, and works again.
pub(super) async fn full(setting: &Setting, report: &mut Report) -> Result<()> {
    const WRITERS: usize = 64;
    let cluster = EtcdCluster::builder(&setting.binary)
        .with_members(1)
        .with_flag(format!("--quota-backend-bytes={}", 20 * 1024 * 1024))
        .start()?;
    let config = config(cluster.endpoints()).build()?;
    let tree = open(&config).await?;
    tree.store("begin", "").await?;
    let since = newest_revision(&tree).await?;

    let told = Arc::new(Mutex::new(Told::default()));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(fill(open(&config).await?, writer, Arc::clone(&told)));
    }
    while let Some(writer) = writers.join_next().await {
        writer?;
    }
    let told = told.lock().await;
    let log = Log::read(tree.backend(), tree.prefix(), since).await;
    // Its last put does not fit any more: then the log is what the tree holds.
    let there: BTreeSet<String> = match log {
        Ok(log) => log.files().into_keys().map(str::to_owned).collect(),
        Err(_) => existing(&tree, &told).await?,
    };
    report.valid_if("stores acknowledged ≥ 50", told.stored.len(), told.stored.len() >= 50);
    report.valid_if("stores refused with NoSpace ≥ 64", told.full.len(), told.full.len() >= WRITERS);
    report.none("acknowledged and not there", told.stored.difference(&there).count());
    report.none("refused with NoSpace and there", told.full.intersection(&there).count());
    report.show("other errors", told.other.len());
    report.none("outcomes unknown", told.unknown);
    for error in told.other.iter().take(2) {
        report.show(format!("another error: {error}"), "");
    }

    let deleted = tree.delete("w0").await;
    report.show(
        "deleted while full",
        deleted.as_ref().map_or_else(|error| error.kind().name().into(), u64::to_string),
    );
    if deleted.is_err() || tree.delete_all().await.is_err() {
        // 3.5.1 refuses every transaction then (etcd issue 13429): an operator has to delete with the store's own tool.
        for part in ["data", "meta"] {
            let keys = format!("{PREFIX}/{part}/");
            tokio::task::block_in_place(|| cluster.etcdctl(&["del", "--prefix", &keys]))?;
        }
    }
    free(cluster.member(0))?;
    let works = tree.store("again", "works").await.is_ok() && tree.load("again").await? == "works";
    report.goal("works again", works, true, works);
    Ok(())
}

/// What writers were told.
#[derive(Debug, Default)]
struct Told {
    stored: BTreeSet<String>,
    full: BTreeSet<String>,
    unknown: usize,
    other: Vec<String>,
}

/// Stores files until there is no room for several.
async fn fill(tree: Tree, writer: usize, told: Arc<Mutex<Told>>) {
    let mut refused = 0;
    for file in 0.. {
        let path = format!("w{writer}/{file}");
        let stored = tree.store(&path, vec![b'x'; 40_000]).await;
        let mut told = told.lock().await;
        match stored {
            Ok(_) => drop(told.stored.insert(path)),
            Err(error) => {
                refused += 1;
                match error.kind() {
                    ErrorKind::NoSpace => drop(told.full.insert(path)),
                    ErrorKind::OutcomeUnknown => told.unknown += 1,
                    _ => told.other.push(with_sources(&error)),
                }
            }
        }
        drop(told);
        if refused == 5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn existing(tree: &Tree, told: &Told) -> Result<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    for path in told.stored.iter().chain(&told.full) {
        if tree.exists(path).await? {
            there.insert(path.clone());
        }
    }
    Ok(there)
}

/// What an operator does: compacts, defragments, and ends the alarm.
fn free(etcd: &EtcdProcess) -> Result<()> {
    tokio::task::block_in_place(|| {
        let status = etcd.etcdctl(&["endpoint", "status", "--write-out=json"])?;
        let status: serde_json::Value = serde_json::from_str(&status)?;
        let revision = status[0]["Status"]["header"]["revision"].as_u64().context("the revision")?;
        etcd.etcdctl(&["compaction", &revision.to_string(), "--physical"])?;
        etcd.etcdctl(&["defrag"])?;
        etcd.etcdctl(&["alarm", "disarm"])?;
        Ok(())
    })
}
