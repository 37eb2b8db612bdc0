//! kv-memory, and the file tree on it, against the models.

use std::time::Duration;

use std::sync::Arc;

use async_trait::async_trait;
use kv_memory::{MemoryBackend, MemoryOptions};
use model_tests::{Property, Weather, kv, tree};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Limits, Revision};

/// Stores with limits that random calls now and then exceed.
fn small() -> Memory {
    let limits = Limits::ETCD_DEFAULTS
        .with_max_txn_ops(7)
        .with_max_value_bytes(40)
        .with_max_request_bytes(700)
        .with_min_lease_ttl(Duration::from_secs(1));
    Memory(MemoryOptions::default().with_limits(limits))
}

#[test]
fn it_answers_as_the_model_does() {
    kv::check(
        &Property::new("proptest-regressions/memory-kv.txt", 800),
        &small(),
        Duration::ZERO,
        Weather::Fair,
    );
}

#[test]
fn it_answers_as_the_model_does_whatever_goes_wrong() {
    kv::check(
        &Property::new("proptest-regressions/memory-kv-faults.txt", 800),
        &small(),
        Duration::ZERO,
        Weather::Foul,
    );
}

#[test]
fn the_tree_answers_as_the_model_does() {
    tree::check(
        &Property::new("proptest-regressions/memory-tree.txt", 300),
        &Memory(MemoryOptions::default()),
        Weather::Fair,
    );
}

#[test]
fn the_tree_answers_as_the_model_does_whatever_goes_wrong() {
    tree::check(
        &Property::new("proptest-regressions/memory-tree-faults.txt", 300),
        &Memory(MemoryOptions::default()),
        Weather::Foul,
    );
}

#[test]
fn long_listings_answer_as_the_model_does() {
    tree::check_long_listings(
        &Property::new("proptest-regressions/memory-listings.txt", 16),
        &Memory(MemoryOptions::default()),
    );
}

struct Memory(MemoryOptions);

struct Store(MemoryBackend);

#[async_trait]
impl Harness for Memory {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(Store(MemoryBackend::with_options(self.0)))
    }
}

#[async_trait]
impl TestStore for Store {
    async fn client(&self) -> Arc<dyn KvBackend> {
        Arc::new(self.0.clone())
    }

    fn prefix(&self) -> String {
        String::new()
    }

    async fn compact(&self, revision: Revision) {
        self.0.compact(revision).expect("the revision exists");
    }
}

#[test]
fn every_operation_survives_every_fault_at_every_call() {
    let tried = model_tests::countdown::check(&Memory(MemoryOptions::default()));
    println!("{tried}");
    assert!(tried.combinations > 1_000, "{tried}");
}
