//! What is left of the writes of processes that are killed in the middle of them.
//!
//! The whole is 100 kills: `KVFS_KILLS=100`.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_tests::{At, Command, Event};
use storage_core::{EntryKind, ListOptions};
use support::{Node, Store, let_pass, open_tree};

const TTL: Duration = Duration::from_secs(30);

/// How many processes write, each so many files at the same time. One of them is killed in each round, in turns.
const PROCESSES: usize = 3;
const FILES: usize = 8;

#[test]
fn every_acknowledged_write_is_there_and_the_file_is_sound() {
    const QUICK: usize = 10;
    let kills = match std::env::var("KVFS_KILLS") {
        Ok(kills) => kills.parse().expect("KVFS_KILLS is a number"),
        Err(_) => QUICK,
    };
    let store = Store::sqlite();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    let mut nodes: Vec<_> = (0..PROCESSES).map(|writer| start(&store, writer, &acknowledged)).collect();
    let (began, mut before) = (At::now(), 0);
    for kill in 0..kills {
        // Not in step with anything: a few writes, or hundreds.
        let_pass(Duration::from_millis(20 + u64::try_from(kill * 37 % 160).unwrap()));
        let writer = kill % PROCESSES;
        nodes[writer].kill();
        note(&mut nodes[writer], &mut acknowledged);
        check(&store, &acknowledged);
        nodes[writer] = start(&store, writer, &acknowledged);
        for node in &mut nodes {
            note(node, &mut acknowledged);
        }
        let now: u64 = acknowledged.values().sum();
        assert!(now > before, "writes are acknowledged between two kills");
        before = now;
    }
    println!(
        "killed_writers, {}: {kills} kills, {before} acknowledged writes in {:.1?}, none lost",
        store.name(),
        began.elapsed()
    );
}

/// Starts a process that goes on with the numbers of the one before it.
fn start(store: &Store, writer: usize, acknowledged: &BTreeMap<String, u64>) -> Node {
    let mut node = Node::start(store, TTL);
    let next = |path: String| {
        let number = acknowledged.get(&path).map_or(1, |number| number + 1);
        (path, number)
    };
    let files = (0..FILES).map(|file| next(format!("written/{writer}/{file}"))).collect();
    node.tell(&Command::KeepOverwriting { files });
    node
}

/// Takes down what a process has told so far: all, if it has ended.
fn note(node: &mut Node, acknowledged: &mut BTreeMap<String, u64>) {
    while let Some((path, number)) = node.said_until_its_end(|event| match event {
        Event::Overwrote { path, number } => Some((path.clone(), *number)),
        _ => None,
    }) {
        acknowledged.insert(path, number);
    }
}

/// The file is sound, each file of the tree is what its metadata say, and none is older than what was acknowledged.
fn check(store: &Store, acknowledged: &BTreeMap<String, u64>) {
    let database = rusqlite::Connection::open(store.file()).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let found: BTreeMap<String, u64> = open_tree(store, async |tree| {
        let mut found = BTreeMap::new();
        for entry in tree.list("", ListOptions::descendants().with_metadata()).await.unwrap() {
            if entry.kind == EntryKind::File {
                // Loading compares the content with its checksum.
                let content = tree.load(entry.path.as_ref()).await.unwrap();
                let number = String::from_utf8_lossy(&content).parse().unwrap();
                found.insert(entry.path.to_string(), number);
            }
        }
        found
    });
    for (path, number) in acknowledged {
        assert!(
            found.get(path) >= Some(number),
            "{path}: {number} was acknowledged, found {:?}",
            found.get(path)
        );
    }
}
