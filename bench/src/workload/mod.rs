//! What is measured. Each workload has a name, by which `--only` selects it; a module for each family.

mod clients;
mod directories;
mod embedded;
mod fan_out;
mod files;
mod groups;
mod hand_over;
mod import_memory;
mod in_memory;
mod list_memory;
mod lists;
mod locks;
mod memory;
mod processor;
mod scale;
mod sha1;
mod start;
mod trees;

use anyhow::Result;
use etcd_process::EtcdBinary;

pub(crate) use self::list_memory::child;
use crate::bench::Bench;
use crate::contender::Contenders;
use crate::servers::Servers;

/// All that are wanted, one after the other.
pub(crate) async fn run_all(bench: &mut Bench) -> Result<()> {
    sha1::run(bench).await;
    if bench.wants_some("etcd/") {
        let (_servers, contenders) = start(bench, Servers::one).await?;
        files::run(bench, "etcd", &contenders, files::SIZES, 10).await;
        let sizes = bench.quick_or_full(&[10, 1_000][..], &[10, 1_000, directories::MANY][..]);
        directories::run(bench, "etcd", &contenders, sizes).await;
        groups::run(bench, "etcd", &contenders).await;
        clients::run(bench, "etcd", &contenders).await;
        locks::run(bench, "etcd", &contenders).await;
        processor::run(bench, "etcd", &contenders).await?;
    }
    if bench.wants_some("three/") {
        let (_servers, contenders) = start(bench, Servers::three).await?;
        files::run(bench, "three", &contenders, &[2_048], 10).await;
        locks::run(bench, "three", &contenders).await;
    }
    hand_over::run(bench).await?;
    fan_out::run(bench).await?;
    start::run(bench).await?;
    trees::run(bench).await?;
    import_memory::run(bench).await?;
    in_memory::run(bench).await?;
    embedded::run(bench).await
}

/// Servers and who is measured on them; none if nothing is.
async fn start(
    bench: &Bench,
    servers: impl FnOnce(&EtcdBinary) -> Result<Servers>,
) -> Result<(Option<Servers>, Contenders)> {
    if bench.only_lists() {
        return Ok((None, Contenders::new()));
    }
    let servers = servers(bench.binary())?;
    let contenders = servers.contenders().await?;
    Ok((Some(servers), contenders))
}

/// A size as in the names of workloads.
fn size_name(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes}B") } else { format!("{}KiB", bytes / 1024) }
}
