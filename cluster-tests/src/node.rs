use std::collections::HashMap;
use std::sync::Arc;

use cluster_tests::{Command, Event, Failure, Seen};
use storage_core::Storage;
use tokio::sync::{mpsc, watch};

use crate::churn::{churn, keep_overwriting};
use crate::contender::contend;
use crate::crowd::crowd;
use crate::faults::{Faults, FaultyBackend};
use crate::holder::{Order, hold};
use crate::raw::Raw;
use crate::report::{report, report_failure};
use crate::writer::Work;

/// A client of the tree, and what is under way in it.
pub(crate) struct Node {
    storage: Storage<FaultyBackend>,
    faults: Arc<Faults>,
    raw: Raw,
    /// The tasks that have, or want, a lock.
    holders: HashMap<String, mpsc::UnboundedSender<Order>>,
    /// Ends contending.
    stop: watch::Sender<bool>,
    /// Lets the first of a crowd go.
    gate: watch::Sender<bool>,
}

impl Node {
    pub(crate) fn new(storage: Storage<FaultyBackend>, faults: Arc<Faults>, raw: Raw) -> Self {
        let (stop, gate) = (watch::Sender::new(false), watch::Sender::new(false));
        Self { storage, faults, raw, holders: HashMap::new(), stop, gate }
    }

    /// Begins to do what was said, and does not wait for its end.
    pub(crate) fn obey(&mut self, command: Command) {
        let storage = self.storage.clone();
        match command {
            Command::Lock { lock } => {
                let (orders, received) = mpsc::unbounded_channel();
                self.holders.insert(lock.clone(), orders);
                tokio::spawn(hold(storage, lock, received));
            }
            Command::Unlock { lock } => self.order(&lock, Order::Unlock),
            Command::Store { lock, path, content, fence } => {
                self.order(&lock, Order::Store(Work { path, content, fence }));
            }
            Command::KeepStoring { lock, path, content, fence } => {
                self.order(&lock, Order::KeepStoring(Work { path, content, fence }));
            }
            Command::StopStoring { lock } => self.order(&lock, Order::StopStoring),
            Command::Locks => drop(tokio::spawn(report_locks(storage))),
            Command::Load { path } => drop(tokio::spawn(report_file(storage, path))),
            Command::StopBeforeNextTxn => self.faults.stop_before_next_txn(),
            Command::CutLease => {
                self.faults.cut_lease();
                report(Event::LeaseCut);
            }
            Command::MendLease => self.faults.mend_lease(),
            Command::LastRenewal => self.faults.report_last_renewal(),
            Command::Contend { lock, tasks, folder } => {
                drop(tokio::spawn(contend(storage, lock, tasks, folder, self.stop.subscribe())));
            }
            Command::StopContending => drop(self.stop.send_replace(true)),
            Command::Crowd { lock, tasks } => {
                drop(tokio::spawn(crowd(storage, lock, tasks, self.gate.subscribe())));
            }
            Command::OpenGate => drop(self.gate.send_replace(true)),
            Command::Churn { rounds } => drop(tokio::spawn(churn(storage, rounds))),
            Command::KeepOverwriting { files } => drop(tokio::spawn(keep_overwriting(storage, files))),
            Command::RawPut { key } => drop(tokio::spawn(self.raw.clone().put(key))),
            Command::RawWatch { key } => drop(tokio::spawn(self.raw.clone().watch_and_read(key))),
        }
    }

    fn order(&self, lock: &str, order: Order) {
        let is_taken = self.holders.get(lock).is_some_and(|holder| holder.send(order).is_ok());
        if !is_taken {
            let text = format!("this node has not asked for {lock}, or has it no more");
            report(Event::Failed(Failure { kind: "Test".to_owned(), text }));
        }
    }
}

async fn report_locks(storage: Storage<FaultyBackend>) {
    if let Some(locks) = report_failure("locks", storage.locks().await) {
        let seen =
            |lock: storage_core::LockEntry| Seen { lock: lock.name, position: lock.position, pid: lock.pid };
        report(Event::Locks(locks.into_iter().map(seen).collect()));
    }
}

async fn report_file(storage: Storage<FaultyBackend>, path: String) {
    if let Some(content) = report_failure("load", storage.load(&path).await) {
        let content = String::from_utf8_lossy(&content).into_owned();
        report(Event::Loaded { path, content });
    }
}
