//! The contract's own suite.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use kv_example::ExampleBackend;
use storage_conformance::{Harness, TestStore, Time};
use storage_core::kv::{KvBackend, Revision};

fn main() -> ExitCode {
    storage_conformance::run([Arc::new(InProcess) as Arc<dyn Harness>])
}

struct InProcess;

#[async_trait]
impl Harness for InProcess {
    fn name(&self) -> String {
        "example".to_owned()
    }

    fn time(&self) -> Time {
        Time::Paused
    }

    fn missing(&self) -> Option<String> {
        None
    }

    async fn fresh(&self) -> Box<dyn TestStore> {
        Box::new(OwnStore(ExampleBackend::default()))
    }
}

struct OwnStore(ExampleBackend);

#[async_trait]
impl TestStore for OwnStore {
    async fn client(&self) -> Arc<dyn KvBackend> {
        Arc::new(self.0.clone())
    }

    fn prefix(&self) -> String {
        "case/".to_owned()
    }

    async fn compact(&self, revision: Revision) {
        self.0.compact(revision);
    }
}
