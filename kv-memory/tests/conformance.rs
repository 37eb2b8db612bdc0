//! The contract's own suite, on paused time.

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kv_memory::MemoryOptions;
use storage_conformance::{Column, Harness};
use storage_core::kv::Limits;

use crate::support::InProcess;

fn main() -> ExitCode {
    // The limits of etcd, where a value may be as large as a request, and limits that can each be met alone.
    let small = Limits::ETCD_DEFAULTS
        .with_max_txn_ops(24)
        .with_max_value_bytes(50_001)
        .with_max_request_bytes(200_003)
        .with_min_lease_ttl(Duration::from_millis(3_500));
    let small = MemoryOptions::default().with_limits(small);
    let memory: Arc<dyn Harness> = Arc::new(InProcess::new("memory"));
    storage_conformance::run([
        Column::from(Arc::clone(&memory)),
        Column::from(Arc::new(InProcess::with_options("memory-small", small)) as Arc<dyn Harness>),
        Column::caddy_etcd(memory),
    ])
}
