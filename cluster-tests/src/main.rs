//! A member of a cluster, which does what a test tells it: commands come in and events go out as lines of JSON.
//!
//! It ends when its standard input closes, so that it does not outlive the test.

mod churn;
mod contender;
mod crowd;
mod faults;
mod holder;
mod node;
mod raw;
mod report;
mod store;
mod writer;

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use cluster_tests::{Command, Event};
use storage_core::{KeyPrefix, Storage, StorageOptions};
use tokio::sync::mpsc;

use crate::faults::{Faults, FaultyBackend};
use crate::node::Node;
use crate::report::report;
use crate::store::Store;

/// A member of a cluster, driven by a test
#[derive(Parser)]
struct Args {
    /// The store: the endpoint of an etcd server, or sqlite:PATH
    #[arg(long)]
    store: Store,
    /// What the keys of the tree begin with
    #[arg(long)]
    prefix: KeyPrefix,
    /// The lock timeout, in milliseconds
    #[arg(long)]
    ttl_millis: u64,
}

type AnyError = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args = Args::parse();
    // One thread: what a task does at once is done before anything else, and many nodes fit on a small machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(AnyError::from).and_then(|runtime| runtime.block_on(run(args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), AnyError> {
    let mut commands = read_commands();
    let (backend, raw) = args.store.open(&args.prefix).await?;
    let faults = Arc::new(Faults::default());
    let backend = FaultyBackend::new(backend, Arc::clone(&faults));
    let ttl = Duration::from_millis(args.ttl_millis);
    let options = StorageOptions::new().with_prefix(args.prefix).with_lock_timeout(ttl);
    let storage = Storage::open(backend, options).await?;
    let mut node = Node::new(storage, faults, raw);
    report(Event::Ready);
    while let Some(command) = commands.recv().await {
        node.obey(command);
    }
    Ok(())
}

/// Reads commands in a thread of its own, which ends the process when there will be no more, whatever else it is doing.
fn read_commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                // Nobody receives any more when the process is about to end.
                Ok(command) => drop(sender.send(command)),
                Err(error) => {
                    eprintln!("cluster-node: {line:?} is no command: {error}");
                    break;
                }
            }
        }
        std::process::exit(0);
    });
    receiver
}
