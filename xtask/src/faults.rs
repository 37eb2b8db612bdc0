//! `cargo xtask faults`: the fault scenarios, for as long as the catalogue asks.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Effort};

/// Runs the scenarios with these options.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let mut cargo = tools.cargo();
    cargo.args(["run", "--release", "--package", "fault-tests", "--"]).args(options);
    process::run(&mut cargo)
}
