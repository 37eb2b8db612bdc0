//! Clients that write and read keys of their own, and check that no acknowledged write is lost and no read is stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kv_etcd::EtcdBackend;
use storage_core::kv::{BackendError, Get, Key, KvBackend, KvBackendExt, Op, OpReply, Txn, TxnOutcome};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Clients at work.
pub(crate) struct Load {
    clients: JoinSet<Outcome>,
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// What clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Operations that succeeded.
    pub(crate) succeeded: usize,
    /// Writes that may have been applied.
    pub(crate) ambiguous: usize,
    /// All other errors.
    pub(crate) failed: Vec<BackendError>,
    /// The longest time that a client was kept waiting.
    pub(crate) longest: Duration,
    /// How often a client was kept waiting for a second or more.
    pub(crate) slow: usize,
    /// The longest time without an acknowledged write of a client.
    pub(crate) gap: Duration,
}

impl Load {
    pub(crate) fn start(backends: &[EtcdBackend], clients: usize) -> Self {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut running = JoinSet::new();
        for (number, backend) in backends.iter().cycle().take(clients).enumerate() {
            let (backend, done, stop) = (backend.clone(), Arc::clone(&done), Arc::clone(&stop));
            running.spawn(client(number, backend, done, stop));
        }
        Self { clients: running, done, stop }
    }

    /// Waits until so many more operations have succeeded.
    pub(crate) async fn more(&self, operations: usize) {
        let goal = self.done.load(Ordering::Relaxed) + operations;
        super::until("operations", || self.done.load(Ordering::Relaxed) >= goal).await;
    }

    pub(crate) async fn stop(mut self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome::default();
        while let Some(client) = self.clients.join_next().await {
            let client = client.unwrap();
            all.succeeded += client.succeeded;
            all.ambiguous += client.ambiguous;
            all.failed.extend(client.failed);
            all.longest = all.longest.max(client.longest);
            all.slow += client.slow;
            all.gap = all.gap.max(client.gap);
        }
        println!(
            "{} operations, {} ambiguous, {} failed, {} slow, longest {:?}, gap {:?}",
            all.succeeded,
            all.ambiguous,
            all.failed.len(),
            all.slow,
            all.longest,
            all.gap
        );
        all
    }
}

async fn client(
    number: usize,
    backend: EtcdBackend,
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Outcome {
    let key = Key::new(format!("/test/load/{number}"));
    let mut outcome = Outcome::default();
    // What may be there: the last acknowledged value, and all that may have been applied. Of these any may yet come: one
    // that lies with a stopped server is applied when that goes on.
    let (mut last, mut possible) = (None, Vec::new());
    let mut acknowledged = Instant::now();
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        let result = if count % 2 == 0 {
            let value = Bytes::from(count.to_string());
            let result = backend.put(key.clone(), value.clone()).await;
            match &result {
                Ok(_) => {
                    last = Some(value);
                    outcome.gap = outcome.gap.max(acknowledged.elapsed());
                    acknowledged = Instant::now();
                }
                Err(error) if error.is_maybe_applied() => possible.push(Some(value)),
                Err(_) => {}
            }
            result.map(drop)
        } else {
            // By turns with a read and with a transaction that only reads.
            let read =
                if count % 4 == 1 { get(&backend, &key).await } else { get_in_txn(&backend, &key).await };
            read.map(|value| {
                let is_possible = value == last || possible.contains(&value);
                assert!(is_possible, "{key:?} is {value:?}, not {last:?} nor of {possible:?}");
            })
        };
        let took = begin.elapsed();
        outcome.longest = outcome.longest.max(took);
        outcome.slow += usize::from(took >= Duration::from_secs(1));
        match result {
            Ok(()) => {
                outcome.succeeded += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if count % 2 == 0 && error.is_maybe_applied() => outcome.ambiguous += 1,
            Err(error) => outcome.failed.push(error),
        }
    }
    outcome
}

async fn get(backend: &EtcdBackend, key: &Key) -> Result<Option<Bytes>, BackendError> {
    Ok(backend.get(key.clone()).await?.map(|entry| entry.value))
}

async fn get_in_txn(backend: &EtcdBackend, key: &Key) -> Result<Option<Bytes>, BackendError> {
    let reply = backend.txn(Txn::new().then(Op::Get(Get::key(key.clone())))).await?;
    let TxnOutcome::Matched(mut replies) = reply.outcome else { panic!("there was no compare") };
    match replies.pop() {
        Some(OpReply::Get(mut found)) => Ok(found.entries.pop().map(|entry| entry.value)),
        other => panic!("{other:?} answers a read"),
    }
}
