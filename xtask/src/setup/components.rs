//! rustfmt and clippy: parts of Rust that a minimal installation lacks.

use anyhow::{Context as _, Result};

use super::report;
use crate::process;

pub(super) fn ensure() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if let Ok(version) = version(subcommand) {
            report(component, &version);
            continue;
        }
        let mut add = process::command("rustup");
        let version = process::capture(add.args(["component", "add", component]))
            .and_then(|_| version(subcommand))
            .with_context(|| {
                format!("{component} is missing; install it: rustup component add {component}")
            })?;
        report(component, &format!("{version}, installed by rustup"));
    }
    Ok(())
}

/// The second word of `rustfmt 1.8.0-stable (4a4ef493e3 2026-03-02)` and the like.
fn version(subcommand: &str) -> Result<String> {
    let said = process::capture(process::cargo().args([subcommand, "--version"]))?;
    said.split_whitespace().nth(1).map(str::to_owned).with_context(|| format!("no version in {said:?}"))
}
