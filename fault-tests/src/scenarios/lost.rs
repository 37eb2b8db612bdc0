//! Each kind of write, with its answer lost on the way.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use etcd_process::{Direction, EtcdProcess, FaultProxy, Mode};
use kv_etcd::EtcdBackend;
use storage_core::{LockOptions, Version};
use tokio::time::{Instant, sleep};

use crate::check::check;
use crate::history::{Call, Done, Outcome, Recorder};
use crate::log::Log;
use crate::report::Report;
use crate::run::{Setting, config};
use crate::workload::{PREFIX, Tree, open};

/// Sends a write, swallows its answer, and lets the connection come back.
struct Loser<'t> {
    tree: &'t Tree,
    proxy: &'t FaultProxy,
    recorder: Recorder,
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

    async fn record(
        &mut self,
        call: Call,
        write: impl Future<Output = storage_core::Result<Told>>,
    ) -> Result<()> {
        let began = Instant::now();
        let outcome = match self.lose(write).await? {
            Ok(Told::Version(version)) => Outcome::Wrote(version),
            Ok(Told::Count(count)) => Outcome::Deleted(count),
            Err(error) => Outcome::of(&error),
        };
        self.recorder.add(Done { client: 0, began, ended: Instant::now(), call, outcome });
        Ok(())
    }
}

enum Told {
    Version(Version),
    Count(u64),
}

pub(super) async fn each_kind(setting: &Setting, report: &mut Report) -> Result<()> {
    let etcd = EtcdProcess::start(&setting.binary)?;
    let proxy = FaultProxy::start(etcd.client_address())?;
    let tree = open(&config([proxy.endpoint()]).build()?).await?;
    tree.store("begin", "").await?;
    let since = Log::now(tree.backend(), PREFIX).await?;
    let mut loser = Loser { tree: &tree, proxy: &proxy, recorder: Recorder::default(), swallowed: 0 };
    let rounds = setting.pick(1, 5);
    for round in 0..rounds {
        files(&mut loser, round).await.with_context(|| format!("round {round}"))?;
    }
    let history = loser.recorder.take();
    let resolved = history.iter().filter(|done| !done.outcome.is_error()).count();
    let locks = locks(&mut loser, rounds).await?;
    let observer = EtcdBackend::connect(&config([etcd.endpoint()]).build()?).await?;
    let violations = check(&history, &Log::read(&observer, PREFIX, since).await?);
    report.valid_if("answers lost", loser.swallowed, loser.swallowed >= history.len());
    report.goal("writes of files resolved", resolved, history.len(), resolved == history.len());
    report.goal("locks taken and released as told", locks, 3 * rounds, locks == 3 * rounds);
    report.none("doubled, lost or wrongly told", violations.0.len());
    for violation in violations.0.iter().take(3) {
        report.show(format!("violation: {violation}"), "");
    }
    for done in history.iter().filter(|done| done.outcome.is_error()).take(3) {
        report.show(format!("{:?}: {:?}", done.call, done.outcome), "");
    }
    Ok(())
}

async fn files(loser: &mut Loser<'_>, round: usize) -> Result<()> {
    let tree = loser.tree;
    let content = |n: usize| format!("round {round}, content {n}");
    let one = |path: &str, n: usize| Call::Store(vec![(path.to_owned(), content(n))]);
    let version = |file: storage_core::Metadata| Told::Version(file.version);
    loser.record(one("c0/a", 1), async { tree.store("c0/a", content(1)).await.map(version) }).await?;
    loser.record(one("c0/b", 2), async { tree.create("c0/b", content(2)).await.map(version) }).await?;
    let known = tree.stat("c0/a").await?.version;
    loser
        .record(one("c0/a", 3), async { tree.store_if("c0/a", content(3), known).await.map(version) })
        .await?;
    let group: Vec<_> = (0..3).map(|n| (format!("c0/g/{n}"), content(4 + n))).collect();
    let store = async { tree.store_many(group.clone()).await.map(|files| Told::Version(files[0].version)) };
    loser.record(Call::Store(group.clone()), store).await?;
    let loaded = async { tree.load_or_store("c0/c", content(7)).await };
    loser
        .record(one("c0/c", 7), async { loaded.await.map(|loaded| version(loaded.into_file().metadata)) })
        .await?;
    let rename = Call::Rename("c0/a".to_owned(), "c0/d".to_owned());
    loser.record(rename, async { tree.rename("c0/a", "c0/d").await.map(version) }).await?;
    let delete = |path: &str| Call::Delete(path.to_owned());
    loser.record(delete("c0/b"), async { tree.delete("c0/b").await.map(Told::Count) }).await?;
    loser.record(delete("c0/c"), async { tree.delete_file("c0/c").await.map(Told::Count) }).await?;
    loser.record(delete("c0/g"), async { tree.delete("c0/g").await.map(Told::Count) }).await?;
    let guard = tree.lock("fence").await?;
    loser.record(one("c0/e", 8), async { guard.store("c0/e", content(8)).await.map(version) }).await?;
    let rename = Call::Rename("c0/e".to_owned(), "c0/f".to_owned());
    loser.record(rename, async { guard.rename("c0/e", "c0/f").await.map(version) }).await?;
    loser.record(delete("c0/f"), async { guard.delete("c0/f").await.map(Told::Count) }).await?;
    guard.unlock().await?;
    loser.record(delete("c0"), async { tree.delete("c0").await.map(Told::Count) }).await?;
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
