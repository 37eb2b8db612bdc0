use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};

use libtest_mimic::{Arguments, Trial};

use super::{Saboteur, saboteurs};
use crate::case::subjects;
use crate::runner::isolated;
use crate::{Case, Harness};

/// Sets every saboteur on the stores of a harness, as the `main` of a test target with `harness = false`, and ends with
/// a matrix of which case has caught whom.
///
/// Each saboteur is a test of its own, `<harness>::<subject>::<saboteur>`. It passes when a case that names a clause
/// which the saboteur breaks has failed. Only those cases are run, unless the environment variable
/// `KVFS_SABOTEURS` is `all`: then all cases about the same contract are, and the matrix has them all.
///
/// The harness should be one that passes the suite by itself, and fast: the suite is run many times.
pub fn run_saboteurs(harness: &Arc<dyn Harness>) -> ExitCode {
    quiet_cases(&harness.name());
    let cases = if std::env::var("KVFS_SABOTEURS").is_ok_and(|cases| cases == "all") {
        Cases::All
    } else {
        Cases::Named
    };
    let matrix = Arc::new(Mutex::new(Matrix::default()));
    let trial = |saboteur: &'static Saboteur| {
        let (harness, matrix) = (Arc::clone(harness), Arc::clone(&matrix));
        Trial::test(format!("{}::{}", harness.name(), saboteur.full_name()), move || {
            let row = Row::of(saboteur, &harness, cases);
            let verdict = row.verdict();
            locked(&matrix).0.push(row);
            verdict.map_err(Into::into)
        })
    };
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, saboteurs().map(trial).collect());
    if !arguments.list {
        println!("{}", locked(&matrix));
    }
    conclusion.exit_code()
}

/// Which cases are run for a saboteur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cases {
    /// Those that name a clause which it breaks.
    Named,
    /// All that are about the contract which it breaks.
    All,
}

/// What became of the cases that were run for a saboteur.
struct Row {
    saboteur: &'static Saboteur,
    /// The cases that failed, by their full names.
    caught: BTreeSet<String>,
    /// Whether one of those names a clause that it breaks.
    is_named: bool,
    run: usize,
}

impl Row {
    fn of(saboteur: &'static Saboteur, harness: &Arc<dyn Harness>, cases: Cases) -> Self {
        let names_it = |case: &Case| case.clauses.iter().any(|clause| saboteur.clauses().contains(clause));
        let contract = |clause: &str| clause.starts_with("KV-");
        let is_of_contract = |case: &Case| contract(case.clauses[0]) == contract(saboteur.clauses()[0]);
        let mut row = Self { saboteur, caught: BTreeSet::new(), is_named: false, run: 0 };
        for case in subjects().filter(|case| names_it(case) || cases == Cases::All && is_of_contract(case)) {
            row.run += 1;
            if isolated::run(Arc::clone(harness), case, Some(saboteur)).is_err() {
                row.caught.insert(case.full_name());
                row.is_named |= names_it(case);
            }
        }
        row
    }

    /// Whether the saboteur was found out, by a case that says what it breaks.
    fn verdict(&self) -> Result<(), String> {
        let broken = self.saboteur.clauses().join(", ");
        match (self.run, self.is_named) {
            (0, _) => Err(format!("no case names {broken}")),
            (_, true) => Ok(()),
            (run, false) => {
                Err(format!("none of {run} cases that names {broken} has failed; others: {:?}", self.caught))
            }
        }
    }
}

/// Saboteurs, and the cases that caught them.
#[derive(Default)]
struct Matrix(Vec<Row>);

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|row| row.saboteur.full_name());
        for row in &rows {
            let verdict = if row.is_named { "caught" } else { "MISSED" };
            let Saboteur { clauses, .. } = row.saboteur;
            writeln!(
                f,
                "{verdict} {} ({}): {} of {} cases failed",
                row.saboteur.full_name(),
                clauses.join(", "),
                row.caught.len(),
                row.run
            )?;
            for case in &row.caught {
                writeln!(f, "         {case}")?;
            }
        }
        let caught = rows.iter().filter(|row| row.is_named).count();
        let idle =
            subjects().map(Case::full_name).filter(|case| !rows.iter().any(|row| row.caught.contains(case)));
        writeln!(f, "{caught} of {} saboteurs were caught by a case that names what they break", rows.len())?;
        write!(f, "{} of {} cases caught nobody", idle.count(), subjects().count())
    }
}

/// No panic happens under this lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

/// Keeps the panics of cases, of which there are thousands, from being printed with their backtraces.
fn quiet_cases(harness: &str) {
    let cases = format!("{harness}::");
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !std::thread::current().name().is_some_and(|name| name.starts_with(&cases)) {
            report(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saboteur_is_caught_by_a_case_that_names_what_it_breaks_and_by_no_other() {
        let saboteur = saboteurs().next().unwrap();
        let row = |run, caught: &[&str], is_named| {
            let caught = caught.iter().map(|case| (*case).to_owned()).collect();
            Row { saboteur, caught, is_named, run }
        };
        assert_eq!(row(2, &["one"], true).verdict(), Ok(()));
        let broken = saboteur.clauses()[0];
        for missed in [row(0, &[], false), row(2, &[], false), row(9, &["another"], false)] {
            let why = missed.verdict().unwrap_err();
            assert!(why.contains(broken), "{why}");
            let matrix = Matrix(vec![missed]).to_string();
            assert!(matrix.starts_with("MISSED") && matrix.contains("\n0 of 1 saboteurs"), "{matrix}");
        }
    }
}
