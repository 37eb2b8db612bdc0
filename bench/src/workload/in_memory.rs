//! Within one process. The first contender computes the checksum that kvfs computes, so that the rest is compared.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::runtime::Builder;

use super::clients::{self, Clients, What};
use super::files;
use crate::bench::Bench;
use crate::contender::{Contenders, Kvfs, ObjectStoreInMemory, OpenDal, WithSha1};

const BYTES: usize = 2_048;
const THREADS: u64 = 8;
/// Calls of a turn: they are short.
const CALLS: u64 = 500;
const CALLS_OF_THREADS: u64 = 16_000;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    if !bench.wants_some("memory/") {
        return Ok(());
    }
    let contenders: Contenders = vec![
        Arc::new(WithSha1::new("object_store + SHA-1", ObjectStoreInMemory::new(), BYTES)),
        Arc::new(Kvfs::in_memory().await?),
        Arc::new(WithSha1::new("OpenDAL memory + SHA-1", OpenDal::in_memory()?, BYTES)),
        Arc::new(ObjectStoreInMemory::new()),
        Arc::new(OpenDal::in_memory()?),
    ];
    files::run(bench, "memory", &contenders, &[BYTES], CALLS).await;

    let threads = usize::try_from(THREADS).expect("a few");
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.context("cannot start a runtime")?;
    for (what, called) in [(What::Store, "store"), (What::Load, "load")] {
        let name = format!("memory/threads-{THREADS}/{called}");
        if bench.wants(&name) {
            let clients = Clients { clients: THREADS, calls: CALLS_OF_THREADS };
            let race = clients::race(name, &contenders, what, clients, runtime.handle().clone());
            bench.hold(race).await;
        }
    }
    // A runtime must not be dropped where one is running.
    runtime.shutdown_background();
    Ok(())
}
