//! The contract's own suite, in real time.

mod support;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kv_sqlite::{Durability, SqliteOptions};
use storage_conformance::Harness;
use storage_core::kv::Limits;

use crate::support::{Clients, Files};

fn main() -> ExitCode {
    // The limits of etcd, where a value may be as large as a request, and limits that can each be met alone. Clients that
    // have nothing in common but the file go for processes.
    let small = Limits::ETCD_DEFAULTS
        .with_max_txn_ops(24)
        .with_max_value_bytes(50_001)
        .with_max_request_bytes(200_003)
        .with_min_lease_ttl(Duration::from_millis(900));
    // Everything as with etcd, but leases that need not be waited for as long.
    let limits = Limits::ETCD_DEFAULTS.with_min_lease_ttl(Duration::from_secs(1));
    let options = SqliteOptions::default().with_limits(limits);
    storage_conformance::run([
        Arc::new(Files::new("sqlite", Clients::Together, options.with_durability(Durability::Normal)))
            as Arc<dyn Harness>,
        Arc::new(Files::new("sqlite-apart", Clients::Apart, options.with_limits(small))),
    ])
}
