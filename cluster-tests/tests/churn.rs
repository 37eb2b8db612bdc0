//! Several processes that do all that can be done with a tree, at the same time.
//!
//! The whole is 1,000 rounds of each process: `KVFS_CHURN_ROUNDS=1000`.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::time::Duration;

use cluster_tests::{At, Command, Event};
use storage_core::ListOptions;
use support::{Node, Store, on_each_store, open_tree};

const PROCESSES: u64 = 8;

/// Longer than any pause of a busy machine: no lock is to be lost here.
const TTL: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_lost_and_no_error_reaches_a_caller() {
    on_each_store("churn", |store| churn(store));
}

fn churn(store: &Store) {
    const QUICK: u64 = 20;
    let rounds = match std::env::var("KVFS_CHURN_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("KVFS_CHURN_ROUNDS is a number"),
        Err(_) => QUICK,
    };
    // A run that is longer than the quick one is not made on older versions.
    if rounds > QUICK && !store.is_newest() {
        return;
    }
    let mut nodes = Node::start_many(store, TTL, usize::try_from(PROCESSES).unwrap());
    let began = At::now();
    for node in &mut nodes {
        node.tell(&Command::Churn { rounds });
    }
    let deadline = Duration::from_secs(60 + 2 * rounds);
    for node in &mut nodes {
        node.wait_long_for("churned", deadline, |event| matches!(event, Event::Churned).then_some(()));
    }
    let took = began.elapsed();
    println!(
        "churn, {}: {PROCESSES} processes of {rounds} stores, loads, deletions and locks with a counter behind: {took:.1?}",
        store.name(),
    );
    // Each turn with a lock has added one: a lost update would be missing.
    let counted: u64 = open_tree(store, async |tree| {
        let mut counted = 0;
        for counter in tree.list("counters", ListOptions::children()).await.unwrap() {
            let content = tree.load(counter.path.as_ref()).await.unwrap();
            counted += String::from_utf8_lossy(&content).parse::<u64>().unwrap();
        }
        counted
    });
    assert_eq!(counted, PROCESSES * rounds);
}
