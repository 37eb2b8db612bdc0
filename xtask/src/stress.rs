//! `cargo xtask stress`: the tests with several processes, for longer than `cargo xtask test` has time for.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Effort};

/// Runs the tests of `cluster-tests` one after the other, so that none disturbs the figures of another, and prints those.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let mut cargo = tools.cargo();
    cargo.args(["test", "--package", "cluster-tests", "--tests", "--no-fail-fast"]);
    cargo.args(["--", "--nocapture", "--test-threads=1"]);
    cargo.env("KVFS_STRESS_SECONDS", seconds.to_string());
    process::run(cargo.env("KVFS_CHURN_ROUNDS", "1000").env("KVFS_KILLS", "100"))
}
