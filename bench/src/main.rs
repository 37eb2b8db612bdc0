//! kvfs side by side with the store below it and with its peers. See `docs/performance.md`.

mod bench;
mod contender;
mod machine;
mod options;
mod race;
mod report;
mod row;
mod servers;
mod trees;
mod workload;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::bench::Bench;
use crate::options::{Command, Options};

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    // On one of its threads, as the tasks of a server are: what the main thread awaits wakes up later.
    runtime.block_on(async {
        match options.command {
            Some(Command::Child(child)) => tokio::spawn(workload::child(child)).await?,
            None => tokio::spawn(Bench::run(options)).await?,
        }
    })
}
