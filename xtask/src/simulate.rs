//! `cargo xtask simulate`: thousands of simulated runs, or one of them again.

use anyhow::Result;

use crate::process;

/// Runs the simulation with these options, in a release build: it has nothing to wait for.
pub(crate) fn run(options: &[String]) -> Result<()> {
    process::run(process::cargo().args(["run", "--release", "--package", "simulation", "--"]).args(options))
}
