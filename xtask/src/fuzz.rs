//! `cargo xtask fuzz`: every fuzz target, for as long as one likes.
//!
//! A fuzz target is a test in a module of its own, in the module `fuzz` of a crate that tests with `bad-input`; it prints a line
//! with what it has tried. So cargo knows the targets, and one that says nothing is noticed.

use std::{collections::BTreeMap, fmt, process::Command};

use anyhow::{Result, bail};

use crate::{
    metadata::Metadata,
    process,
    setup::{self, Effort, Tools},
};

/// The crate with the generators: who tests with it has targets.
const GENERATORS: &str = "bad-input";

/// How long each target runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extent {
    Inputs(u64),
    Seconds(u64),
}

/// Runs the targets whose names begin with `only`, and prints a table.
pub(crate) fn run(extent: Extent, only: &str) -> Result<()> {
    let tools = setup::ensure(Effort::Sufficient)?;
    let metadata = Metadata::of_members()?;
    let packages = packages(&metadata);
    let filter = format!("fuzz::{only}");

    let mut table = Table::default();
    let list = process::capture(cargo_test(&tools, &packages).args(["--list", &filter]))?;
    list.lines().try_for_each(|line| table.expect(line))?;
    if table.0.is_empty() {
        bail!("there is no fuzz target {only:?}");
    }
    let mut test = cargo_test(&tools, &packages);
    let inputs = match extent {
        Extent::Inputs(inputs) => inputs,
        Extent::Seconds(seconds) => {
            test.env("BOLERO_RANDOM_TEST_TIME_MS", (seconds * 1_000).to_string());
            u64::from(u32::MAX)
        }
    };
    test.env("BOLERO_RANDOM_ITERATIONS", inputs.to_string());
    // So that what a target says stands in lines of its own.
    test.args(["--show-output", &filter]);
    let result = process::run_observed(&mut test, |line| table.observe(line));
    println!("\n{table}");
    result.and_then(|()| table.check(extent))
}

/// The members with targets.
fn packages(metadata: &Metadata) -> Vec<&str> {
    let members = metadata.members();
    let with_targets = members.filter(|member| member.dependencies.iter().any(|dep| dep.name == GENERATORS));
    with_targets.map(|member| member.name.as_str()).collect()
}

/// `cargo test` for these packages, up to where the arguments of the test programs begin.
fn cargo_test(tools: &Tools, packages: &[&str]) -> Command {
    let mut cargo = tools.cargo();
    // Our own code as fast as it can be, with the checks of a debug build: overflow is to be found.
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2").args(["test", "--lib", "--bins", "--no-fail-fast"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    cargo.arg("--");
    cargo
}

/// The targets by name, and what they have said.
#[derive(Debug, Default)]
struct Table(BTreeMap<String, Option<Said>>);

/// What a target says at its end.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    has_passed: bool,
    inputs: u64,
    accepted: u64,
    seconds: f64,
}

impl Table {
    /// Takes note of a test that is listed: `fuzz::paths::what_must_hold: test`.
    fn expect(&mut self, line: &str) -> Result<()> {
        if let Some(test) = line.strip_suffix(": test")
            && let Some(name) = name(test)
            && self.0.insert(name.to_owned(), None).is_some()
        {
            bail!("there are two fuzz targets {name}: a target has a module of its own");
        }
        Ok(())
    }

    /// Takes note of what a target says.
    fn observe(&mut self, line: &str) {
        if let Some((name, said)) = Said::parse(line) {
            self.0.insert(name.to_owned(), Some(said));
        }
    }

    /// Whether each target has tried what it should, and nothing was found.
    fn check(&self, extent: Extent) -> Result<()> {
        for (name, said) in &self.0 {
            let Some(said) = said else { bail!("{name} ended without saying what it has tried") };
            let least = match extent {
                Extent::Inputs(inputs) => inputs,
                Extent::Seconds(_) => 1,
            };
            if !said.has_passed {
                bail!("{name} failed, see above");
            }
            if said.inputs < least {
                bail!("{name} has tried {} inputs of {least}", said.inputs);
            }
        }
        Ok(())
    }
}

