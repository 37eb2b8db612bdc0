//! Many processes, many tasks in each, one lock.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::fs;
use std::time::Duration;

use cluster_tests::{At, Command, Event};
use support::{Node, PREFIX, Store, let_pass, on_each_store, stress_time, until};

const PROCESSES: usize = 16;
const TASKS: usize = 16;

/// Longer than any pause of a busy machine: no lock is to be lost here.
const TTL: Duration = Duration::from_secs(30);

#[test]
fn a_lock_has_one_holder_at_a_time_in_the_order_of_tokens() {
    on_each_store("contention", |store| {
        /// A run that is longer than this is made on one server only.
        const QUICK: Duration = Duration::from_secs(10);
        if stress_time() > QUICK && !store.is_newest() {
            return;
        }
        contend(store);
    });
}

fn contend(store: &Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = Node::start_many(store, TTL, PROCESSES);
    for node in &mut nodes {
        let (lock, folder) = ("one".to_owned(), folder.path().to_owned());
        node.tell(&Command::Contend { lock, tasks: TASKS, folder });
    }
    let began = At::now();
    while began.elapsed() < stress_time() {
        nodes.iter_mut().for_each(Node::check);
        let_pass(Duration::from_millis(100));
    }
    for node in &mut nodes {
        node.tell(&Command::StopContending);
    }
    let turns: Vec<u32> = nodes.iter_mut().map(contended).collect();
    let took = began.elapsed();

    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let tokens: Vec<u64> = log.lines().map(|line| line.parse().unwrap()).collect();
    let sum: u32 = turns.iter().sum();
    let (fewest, most) = (turns.iter().min().unwrap(), turns.iter().max().unwrap());
    println!(
        "contention, {}: {PROCESSES} processes of {TASKS} tasks, {sum} acquisitions in {took:.1?}, {:.0} a second; \
         {fewest} to {most} for each process; 0 violations",
        store.name(),
        f64::from(sum) / took.as_secs_f64(),
    );
    assert_eq!(u32::try_from(tokens.len()).unwrap(), sum, "every turn is in the log");
    let disorder = tokens.windows(2).find(|pair| pair[0] >= pair[1]);
    assert!(disorder.is_none(), "one had the lock after the other: {disorder:?}");
    assert!(*fewest > 0, "{turns:?}");
    // Of those who waited at the end nothing stays, although their sessions go on.
    until("no place is left", || store.keys_below(&format!("{PREFIX}/lock/")).is_empty());
    assert_eq!(store.keys_below(&format!("{PREFIX}/session/")).len(), PROCESSES);
}

fn contended(node: &mut Node) -> u32 {
    let contended = node.wait_for("contended", |event| match event {
        Event::Contended { turns } => Some(*turns),
        _ => None,
    });
    contended.1
}
