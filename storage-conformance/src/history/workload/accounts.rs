//! Accounts between which money goes to and fro.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;
use storage_core::kv::KvBackend;
use storage_core::{File, LockOptions, Result};

use super::worker::Worker;
use crate::history::log::Log;
use crate::history::violation::{Rule, Violation};

/// How the holder of a lock writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fencing {
    /// Through the guard: not any more once the lock is lost.
    Fenced,
    /// Past it: who was stopped for long and does not know that the lock is lost writes all the same. What comes of
    /// that shows what fencing is for, and that the check is not idle.
    Unfenced,
}

/// Three accounts and more: of two, an old state of both has the same sum.
const ACCOUNTS: [&str; 4] = ["accounts/0", "accounts/1", "accounts/2", "accounts/3"];
const BALANCE: i64 = 100;
/// How long to wait for the lock: a client that waits does nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Moves money from one account to another, or looks at all of them.
pub(super) async fn step<B: KvBackend>(worker: &mut Worker<B>, fencing: Fencing, stall: Duration) {
    if worker.random.random_ratio(1, 3) {
        drop(worker.tree.load_many(&ACCOUNTS).await);
        return;
    }
    let options = LockOptions::new().with_deadline(PATIENCE);
    // Mostly without waiting: while a holder is slow the others have something else to do.
    let guard = if worker.random.random_ratio(1, 8) {
        worker.tree.lock("accounts", options).await.map(Some)
    } else {
        worker.tree.try_lock("accounts", options).await
    };
    let Ok(Some(guard)) = guard else { return };
    if let Ok(found) = worker.tree.load_many(&ACCOUNTS).await {
        if stall > Duration::ZERO && worker.random.random_ratio(1, 4) {
            tokio::time::sleep(stall).await;
        }
        if let Some(files) = transfer(worker, &found) {
            let stored = match fencing {
                Fencing::Fenced => guard.store_many(files).await,
                Fencing::Unfenced => worker.tree.store_many(files).await,
            };
            drop(stored);
        }
    }
    drop(guard.unlock().await);
}

/// The accounts that change; all of them if there are none yet, none if they could not be read.
fn transfer<B: KvBackend>(worker: &mut Worker<B>, found: &[Result<File>]) -> Option<Vec<(String, Bytes)>> {
    let signature = worker.signature();
    let account = |number: usize, balance: i64| {
        (ACCOUNTS[number].to_owned(), Bytes::from(format!("{balance} {signature}")))
    };
    if found.iter().all(|file| file.as_ref().is_err_and(storage_core::Error::is_not_found)) {
        return Some((0..ACCOUNTS.len()).map(|number| account(number, BALANCE)).collect());
    }
    let balances: Option<Vec<i64>> = found.iter().map(|file| balance(&file.as_ref().ok()?.content)).collect();
    let balances = balances?;
    let from = worker.random.random_range(0..ACCOUNTS.len());
    let to = (from + worker.random.random_range(1..ACCOUNTS.len())) % ACCOUNTS.len();
    let amount = worker.random.random_range(1..10);
    Some(vec![account(from, balances[from] - amount), account(to, balances[to] + amount)])
}

/// No money comes or goes, at any revision.
pub(super) fn check(log: &Log) -> Vec<Violation> {
    let expected = BALANCE * i64::try_from(ACCOUNTS.len()).expect("a few");
    let mut balances: HashMap<&str, i64> = HashMap::new();
    let mut violations = Vec::new();
    for transaction in &log.transactions {
        let changes = transaction.files.iter().filter(|(path, _)| ACCOUNTS.contains(&path.as_str()));
        let before = balances.clone();
        for (path, content) in changes {
            match content.as_ref().and_then(|content| balance(content)) {
                Some(balance) => balances.insert(path, balance),
                None => balances.remove(path.as_str()),
            };
        }
        let sum: i64 = balances.values().sum();
        if balances != before && sum != expected {
            let expected = format!("a sum of {expected} at {}", transaction.revision);
            violations.push(Violation::new(Rule::Invariant, expected, sum.to_string()));
        }
    }
    violations
}

fn balance(content: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?;
    text.split(' ').next()?.parse().ok()
}
