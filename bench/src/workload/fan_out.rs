//! How long it takes until a thousand consumers of one process have heard of a change.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use etcd_client::WatchOptions;
use futures::StreamExt as _;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::bench::Bench;
use crate::contender::{Contender, Kvfs, Raw};
use crate::race::{Race, Sample};
use crate::row::Figure;
use crate::servers::Servers;
use crate::trees::content;

const CONSUMERS: usize = 1_000;
const PATH: &str = "watched/example.com.crt";

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let name = format!("fan-out/{CONSUMERS}-consumers");
    if !bench.wants(&name) {
        return Ok(());
    }
    let servers = Servers::one(bench.binary())?;
    let raw = Arc::new(Raw::connect(&servers.endpoints(), "/raw").await?);
    let kvfs = Arc::new(Kvfs::on_etcd(&servers.endpoints(), "/kvfs").await?);

    let (heard, raw_heard) = unbounded_channel();
    for _ in 0..CONSUMERS {
        let watch = raw.client().watch(raw.meta("watched"), Some(WatchOptions::new().with_prefix())).await?;
        tokio::spawn(consume_raw(watch, heard.clone()));
    }
    let (heard, kvfs_heard) = unbounded_channel();
    for _ in 0..CONSUMERS {
        tokio::spawn(consume(kvfs.storage().watch("watched").await?, heard.clone()));
    }
    let content = content(2_048);
    let race = enter(Race::new(name, Figure::Latency, 1), "raw", raw, raw_heard, &content);
    bench.hold(enter(race, "kvfs", kvfs, kvfs_heard, &content)).await;
    Ok(())
}

/// One that stores a file and waits until all its consumers have heard of it.
fn enter(
    race: Race,
    name: &'static str,
    who: Arc<dyn Contender>,
    heard: UnboundedReceiver<()>,
    content: &Bytes,
) -> Race {
    let (heard, content) = (Arc::new(Mutex::new(heard)), content.clone());
    race.enter(name, move |_| {
        let (who, heard, content) = (who.clone(), heard.clone(), content.clone());
        async move {
            let mut heard = heard.lock().await;
            let began = Instant::now();
            who.store(PATH, &content).await?;
            for _ in 0..CONSUMERS {
                heard.recv().await.context("the consumers are gone")?;
            }
            Ok(Sample::of_one(began.elapsed()))
        }
    })
}

async fn consume_raw(mut watch: etcd_client::WatchStream, heard: UnboundedSender<()>) {
    while let Ok(Some(message)) = watch.message().await {
        for _ in message.events() {
            let _ = heard.send(());
        }
    }
}

async fn consume(mut changes: storage_core::ChangeStream, heard: UnboundedSender<()>) {
    while let Some(Ok(_)) = changes.next().await {
        let _ = heard.send(());
    }
}