impl Said {
    /// Reads `fuzz target crate::fuzz::paths passed: 10 inputs, 5 accepted, 0.1 s`: the name and the rest.
    fn parse(line: &str) -> Option<(&str, Self)> {
        let (target, said) = line.strip_prefix("fuzz target ")?.split_once(": ")?;
        let (module, end) = target.split_once(' ')?;
        let numbers: Vec<&str> = said.split(' ').step_by(2).collect();
        let &[inputs, accepted, seconds] = &numbers[..] else { return None };
        let said = Self {
            has_passed: end == "passed",
            inputs: inputs.parse().ok()?,
            accepted: accepted.parse().ok()?,
            seconds: seconds.parse().ok()?,
        };
        Some((name(module)?, said))
    }
}

/// The module behind `fuzz` in a path of modules.
fn name(path: &str) -> Option<&str> {
    path.split("::").skip_while(|module| *module != "fuzz").nth(1)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:>12} {:>9} {:>9} {:>9}", "target", "inputs", "accepted", "failures", "time")?;
        for (name, said) in &self.0 {
            let Some(Said { has_passed, inputs, accepted, seconds }) = said else {
                writeln!(f, "{name:<12} no result")?;
                continue;
            };
            // Whole per cent are enough, and a target without inputs has accepted none.
            let share = accepted * 100 / (*inputs).max(1);
            let failures = u8::from(!has_passed);
            writeln!(f, "{name:<12} {inputs:>12} {share:>8}% {failures:>9} {seconds:>8.1}s")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "fuzz::keys::no_key_is_of_two_files: test\nfuzz::paths::paths_are_paths: test\n\n2 tests, 0 benchmarks\n";

    fn table(said: &[&str]) -> Table {
        let mut table = Table::default();
        LIST.lines().try_for_each(|line| table.expect(line)).unwrap();
        for line in said {
            table.observe(line);
        }
        table
    }

    const KEYS: &str = "fuzz target storage_core::fuzz::keys passed: 1000 inputs, 421 accepted, 2.5 s";
    const PATHS: &str = "fuzz target storage_core::fuzz::paths passed: 1000 inputs, 0 accepted, 12.0 s";

    #[test]
    fn targets_that_have_tried_enough_pass() {
        let table = table(&["running 2 tests", KEYS, PATHS]);
        let keys = Said { has_passed: true, inputs: 1_000, accepted: 421, seconds: 2.5 };
        assert_eq!(table.0["keys"], Some(keys));
        table.check(Extent::Inputs(1_000)).unwrap();
        assert!(
            table.to_string().contains("keys                 1000       42%         0      2.5s"),
            "{table}"
        );
    }

    #[test]
    fn a_target_that_failed_tried_too_little_or_said_nothing_fails_the_run() {
        let failed = PATHS.replace("passed", "failed");
        for (said, inputs, reason) in [
            (&[KEYS, &*failed][..], 1_000, "paths failed"),
            (&[KEYS, PATHS], 1_001, "keys has tried 1000 inputs of 1001"),
            (&[KEYS], 1_000, "paths ended without saying"),
        ] {
            let error = table(said).check(Extent::Inputs(inputs)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        table(&[KEYS, PATHS]).check(Extent::Seconds(1)).unwrap();
    }

    #[test]
    fn two_targets_of_one_name_are_refused() {
        let mut table = table(&[]);
        assert!(table.expect("fuzz::keys::another: test").is_err());
    }

    #[test]
    fn the_crates_with_targets_are_those_that_test_with_the_generators() {
        let metadata = Metadata::of_members().unwrap();
        assert_eq!(packages(&metadata), ["storage-core", "kv-etcd", "storage-cli"]);
    }
}
