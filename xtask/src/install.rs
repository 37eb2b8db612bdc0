//! `cargo xtask install`: the command `kvfs`, for those who have only Rust.

use anyhow::Result;

use crate::process;
use crate::setup::{self, Effort};

/// Installs it with these options of `cargo install`.
pub(crate) fn run(options: &[String]) -> Result<()> {
    let tools = setup::ensure(Effort::Building)?;
    process::run(tools.cargo().args(["install", "--locked", "--path", "storage-cli"]).args(options))
}
