//! How much memory a list takes, in processes of its own: what one process has used once it does not give back.

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use storage_core::{Filter, ListItem, ListOptions};
use tokio::process::Command;

use crate::bench::Bench;
use crate::contender::{Contender as _, Depth, Kvfs, Raw};
use crate::options::{Child, Task};
use crate::row::Fact;
use crate::trees::Tree;
use crate::workload::memory::{self, MIB};

/// By how much the peak is higher than that of a process that has only connected.
pub(super) async fn run(bench: &mut Bench, name: &str, tree: Tree, endpoints: &[String]) -> Result<()> {
    let idle = peak_of("idle", tree, endpoints).await?;
    for (task, contender) in [("list-raw", "raw"), ("list-stream", "kvfs list_stream")] {
        let value = (peak_of(task, tree, endpoints).await? - idle) / MIB;
        bench.note(Fact { name: name.to_owned(), contender: contender.to_owned(), value, unit: "MiB" });
    }
    Ok(())
}

async fn peak_of(task: &str, tree: Tree, endpoints: &[String]) -> Result<f64> {
    let this = std::env::current_exe().context("where this program is")?;
    let arguments = ["child", task, "--endpoints", &endpoints.join(","), "--directory", &tree.directory()];
    let output = Command::new(this).args(arguments).stderr(std::process::Stdio::inherit()).output().await?;
    ensure!(output.status.success(), "the process for {task} failed");
    String::from_utf8_lossy(&output.stdout).trim().parse().context("what the process printed is no number")
}

/// What such a process does.
pub(crate) async fn child(child: Child) -> Result<()> {
    let kvfs = Kvfs::on_etcd(&child.endpoints, "/kvfs").await?;
    let raw = Raw::connect(&child.endpoints, "/kvfs").await?;
    match child.task {
        Task::Idle => {}
        Task::ListStream => {
            let files = ListOptions::descendants().with_filter(Filter::FilesOnly);
            let mut items = kvfs.storage().list_stream(&child.directory, files);
            let mut listed = 0_u64;
            while let Some(item) = items.try_next().await? {
                match item {
                    ListItem::Entry(_) => listed += 1,
                    ListItem::StartOver => listed = 0,
                }
            }
            ensure!(listed > 0, "nothing was listed");
        }
        Task::ListRaw => {
            raw.list(&child.directory, Depth::Descendants).await?;
        }
    }
    println!("{}", memory::peak("self")?);
    Ok(())
}
