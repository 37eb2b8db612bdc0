//! Counting tests in the output of test programs.

use std::iter::Sum;

/// How many tests passed, failed and were ignored; a step that is no test suite counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl Tally {
    /// Adds what a test program says at its end: `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    pub(super) fn observe(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Makes the tally agree with how the step ended: a failure that is no test's, such as code that does not compile
    /// or a test program that crashed, counts as one, and so does a success without tests.
    pub(super) fn settle(&mut self, succeeded: bool) {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
        if succeeded && self.passed == 0 {
            self.passed = 1;
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            passed: sum.passed + tally.passed,
            failed: sum.failed + tally.failed,
            ignored: sum.ignored + tally.ignored,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 14 tests",
            "test passes ... ok",
            "test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.50s",
        ] {
            tally.observe(line);
        }
        assert_eq!(tally, Tally { passed: 15, failed: 1, ignored: 2 });
    }

    #[test]
    fn a_failure_without_failed_tests_counts_as_one() {
        let mut crashed = Tally { passed: 4, ..Tally::default() };
        crashed.settle(false);
        assert_eq!(crashed, Tally { passed: 4, failed: 1, ignored: 0 });

        let mut failed = Tally { passed: 4, failed: 2, ignored: 0 };
        failed.settle(false);
        assert_eq!(failed.failed, 2);
    }

    #[test]
    fn a_step_without_tests_counts_as_one() {
        let mut step = Tally::default();
        step.settle(true);
        assert_eq!(step, Tally { passed: 1, failed: 0, ignored: 0 });
    }

    #[test]
    fn tallies_sum_up() {
        let sum: Tally = [1, 2, 3].into_iter().map(|n| Tally { passed: n, failed: n * 10, ignored: 1 }).sum();
        assert_eq!(sum, Tally { passed: 6, failed: 60, ignored: 3 });
    }
}
