//! The contract's own suite, on paused time.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Limits, Revision};

fn main() -> ExitCode {
    // The limits of etcd, where a value may be as large as a request, and limits that can each be met alone.
    let small = Limits::ETCD_DEFAULTS
        .with_max_txn_ops(24)
        .with_max_value_bytes(50_001)
        .with_max_request_bytes(200_003)
        .with_min_lease_ttl(Duration::from_millis(3_500));
    storage_conformance::run([
        Arc::new(InProcess { name: "memory", options: MemoryOptions::default() }) as Arc<dyn Harness>,
        Arc::new(InProcess { name: "memory-small", options: MemoryOptions::default().with_limits(small) }),
    ])
}

struct InProcess {
    name: &'static str,
    options: MemoryOptions,
}

struct InProcessStore(MemoryBackend);

#[async_trait]
impl Harness for InProcess {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(InProcessStore(MemoryBackend::with_options(self.options)))
    }
}

#[async_trait]
impl TestStore for InProcessStore {
    async fn client(&self) -> Arc<dyn KvBackend> {
        Arc::new(self.0.clone())
    }

    fn prefix(&self) -> String {
        "case/".to_owned()
    }

    async fn compact(&self, revision: Revision) {
        self.0.compact(revision).expect("a case compacts to revisions that exist");
    }
}
