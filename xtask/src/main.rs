//! Developer commands of the kvfs workspace, started as `cargo xtask <command>`.
//!
//! This is the one place that knows how to prepare a machine and how to check the workspace; `.ci/run` and the README
//! call it.

mod bench;
mod demo;
mod documents;
mod faults;
mod fuzz;
mod install;
mod layering;
mod metadata;
mod msrv;
mod process;
mod setup;
mod simulate;
mod sources;
mod stress;
mod test;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use crate::{setup::Effort, test::Step};

/// Developer commands of the kvfs workspace
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Xtask {
    /// Find or install, without asking and without root, what building and testing need
    Setup,
    /// Install the command `kvfs` from this checkout, as `cargo install` does, with what building it needs
    Install {
        /// Options of `cargo install`, such as `--root DIR`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Share a tree of certificates between two processes, in a file and then through three private etcds, and show it
    Demo,
    /// Load the locks with several processes on a real etcd, kill and stop some, and print the figures
    Stress {
        /// How long the load of each test lasts; some take longer
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Measure kvfs side by side with etcd and with its peers: `quick`, `full`, `--only NAME`; `--help` after `--` lists all
    Bench {
        /// Options of the benchmarks, such as `full --only etcd/load`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run the fault scenarios on real clusters, and print their figures; `--help` after `--` lists the options
    Faults {
        /// Options of the scenarios, such as `--only F1,F4 --seed 7 --quick`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Try very many inputs on every fuzz target, and print what became of them
    Fuzz {
        /// How many inputs each target tries
        #[arg(long, default_value_t = 1_000_000)]
        inputs: u64,
        /// How long each target tries inputs, instead of how many
        #[arg(long, conflicts_with = "inputs", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        seconds: Option<u64>,
        /// Only the targets whose names begin so
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Run storages and faults on one thread, by seeds; `--seeds N`, or `--seed S --trace` for one of them again
    Simulate {
        /// Options of the simulation; none for 10,000 seeds
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run every check: formatting, layering, MSRV, clippy, documentation, all tests
    Test {
        /// Run these steps only
        #[arg(value_enum)]
        steps: Vec<Step>,
    },
}

fn main() -> ExitCode {
    let result = match Xtask::parse() {
        Xtask::Setup => setup::ensure(Effort::Everything).map(|_| ExitCode::SUCCESS),
        Xtask::Install { options } => install::run(&options).map(|()| ExitCode::SUCCESS),
        Xtask::Demo => demo::run().map(|()| ExitCode::SUCCESS),
        Xtask::Bench { options } => bench::run(&options).map(|()| ExitCode::SUCCESS),
        Xtask::Faults { options } => faults::run(&options).map(|()| ExitCode::SUCCESS),
        Xtask::Fuzz { inputs, seconds, only } => {
            let extent = seconds.map_or(fuzz::Extent::Inputs(inputs), fuzz::Extent::Seconds);
            fuzz::run(extent, &only).map(|()| ExitCode::SUCCESS)
        }
        Xtask::Stress { seconds } => stress::run(seconds).map(|()| ExitCode::SUCCESS),
        Xtask::Simulate { options } => simulate::run(&options).map(|()| ExitCode::SUCCESS),
        Xtask::Test { steps } => test::run(&steps),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The directory of the workspace's manifest.
fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a directory of the workspace").to_owned()
}
