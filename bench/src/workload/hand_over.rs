//! How long it takes until the next one in the queue has the lock, from the moment at which the holder gives it back. Every
//! client has a connection and a session of its own, as in a process of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::contender::{CertMagic, Contender, Contenders, Held, Kvfs, Raw, let_pass};
use crate::race::{Budget, Race, Sample, Turn};
use crate::row::Figure;
use crate::servers::Servers;

/// How many wait, and whether the lock is released as soon as they do.
const QUEUES: [(&str, u64, Release); 4] = [
    ("2-waiters", 2, Release::Later),
    ("16-waiters", 16, Release::Later),
    ("256-waiters", 256, Release::Later),
    ("2-just-queued", 2, Release::AtOnce),
];
const NAME: &str = "issue_cert_example.com";
/// etcd serves a watch that began behind the newest revision with the next of its rounds over those, every 100 ms. By then
/// every waiter's watch is up to date.
const SETTLING: Duration = Duration::from_millis(250);
/// What a hand-over is held against: the release, the news of it, and a look at the queue.
const ROUND_TRIPS: u64 = 3;

/// When the first holder gives the lock back.
#[derive(Clone, Copy, Debug)]
enum Release {
    /// When the queue has been standing for a while.
    Later,
    /// With the last one's arrival.
    AtOnce,
}

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    for (called, waiters, release) in QUEUES {
        let name = format!("hand-over/{called}");
        if !bench.wants(&name) {
            continue;
        }
        let servers = Servers::one(bench.binary())?;
        let endpoints = servers.endpoints();
        let floor = Raw::connect(&endpoints, "/raw").await?;
        let (mut kvfs, mut certmagic) = (Contenders::new(), Contenders::new());
        for _ in 0..=waiters {
            kvfs.push(Arc::new(Kvfs::on_etcd(&endpoints, "/kvfs").await?));
            certmagic.push(Arc::new(CertMagic::on_etcd(&endpoints).await?));
        }
        let race = Race::new(name, Figure::Latency, waiters)
            .enter("3 raw puts", move |turn| round_trips(floor.client(), turn))
            .enter("kvfs", move |_| hand_overs(kvfs.clone(), release))
            .enter("certmagic", move |_| hand_overs(certmagic.clone(), release));
        // Until the queue stands there pass some tenths of a second, so there are fewer rounds in the time.
        let time = Duration::from_secs(bench.quick_or_full(5, 15));
        bench.hold_for(race, Budget { rounds: 100, time }).await;
    }
    Ok(())
}

async fn round_trips(client: etcd_client::Client, turn: Turn) -> Result<Sample> {
    Sample::of_each(turn.numbers(), |_| {
        let mut client = client.clone();
        async move {
            for _ in 0..ROUND_TRIPS {
                client.put("/raw/round-trip", "", None).await?;
            }
            Ok(())
        }
    })
    .await
}

/// The first client takes the lock, the others queue for it, and it goes through all their hands.
async fn hand_overs(clients: Contenders, release: Release) -> Result<Sample> {
    let count = clients.len();
    let (first, others) = clients.split_first().context("there are no clients")?;
    let locks = first.locks().context("it has no locks")?;
    let held = locks.lock(NAME).await?;
    let released = Arc::new(Mutex::new(Instant::now()));
    let mut tasks = JoinSet::new();
    for other in others {
        tasks.spawn(wait_and_pass_on(other.clone(), released.clone()));
    }
    locks.until_queued(NAME, count).await?;
    if matches!(release, Release::Later) {
        let_pass(SETTLING).await;
    }
    let began = Instant::now();
    pass_on(held, &released).await?;
    let mut sample = Sample::default();
    while let Some(latency) = tasks.join_next().await {
        sample.latencies.push(latency??);
    }
    sample.elapsed = began.elapsed();
    Ok(sample)
}

async fn wait_and_pass_on(client: Arc<dyn Contender>, released: Arc<Mutex<Instant>>) -> Result<Duration> {
    let held = client.locks().context("it has no locks")?.lock(NAME).await?;
    let latency = released.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
    pass_on(held, &released).await?;
    Ok(latency)
}

async fn pass_on(held: Box<dyn Held>, released: &Mutex<Instant>) -> Result<()> {
    *released.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    held.unlock().await
}
