//! A process that does all that can be done with a tree, and one that only writes, until it is killed.

use std::process;

use cluster_tests::{Event, Failure};
use storage_core::{Error, ErrorKind, ListOptions, Storage};
use tokio::task::JoinSet;

use crate::faults::FaultyBackend;
use crate::report::{failure, report};

/// How many locks the processes share, each with a counter that it protects.
const LOCKS: u64 = 4;

/// Stores, loads, deletes and locks, so many times each.
pub(crate) async fn churn(storage: Storage<FaultyBackend>, rounds: u64) {
    match try_churn(&storage, rounds).await {
        Ok(()) => report(Event::Churned),
        Err(failed) => report(Event::Failed(failed)),
    }
}

async fn try_churn(storage: &Storage<FaultyBackend>, rounds: u64) -> Result<(), Failure> {
    /// So many files of its own a process has at a time.
    const FILES: u64 = 50;
    let own = process::id();
    for round in 0..rounds {
        let path = format!("churn/{own}/{round}");
        let content = format!("{own} {round}").repeat(20);
        check("store", storage.store(&path, content.clone()).await)?;
        let loaded = check("load", storage.load(&path).await)?;
        if loaded != content.as_bytes() {
            return Err(wrong(format!("{path} was stored and holds something else")));
        }
        if let Some(old) = round.checked_sub(FILES) {
            check("delete", storage.delete(&format!("churn/{own}/{old}")).await)?;
        }
        count(storage, round % LOCKS).await?;
    }
    let listed = check("list", storage.list(&format!("churn/{own}"), ListOptions::children()).await)?;
    let expected = rounds.min(FILES);
    if listed.len() as u64 != expected {
        return Err(wrong(format!("{} files are there of {expected}", listed.len())));
    }
    Ok(())
}

/// Adds one to a counter that all processes share, as only the holder of its lock may.
async fn count(storage: &Storage<FaultyBackend>, number: u64) -> Result<(), Failure> {
    let path = format!("counters/{number}");
    let guard = check("lock", storage.lock(&format!("counter-{number}")).await)?;
    let before = match storage.load(&path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        loaded => {
            let text = String::from_utf8_lossy(&check("load", loaded)?).into_owned();
            text.parse::<u64>().map_err(|_| wrong(format!("{path} holds {text:?}")))?
        }
    };
    check("store", guard.store(&path, (before + 1).to_string()).await)?;
    check("unlock", guard.unlock().await)
}

/// Overwrites files, each in a task of its own, and tells of each write that was acknowledged, for ever.
pub(crate) async fn keep_overwriting(storage: Storage<FaultyBackend>, files: Vec<(String, u64)>) {
    let mut tasks = JoinSet::new();
    for (path, first) in files {
        let storage = storage.clone();
        tasks.spawn(async move {
            let mut number = first;
            loop {
                match storage.store(&path, number.to_string()).await {
                    Ok(_) => report(Event::Overwrote { path: path.clone(), number }),
                    Err(error) => return report(Event::Failed(failure("store", &error))),
                }
                number += 1;
            }
        });
    }
    tasks.join_all().await;
}

fn check<T>(what: &str, result: Result<T, Error>) -> Result<T, Failure> {
    result.map_err(|error| failure(what, &error))
}

fn wrong(text: String) -> Failure {
    Failure { kind: "Wrong".to_owned(), text }
}
