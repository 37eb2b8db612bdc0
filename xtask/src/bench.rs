//! `cargo xtask bench`: kvfs side by side with etcd and with its peers.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Effort};

/// Builds the benchmarks, a workspace of its own so that nobody else compiles the peers, and runs them with these options.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let mut cargo = tools.cargo();
    cargo.args(["run", "--release", "--locked", "--manifest-path", "bench/Cargo.toml", "--"]);
    process::run(cargo.args(options))
}
