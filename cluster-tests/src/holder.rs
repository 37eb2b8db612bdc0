use std::time::Duration;

use cluster_tests::{At, Event};
use storage_core::Storage;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use crate::faults::FaultyBackend;
use crate::report::{report, report_failure};
use crate::writer::Work;

/// What the task that holds a lock is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Unlock,
    Store(Work),
    KeepStoring(Work),
    StopStoring,
}

/// Takes a lock, then obeys, and tells what becomes of the guard, until it is to unlock or the test asks for the lock anew.
pub(crate) async fn hold(
    storage: Storage<FaultyBackend>,
    lock: String,
    mut orders: UnboundedReceiver<Order>,
) {
    /// How often the guard is looked at.
    const LOOK: Duration = Duration::from_millis(5);
    let Some(guard) = report_failure("lock", storage.lock(&lock).await) else { return };
    report(Event::Locked { lock: lock.clone(), token: guard.token().get() });

    let (mut state, mut until) = (guard.state(), At::now());
    let mut is_lost_told = false;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = guard.lost(), if !is_lost_told => {
                is_lost_told = true;
                report(Event::Lost { lock: lock.clone() });
            }
            _ = looks.tick() => {
                // Read first: what the guard says after that was true then, or later.
                let before = At::now();
                let now = guard.state();
                if now != state {
                    state = now;
                    report(Event::State { lock: lock.clone(), state: format!("{now:?}"), until });
                }
                until = before;
            }
            order = orders.recv() => match order {
                Some(Order::Store(work)) => work.store(&storage, &guard).await,
                Some(Order::KeepStoring(work)) => work.keep_storing(&storage, &guard, &mut orders).await,
                Some(Order::StopStoring) => {}
                Some(Order::Unlock) => break,
                None => return,
            },
        }
    }
    let began = At::now();
    if report_failure("unlock", guard.unlock().await).is_some() {
        report(Event::Unlocked { lock, began });
    }
}
