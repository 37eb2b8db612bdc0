//! Many tasks of one process that want the same lock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cluster_tests::Event;
use storage_core::Storage;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::faults::FaultyBackend;
use crate::report::{report, report_failure};

/// Who has asked so far, and who has had the lock.
#[derive(Default)]
struct Crowd {
    asked: AtomicUsize,
    served: Mutex<Vec<usize>>,
}

/// Lets so many tasks ask for a lock; the first keeps it until the gate is open.
pub(crate) async fn crowd(
    storage: Storage<FaultyBackend>,
    lock: String,
    tasks: usize,
    gate: watch::Receiver<bool>,
) {
    let crowd = Arc::new(Crowd::default());
    let mut members = JoinSet::new();
    for _ in 0..tasks {
        members.spawn(take_one_turn(storage.clone(), lock.clone(), tasks, Arc::clone(&crowd), gate.clone()));
    }
    members.join_all().await;
    let served = crowd.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report(Event::Served(served));
}

async fn take_one_turn(
    storage: Storage<FaultyBackend>,
    lock: String,
    tasks: usize,
    crowd: Arc<Crowd>,
    mut gate: watch::Receiver<bool>,
) {
    // With one thread nobody asks between this and the next line.
    let number = crowd.asked.fetch_add(1, Ordering::SeqCst);
    let Some(guard) = report_failure("lock", storage.lock(&lock).await) else { return };
    let is_first = {
        let mut served = crowd.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.push(number);
        served.len() == 1
    };
    if is_first {
        while crowd.asked.load(Ordering::SeqCst) < tasks {
            tokio::task::yield_now().await;
        }
        report(Event::Asked);
        // The node that holds the other end ends only with the process.
        let _ = gate.wait_for(|is_open| *is_open).await;
    }
    report_failure("unlock", guard.unlock().await);
}
