//! A store that comes back with older data.

use std::time::Duration;

use anyhow::Result;
use etcd_process::EtcdProcess;
use futures::StreamExt;
use kv_etcd::OldClusters;
use storage_core::WatchEvent;
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout};

use crate::report::{Report, with_sources};
use crate::run::{GRACE, Setting, config};
use crate::tree::open;

/// A snapshot is restored under clients that have seen more.
pub(super) async fn restored(setting: &Setting, report: &mut Report) -> Result<()> {
    let deadline = Duration::from_secs(2);
    let mut etcd = EtcdProcess::start(&setting.binary)?;
    let config = || config([etcd.endpoint()]).with_request_timeout(deadline);
    let strict = open(&config().build()?).await?;
    let lenient = open(&config().with_old_clusters(OldClusters::Accepted).build()?).await?;
    let files = setting.pick(50, 500);
    for number in 0..files {
        strict.store(&format!("old/{number}"), "x").await?;
    }
    let folder = std::env::temp_dir().join(format!("fault-tests-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let snapshot = folder.join("snapshot");
    block_in_place(|| etcd.save_snapshot(&snapshot))?;
    let mut watched = lenient.watch("").await?;
    for number in 0..files {
        strict.store(&format!("new/{number}"), "x").await?;
    }
    // It has seen everything.
    while let Some(event) = watched.next().await {
        let last = format!("new/{}", files - 1);
        if matches!(event?, WatchEvent::Change { path, .. } if path.as_str() == last) {
            break;
        }
    }
    lenient.exists("new").await?;
    block_in_place(|| etcd.restore_snapshot(&snapshot))?;
    std::fs::remove_dir_all(&folder)?;

    let began = Instant::now();
    let told = strict.load("old/1").await.err().map(|error| with_sources(&error)).unwrap_or_default();
    let is_told = told.contains("data is old");
    report.goal("who rejects old clusters is told", is_told, true, is_told);
    report.at_most("after", began.elapsed(), deadline + GRACE);
    report.show(format!("the error: {told}"), "");
    let written = strict.store("old/1", "changed").await.is_ok();
    report.none("writes to it by who rejects it", usize::from(written));

    let gone = !lenient.exists("new/1").await?;
    report.goal("who accepts them sees what there is", gone, true, gone);
    let resync = timeout(Duration::from_secs(20), async {
        while let Some(event) = watched.next().await {
            if matches!(event, Ok(WatchEvent::Resync { .. })) {
                return true;
            }
        }
        false
    });
    let is_resynced = resync.await.unwrap_or(false);
    report.goal("its watch says Resync", is_resynced, true, is_resynced);
    lenient.store("new/1", "again").await?;
    let follows = timeout(Duration::from_secs(20), async {
        while let Some(event) = watched.next().await {
            if matches!(event, Ok(WatchEvent::Change { path, .. }) if path.as_str() == "new/1") {
                return true;
            }
        }
        false
    });
    let follows = follows.await.unwrap_or(false);
    report.goal("and goes on", follows, true, follows);
    Ok(())
}
