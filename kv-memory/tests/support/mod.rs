//! A harness of stores in this process.

use std::sync::Arc;

use async_trait::async_trait;
use kv_memory::{MemoryBackend, MemoryOptions};
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Revision};

pub(crate) struct InProcess {
    name: &'static str,
    options: MemoryOptions,
}

impl InProcess {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::with_options(name, MemoryOptions::default())
    }

    pub(crate) fn with_options(name: &'static str, options: MemoryOptions) -> Self {
        Self { name, options }
    }
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
