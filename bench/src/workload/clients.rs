//! Several tasks at the same time: how much they get done together.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bench::Bench;
use crate::contender::{Contender, Contenders};
use crate::race::{Race, Sample, Turn};
use crate::row::Figure;
use crate::trees::{certificate_path, content};

const CLIENTS: [u64; 3] = [1, 16, 64];
const BYTES: usize = 2_048;
/// Calls of a turn, shared by the clients.
const CALLS: u64 = 320;
/// A client alone takes longer for its calls.
const CALLS_ALONE: u64 = 32;

/// Whether they write or read.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Store,
    Load,
}

pub(super) async fn run(bench: &mut Bench, group: &str, contenders: &Contenders) {
    for clients in CLIENTS {
        let calls = if clients == 1 { CALLS_ALONE } else { CALLS };
        for (what, called) in [(What::Store, "store"), (What::Load, "load")] {
            let name = format!("{group}/clients-{clients}/{called}");
            if bench.wants(&name) {
                let race = race(name, contenders, what, Clients { clients, calls }, Handle::current());
                bench.hold(race).await;
            }
        }
    }
}

/// How many there are, and the calls of a turn, of which each has its share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clients {
    pub(super) clients: u64,
    pub(super) calls: u64,
}

/// Clients that are tasks of this runtime.
pub(super) fn race(
    name: String,
    contenders: &Contenders,
    what: What,
    Clients { clients, calls }: Clients,
    runtime: Handle,
) -> Race {
    let content = content(BYTES);
    Race::new(name, Figure::Throughput, calls).enter_all(contenders, move |who, turn| {
        let (content, runtime) = (content.clone(), runtime.clone());
        async move {
            if turn.is_first() && matches!(what, What::Load) {
                for client in 0..clients {
                    who.store(&loaded(client), &content).await?;
                }
            }
            at_once(&who, what, turn, clients, &content, &runtime).await
        }
    })
}

async fn at_once(
    who: &Arc<dyn Contender>,
    what: What,
    turn: Turn,
    clients: u64,
    content: &Bytes,
    runtime: &Handle,
) -> Result<Sample> {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for client in 0..clients {
        let (who, content) = (who.clone(), content.clone());
        let numbers = turn.numbers().filter(move |number| number % clients == client);
        let calls = async move {
            match what {
                What::Store => {
                    let paths: Vec<_> = numbers
                        .map(|number| format!("clients-{clients}/{}", certificate_path(number)))
                        .collect();
                    Sample::of_each(&paths, |path| who.store(path, &content)).await
                }
                What::Load => {
                    let path = &loaded(client);
                    Sample::of_each(numbers, |_| async {
                        who.load(path).await?;
                        Ok(())
                    })
                    .await
                }
            }
        };
        tasks.spawn_on(calls, runtime);
    }
    let mut all = Sample::default();
    while let Some(sample) = tasks.join_next().await {
        all.latencies.extend(sample??.latencies);
    }
    all.elapsed = began.elapsed();
    Ok(all)
}

fn loaded(client: u64) -> String {
    format!("clients/{}", certificate_path(client))
}
