use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The pauses between attempts of something that fails: they double from 50 ms to about a second, each a little longer
/// by chance, so that the clients of a store that comes back do not all call at once.
#[derive(Debug)]
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        let pauses = ExponentialBuilder::new().with_min_delay(Self::SHORTEST).with_max_delay(Self::LONGEST);
        Self(pauses.with_jitter().without_max_times().build())
    }

    /// Waits before the next attempt.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0.next().unwrap_or(Self::LONGEST)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_never_end() {
        let mut backoff = Backoff::new();
        let mut lengths = Vec::new();
        for _ in 0..100 {
            let before = Instant::now();
            backoff.pause().await;
            lengths.push(before.elapsed());
        }
        assert!(lengths[0] < Duration::from_millis(150), "{:?}", lengths[0]);
        assert!(lengths.iter().all(|length| (Backoff::SHORTEST..3 * Backoff::LONGEST).contains(length)));
        assert!(lengths[99] >= Backoff::LONGEST, "{:?}", lengths[99]);
    }
}
