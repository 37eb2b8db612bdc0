//! Each kind of write, with its answer lost on the way.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use etcd_process::{Direction, EtcdProcess, FaultProxy, Mode};
use kv_etcd::EtcdBackend;
use storage_conformance::history::{Log, RecordedStorage, Recorder, check_work};
use storage_core::LockOptions;
use tokio::time::{Instant, sleep};

use crate::report::Report;
use crate::run::{Setting, config};
use crate::tree::{Tree, newest_revision, open};

/// Sends a write, swallows its answer, and lets the connection come back.
struct Loser<'t> {
    tree: &'t Tree,
    proxy: &'t FaultProxy,
    swallowed: usize,
}

impl Loser<'_> {
    async fn lose<T>(&mut self, write: impl Future<Output = T>) -> Result<T> {
        // A connection that is open, so that the request is sent.
        self.tree.exists("begin").await?;
        let before = self.proxy.swallowed(Direction::ToClient);
        self.proxy.set(Mode::OneWay { swallowed: Direction::ToClient });
        let heal = async {
            let deadline = Instant::now() + Duration::from_secs(10);
            while self.proxy.swallowed(Direction::ToClient) == before && Instant::now() < deadline {
                sleep(Duration::from_millis(5)).await;
            }
            sleep(Duration::from_millis(100)).await;
            let was_lost = self.proxy.swallowed(Direction::ToClient) > before;
            self.proxy.set(Mode::Reset);
            self.proxy.set(Mode::Pass);
            was_lost
        };
        let (result, was_lost) = tokio::join!(write, heal);
        self.swallowed += usize::from(was_lost);
        Ok(result)
    }
}

pub(super) async fn each_kind(setting: &Setting, report: &mut Report) -> Result<()> {
    let etcd = EtcdProcess::start(&setting.binary)?;
    let proxy = FaultProxy::start(etcd.client_address())?;
    let tree = open(&config([proxy.endpoint()]).build()?).await?;
    tree.store("begin", "").await?;
    let since = newest_revision(&tree).await?;
    let mut loser = Loser { tree: &tree, proxy: &proxy, swallowed: 0 };
    let recorder = Recorder::new();
    let written = RecordedStorage::new(tree.clone(), recorder.clone(), 0);
    let rounds = setting.pick(1, 5);
    for round in 0..rounds {
        files(&mut loser, &written, round).await.with_context(|| format!("round {round}"))?;
    }
    let history = recorder.history();
    let writes: Vec<_> = history.iter().filter(|operation| operation.call.is_write()).collect();
    let resolved = writes.iter().filter(|write| write.is_acknowledged_write()).count();
    let locks = locks(&mut loser, rounds).await?;
    let observer = EtcdBackend::connect(&config([etcd.endpoint()]).build()?).await?;
    let violations = check_work(&history, &Log::read(&observer, tree.prefix(), since).await?);
    report.valid_if("answers lost", loser.swallowed, loser.swallowed >= writes.len());
    report.goal("writes of files resolved", resolved, writes.len(), resolved == writes.len());
    report.goal("locks taken and released as told", locks, 3 * rounds, locks == 3 * rounds);
    report.none("doubled, lost or wrongly told", violations.len());
    for violation in violations.iter().take(3) {
        report.show(format!("violation: {violation}"), "");
    }
    for operation in writes.iter().filter(|write| !write.is_acknowledged_write()).take(3) {
        report.show(operation, "");
    }
    Ok(())
}

/// Makes every kind of write, once. How each has ended is in the history.
async fn files(loser: &mut Loser<'_>, tree: &RecordedStorage<EtcdBackend>, round: usize) -> Result<()> {
    let content = |n: usize| format!("round {round}, content {n}");
    drop(loser.lose(tree.store("c0/a", content(1))).await?);
    drop(loser.lose(tree.create("c0/b", content(2))).await?);
    let known = tree.stat("c0/a").await?.version;
    drop(loser.lose(tree.store_if("c0/a", content(3), known)).await?);
    let group = (0..3).map(|n| (format!("c0/g/{n}"), content(4 + n).into()));
    drop(loser.lose(tree.store_many(group.collect())).await?);
    drop(loser.lose(tree.load_or_store("c0/c", content(7))).await?);
    drop(loser.lose(tree.rename("c0/a", "c0/d")).await?);
    drop(loser.lose(tree.delete("c0/b")).await?);
    drop(loser.lose(tree.delete_file("c0/c")).await?);
    drop(loser.lose(tree.delete("c0/g")).await?);
    let guard = tree.lock("fence", LockOptions::new()).await?;
    drop(loser.lose(guard.store("c0/e", content(8))).await?);
    drop(loser.lose(guard.rename("c0/e", "c0/f")).await?);
    drop(loser.lose(guard.delete("c0/f")).await?);
    guard.unlock().await?;
    drop(loser.lose(tree.delete("c0")).await?);
    Ok(())
}

/// How often a lock, a try and a release have ended as they should.
async fn locks(loser: &mut Loser<'_>, rounds: usize) -> Result<usize> {
    let tree = loser.tree;
    tree.lock("begins the session").await?.unlock().await?;
    let mut right = 0;
    for _ in 0..rounds {
        let patient = LockOptions::new().with_deadline(Duration::from_secs(20));
        let guard = loser.lose(tree.lock_with("lock", patient)).await??;
        right += usize::from(tree.locks().await?.iter().any(|lock| lock.token == guard.token()));
        right += usize::from(loser.lose(guard.unlock()).await?.is_ok() && tree.locks().await?.is_empty());
        let guard = loser.lose(tree.try_lock("lock")).await??.context("the lock is free")?;
        right += usize::from(tree.locks().await?.iter().any(|lock| lock.token == guard.token()));
        guard.unlock().await?;
        ensure!(tree.locks().await?.is_empty(), "something is left in the queue");
    }
    Ok(right)
}
