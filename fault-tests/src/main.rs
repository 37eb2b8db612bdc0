//! Runs the scenarios and prints what they have shown.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use etcd_process::EtcdBinary;
use fault_tests::{Length, SCENARIOS, Scenario, Setting};

/// Faults on a real etcd cluster.
#[derive(Debug, Parser)]
struct Options {
    /// Only these scenarios: `F1`; `F6` is F6a, F6b and so on.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where all randomness comes from; another one each time if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Some seconds each.
    #[arg(long)]
    quick: bool,
    /// The version of etcd; all that are installed if it is not given.
    #[arg(long)]
    etcd: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let length = if options.quick { Length::Quick } else { Length::Full };
    let is_wanted = |scenario: &&Scenario| {
        options.only.is_empty() || options.only.iter().any(|name| is_called(scenario.name, name))
    };
    let scenarios: Vec<_> = SCENARIOS.iter().filter(is_wanted).collect();
    if scenarios.is_empty() {
        let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        bail!("no scenario is called so; there are {}", names.join(", "));
    }
    let is_version = |binary: &EtcdBinary| options.etcd.as_ref().is_none_or(|etcd| *etcd == binary.version);
    let binaries: Vec<_> = EtcdBinary::find_all().into_iter().filter(is_version).collect();
    let mut table = Vec::new();
    for binary in &binaries {
        for scenario in &scenarios {
            let setting = Setting { binary: binary.clone(), seed, length };
            let report = scenario.run(setting).await.with_context(|| scenario.name)?;
            println!("{report}");
            table.push((scenario, binary.version.clone(), report.is_passed()));
        }
    }
    if table.is_empty() {
        bail!("no etcd was found");
    }
    println!("seed {seed}; the same again: --seed {seed}");
    for (scenario, etcd, is_passed) in &table {
        let verdict = if *is_passed { "passed" } else { "FAILED" };
        println!("{:<5} {etcd:<8} {verdict:<7} {}", scenario.name, scenario.what);
    }
    Ok(if table.iter().all(|(_, _, is_passed)| *is_passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a scenario has this name, or one of the same number with a letter behind it.
fn is_called(scenario: &str, name: &str) -> bool {
    scenario.strip_prefix(name).is_some_and(|rest| rest.chars().all(char::is_alphabetic))
}
