//! Runs the simulation of many seeds, or that of one, and prints what it has shown.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use simulation::{Many, Run, run, run_many};

/// Storages and faults on one thread, with the time and chance of a seed.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds, counted from 0.
    #[arg(long, default_value_t = 10_000, conflicts_with = "seed")]
    seeds: u64,
    /// Only this one.
    #[arg(long)]
    seed: Option<u64>,
    /// Print everything that happens; of a single seed.
    #[arg(long, requires = "seed")]
    trace: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let is_passed = match options.seed {
        Some(seed) => one(seed, if options.trace { Detail::Everything } else { Detail::Result }),
        None => many(options.seeds),
    };
    if is_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is printed of a single seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Everything,
    Result,
}

fn one(seed: u64, detail: Detail) -> bool {
    let run = run(seed);
    if detail == Detail::Everything {
        for line in &run.trace {
            println!("{line}");
        }
    }
    print!("{}", run.counts);
    println!("seed {seed}: {} lines of trace, digest {}", run.trace.len(), run.digest);
    report(&run);
    run.violations.is_empty()
}

fn many(seeds: u64) -> bool {
    let started = now();
    let many = run_many(0, seeds);
    let took = started.elapsed();
    let Many { seeds: done, counts, failed, .. } = &many;
    print!("{counts}");
    let in_a_minute = u128::from(*done) * 60_000 / took.as_millis().max(1);
    println!("{done} seeds in {:.1} s, {in_a_minute} in a minute", took.as_secs_f64());
    for run in failed {
        report(run);
    }
    let missing = many.missing();
    if failed.is_empty() && !missing.is_empty() {
        println!("INVALID: nothing was seen of {}", missing.join(", "));
    }
    failed.is_empty() && missing.is_empty()
}

fn report(run: &Run) {
    for violation in &run.violations {
        println!("VIOLATION in seed {}: {violation}", run.seed);
    }
    if !run.violations.is_empty() {
        println!("the same again: cargo xtask simulate --seed {} --trace", run.seed);
    }
}

#[expect(clippy::disallowed_methods, reason = "the rate is for a person who waits")]
fn now() -> Instant {
    Instant::now()
}
