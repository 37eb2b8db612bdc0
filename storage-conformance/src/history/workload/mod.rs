//! Concurrent clients at work, and what holds of a tree whatever they do.

mod accounts;
mod counters;
mod directories;
mod registers;
mod renames;
mod worker;

use std::time::Duration;

use rand::RngExt;
use storage_core::Storage;
use storage_core::kv::KvBackend;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::log::Log;
use super::operation::Operation;
use super::recorder::Recorder;
use super::registers::check_registers;
use super::revisions::check_revisions;
use super::violation::Violation;

pub use accounts::Fencing;
use worker::Worker;

/// What a client does in one step: some calls that belong together. Each has files of its own, which all clients share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// A file is read, stored, created or deleted, in each of the ways there are.
    Registers,
    /// A counter is read, and raised by one if nobody else has meanwhile.
    Counters,
    /// Money goes from one account to another, under a lock, or all are looked at. The sum stays.
    Accounts {
        /// How the accounts are written.
        fencing: Fencing,
        /// How long who has read the accounts, now and then, does not do anything.
        stall: Duration,
    },
    /// Files are stored into directories, which are deleted, listed and asked for, and stored as files.
    Directories,
    /// Files are moved to each other's places.
    Renames,
}

impl Work {
    /// All of it, with fenced transfers, and the shares of each.
    pub const MIXED: [(Self, u32); 5] = [
        (Self::Registers, 45),
        (Self::Counters, 15),
        (Self::Accounts { fencing: Fencing::Fenced, stall: Duration::ZERO }, 10),
        (Self::Directories, 20),
        (Self::Renames, 10),
    ];
}

/// What clients do together.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all that is random comes from.
    pub seed: u64,
    /// What they do, and in which shares.
    pub work: Vec<(Work, u32)>,
    /// How many steps each makes; until they are stopped if there is no number.
    pub steps: Option<usize>,
    /// How long a client thinks between two steps.
    pub pause: Duration,
}

impl Plan {
    /// A plan for this work, alone: each client makes so many steps, without a pause.
    pub fn of(work: Work, seed: u64, steps: usize) -> Self {
        Self { seed, work: vec![(work, 1)], steps: Some(steps), pause: Duration::ZERO }
    }

    /// A plan for all of the work.
    pub fn mixed(seed: u64, steps: usize) -> Self {
        Self { work: Work::MIXED.into(), ..Self::of(Work::Registers, seed, steps) }
    }
}

/// Clients at work, each in a task of its own. Dropping it stops them in the middle of what they do.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
}

impl Load {
    /// Lets a client work on each of these storages. What they do is written down by the recorder, with the numbers of
    /// the storages. Within a Tokio runtime.
    pub fn start<B: KvBackend>(trees: &[Storage<B>], plan: &Plan, recorder: &Recorder) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut clients = JoinSet::new();
        for (number, tree) in trees.iter().enumerate() {
            let worker = Worker::new(tree.clone(), recorder.clone(), number, plan.seed);
            clients.spawn(work(worker, plan.clone(), stopped.clone()));
        }
        Self { stop, clients }
    }

    /// Lets every client finish its step.
    ///
    /// # Panics
    ///
    /// When a client has panicked.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.done().await;
    }

    /// Waits until every client has made its steps.
    ///
    /// # Panics
    ///
    /// When a client has panicked.
    pub async fn done(mut self) {
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("a client does not panic");
        }
    }
}

async fn work<B: KvBackend>(mut worker: Worker<B>, plan: Plan, stopped: watch::Receiver<bool>) {
    let shares: u32 = plan.work.iter().map(|(_, share)| share).sum();
    let mut steps = 0;
    while !*stopped.borrow() && plan.steps.is_none_or(|most| steps < most) {
        let mut drawn = worker.random.random_range(0..shares);
        let work = plan.work.iter().find(|(_, share)| {
            let is_drawn = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            is_drawn
        });
        match work.map_or(Work::Registers, |(work, _)| *work) {
            Work::Registers => registers::step(&mut worker).await,
            Work::Counters => counters::step(&mut worker).await,
            Work::Accounts { fencing, stall } => accounts::step(&mut worker, fencing, stall).await,
            Work::Directories => directories::step(&mut worker).await,
            Work::Renames => renames::step(&mut worker).await,
        }
        steps += 1;
        if plan.pause > Duration::ZERO {
            tokio::time::sleep(plan.pause).await;
        }
    }
}

/// Everything that can be said of a history of this work on a tree that was empty at first: by its revisions, by its
/// files one by one, and whether counters count and no money is lost.
///
/// # Panics
///
/// When two moments of the history have the same number.
pub fn check_work(history: &[Operation], log: &Log) -> Vec<Violation> {
    let mut violations = check_revisions(history, log);
    violations.extend(check_registers(history).violations);
    violations.extend(counters::check(log));
    violations.extend(accounts::check(log));
    violations
}
