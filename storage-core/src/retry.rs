use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::environment::Surroundings;

/// The pauses between attempts of something that fails: they double from 50 ms to about a second, each a little longer
/// by chance, so that the clients of a store that comes back do not all call at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    surroundings: Surroundings,
    /// From the first pause on: nearly everything succeeds at once.
    pauses: Option<ExponentialBackoff>,
}

impl Backoff {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    pub(crate) fn new(surroundings: &Surroundings) -> Self {
        Self { surroundings: surroundings.clone(), pauses: None }
    }

    /// Begins with the shortest pause again.
    pub(crate) fn reset(&mut self) {
        self.pauses = None;
    }

    /// Waits before the next attempt.
    pub(crate) async fn pause(&mut self) {
        let pauses = self.pauses.get_or_insert_with(|| Self::pauses(&self.surroundings));
        tokio::time::sleep(pauses.next().unwrap_or(Self::LONGEST)).await;
    }

    fn pauses(surroundings: &Surroundings) -> ExponentialBackoff {
        let pauses = ExponentialBuilder::new().with_min_delay(Self::SHORTEST).with_max_delay(Self::LONGEST);
        let [seed @ .., _, _, _, _, _, _, _, _] = surroundings.random();
        pauses.with_jitter().with_jitter_seed(u64::from_be_bytes(seed)).without_max_times().build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_never_end() {
        let mut backoff = Backoff::new(&Surroundings::default());
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
