//! Stores and storages that are broken on purpose are found out by the suite, all of them.

mod support;

use std::process::ExitCode;
use std::sync::Arc;

use storage_conformance::Harness;

use crate::support::InProcess;

fn main() -> ExitCode {
    let harness: Arc<dyn Harness> = Arc::new(InProcess::new("memory"));
    storage_conformance::run_saboteurs(&harness)
}
