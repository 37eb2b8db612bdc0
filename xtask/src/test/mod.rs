//! `cargo xtask test`: every check of the workspace, cheap ones first, up to the first that fails.

mod programs;
mod tally;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::tally::Tally;
use crate::{
    documents, layering, msrv, process,
    setup::{self, Effort, Tools},
};

/// A step, in the order in which they run. The names are those of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// rustfmt would change nothing
    Fmt,
    /// Crates depend on each other as they may
    Layering,
    /// Links between documents lead somewhere, and every error is explained
    Links,
    /// Every dependency accepts our oldest Rust
    Msrv,
    /// No lint, warnings included
    Clippy,
    /// The documentation builds without warnings
    Doc,
    /// Unit, integration and conformance tests
    Tests,
    /// The examples in the documentation
    Doctests,
}

/// Runs `steps`, or all if none is named, after [`setup::ensure`]; then prints what became of each.
pub(crate) fn run(steps: &[Step]) -> Result<ExitCode> {
    let selected: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| steps.is_empty() || steps.contains(step))
        .collect();
    println!("== setup");
    let tools = setup::ensure(Effort::Everything)?;

    let mut outcomes = Vec::new();
    for &step in &selected {
        println!("\n== {}", step.name());
        let started = now();
        let mut tally = Tally::default();
        let result = step.run(&tools, &mut tally);
        tally.settle(result.is_ok());
        outcomes.push(Outcome { step, tally, took: started.elapsed() });
        if let Err(error) = result {
            eprintln!("error: step {} failed: {error:#}", step.name());
            break;
        }
    }
    Ok(summarize(&selected, &outcomes))
}

impl Step {
    fn run(self, tools: &Tools, tally: &mut Tally) -> Result<()> {
        // The same features in every step, so that dependencies are built once for checking and once for running.
        const WORKSPACE: [&str; 2] = ["--workspace", "--all-features"];
        let mut cargo = tools.cargo();
        match self {
            Self::Fmt => process::run(cargo.args(["fmt", "--all", "--check"])),
            Self::Layering => layering::check(),
            Self::Links => documents::check(),
            Self::Msrv => msrv::check(tools),
            Self::Clippy => {
                let clippy =
                    cargo.arg("clippy").args(WORKSPACE).args(["--all-targets", "--", "-D", "warnings"]);
                process::run(clippy)
            }
            Self::Doc => {
                let doc = cargo.arg("doc").args(WORKSPACE).arg("--no-deps");
                process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
            }
            Self::Tests => programs::run(cargo.arg("test").args(WORKSPACE).arg("--all-targets"), tally),
            Self::Doctests => {
                run_doctests(cargo.arg("test").args(WORKSPACE).args(["--doc", "--no-fail-fast"]), tally)
            }
        }
    }

    fn name(self) -> String {
        self.to_possible_value().expect("no step is hidden").get_name().to_owned()
    }
}

fn run_doctests(command: &mut std::process::Command, tally: &mut Tally) -> Result<()> {
    process::run_observed(command, |line| tally.observe(line))?;
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

struct Outcome {
    step: Step,
    tally: Tally,
    took: Duration,
}

/// Prints a row for each step and ends with the sum on a line of its own. A step without tests counts as one.
fn summarize(selected: &[Step], outcomes: &[Outcome]) -> ExitCode {
    println!("\n{:<9} {:>7} {:>7} {:>7} {:>8}", "step", "passed", "failed", "ignored", "time");
    for Outcome { step, tally, took } in outcomes {
        let Tally { passed, failed, ignored } = tally;
        println!("{:<9} {passed:>7} {failed:>7} {ignored:>7} {:>7.1}s", step.name(), took.as_secs_f64());
    }
    for step in &selected[outcomes.len()..] {
        println!("{:<9} not run", step.name());
    }
    let total: Tally = outcomes.iter().map(|outcome| outcome.tally).sum();
    println!("\n{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "a person waits for these commands; there is no time to pause")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_run() {
        let outcome = |passed, failed| Outcome {
            step: Step::Fmt,
            tally: Tally { passed, failed, ignored: 0 },
            took: Duration::ZERO,
        };
        let code = |outcomes: &[Outcome]| format!("{:?}", summarize(&[Step::Fmt, Step::Tests], outcomes));
        assert_eq!(code(&[outcome(1, 0), outcome(9, 0)]), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(&[outcome(0, 1)]), format!("{:?}", ExitCode::FAILURE));
    }
}
