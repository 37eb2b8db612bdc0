use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::case::subjects;
use crate::{Case, Column, Harness, Time};

pub(crate) mod isolated;
#[cfg(test)]
mod tests;

/// Runs every case against every harness, as the `main` of a test target with `harness = false`.
///
/// Each case is a test of its own, named `<harness>::<subject>::<case>`. The usual arguments of a test program work:
/// filters, `--exact`, `--skip`, `--list`, `--ignored`, `--test-threads`.
///
/// The cases of a harness that is [missing](Harness::missing) are reported as ignored, with the reason, or fail if the
/// environment variable `CI` is set. No harness at all is a failure: a suite that checked nothing has not passed.
///
/// A [`Column`] of another layout runs the cases about the file tree once more.
pub fn run(columns: impl IntoIterator<Item = impl Into<Column>>) -> ExitCode {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    let columns: Vec<Column> = columns.into_iter().map(Into::into).collect();
    let mut arguments = Arguments::from_args();
    // In real time most cases wait most of the time.
    if !is_set("RUST_TEST_THREADS") && columns.iter().any(|column| column.harness.time() == Time::Real) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        arguments.test_threads.get_or_insert(THREADS_PER_CORE * cores);
    }
    run_with(&arguments, columns, if is_set("CI") { Missing::Fails } else { Missing::IsIgnored })
}

/// How many cases run at once on each core, in real time.
const THREADS_PER_CORE: usize = 3;

/// Runs one case, named as [`cases`](crate::cases) names it: for a test that shows that a broken store is found out.
///
/// # Errors
///
/// Why the case failed, and which clauses it checked.
///
/// # Panics
///
/// When there is no case of that name.
pub fn check(harness: Arc<dyn Harness>, name: &str) -> Result<(), String> {
    let case = subjects().find(|case| case.full_name() == name);
    isolated::run(harness, case.unwrap_or_else(|| panic!("there is no case {name}")), None)
}

/// What becomes of the cases of a harness that cannot run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    IsIgnored,
    Fails,
}

fn run_with(arguments: &Arguments, columns: impl IntoIterator<Item = Column>, missing: Missing) -> ExitCode {
    let trials: Vec<Trial> = columns.into_iter().flat_map(|column| trials(&column, missing)).collect();
    if trials.is_empty() {
        eprintln!("the conformance suite was given no harness: it has checked nothing");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(arguments, trials).exit_code()
}

fn trials(column: &Column, missing: Missing) -> Vec<Trial> {
    let name = column.name();
    let reason = column.harness.missing();
    if let Some(reason) = &reason {
        eprintln!("{name} cannot run here: {reason}");
    }
    let trial = |case: &'static Case| {
        let (column, reason) = (column.clone(), reason.clone());
        let ignored = reason.is_some() && missing == Missing::IsIgnored;
        Trial::test(format!("{name}::{}", case.full_name()), move || match reason {
            Some(reason) => Err(format!("cannot run here: {reason}").into()),
            None => isolated::run(column, case, None).map_err(Into::into),
        })
        .with_ignored_flag(ignored)
    };
    subjects().filter(|case| column.has(case)).map(trial).collect()
}
