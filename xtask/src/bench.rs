//! `cargo xtask bench`: kvfs side by side with etcd and with its peers.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Effort};

/// Builds the benchmarks, a workspace of its own so that nobody else compiles the peers, and runs them with these options.
/// The command `kvfs`, whose memory is measured, is that of this workspace.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    process::run(tools.cargo().args(["build", "--locked", "--package", "storage-cli"]))?;
    let mut cargo = tools.cargo();
    cargo.args(["run", "--release", "--locked", "--manifest-path", "bench/Cargo.toml", "--"]);
    process::run(cargo.args(options))
}
