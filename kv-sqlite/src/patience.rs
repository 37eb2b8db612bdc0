use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::Failure;

/// Waiting for a lock of another connection, with pauses that grow.
#[derive(Debug)]
pub(crate) struct Patience {
    pauses: ExponentialBackoff,
    until: Instant,
}

impl Patience {
    const SHORTEST: Duration = Duration::from_micros(500);
    const LONGEST: Duration = Duration::from_millis(20);

    pub(crate) fn until(deadline: Instant) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Self::SHORTEST)
            .with_max_delay(Self::LONGEST)
            .with_factor(1.5)
            .without_max_times()
            .with_jitter();
        Self { pauses: pauses.build(), until: deadline }
    }

    /// Waits for a moment, and answers whether there is still time.
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing tells that another process has let go of a lock of SQLite's; threads that block only"
    )]
    pub(crate) fn pause(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.pauses.next().unwrap_or(Self::LONGEST).min(left));
        true
    }

    /// Does something again and again as long as another connection is in the way and there is time.
    pub(crate) fn insist<T>(&mut self, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            match work() {
                Err(failure) if failure.is_busy() && self.pause() => {}
                result => return result,
            }
        }
    }
}
