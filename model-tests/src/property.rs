use std::fmt::Debug;
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};
use tokio::runtime::Builder;
use tokio::time::timeout;

/// Far more than the steps of a case take.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whether calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Every call is answered.
    Fair,
    /// Calls are refused, lost, late, slow and dropped, leases end early and watches break.
    Foul,
}

/// How a property is tried.
///
/// The seeds of cases that have failed are kept in a file and tried first from then on.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    seeds: &'static str,
    quick: u32,
}

impl Property {
    /// Tries so many cases, or as many as the environment variable `PROPTEST_CASES` says. The seeds file is relative to
    /// the package of the test: `proptest-regressions/<name>.txt`.
    pub fn new(seeds: &'static str, quick: u32) -> Self {
        Self { seeds, quick }
    }

    /// Tries a property of a list of steps, each case in a runtime of its own on the paused clock.
    ///
    /// # Panics
    ///
    /// When a case fails, with the fewest steps that were found to fail as well.
    pub fn check<T, S>(&self, steps: S, property: impl AsyncFn(Vec<T>) -> Result<(), TestCaseError>)
    where
        T: Debug,
        S: Strategy<Value = Vec<T>>,
    {
        // The defaults come from the environment.
        let mut config = Config {
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct(self.seeds))),
            max_shrink_iters: 20_000,
            max_shrink_time: 30_000,
            ..Config::default()
        };
        if std::env::var_os("PROPTEST_CASES").is_none() {
            config.cases = self.quick;
        }
        let tried = TestRunner::new(config).run(&steps, |steps| in_runtime(property(steps)));
        match tried {
            Ok(()) => {}
            Err(TestError::Abort(reason)) => panic!("{reason}"),
            Err(TestError::Fail(reason, steps)) => {
                let steps: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
                let (steps, seeds) = (steps.join("\n"), self.seeds);
                panic!("{reason}\nafter:\n{steps}\nIts seed is in {seeds}: commit that with the correction.");
            }
        }
    }
}

/// Runs something in a runtime of its own on the paused clock.
///
/// # Panics
///
/// When it waits for something that never comes: when a day has passed, which takes no time.
pub(crate) fn in_runtime<T>(task: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs nothing");
    runtime.block_on(async { timeout(DAY, task).await.expect("it waits for something that never comes") })
}
