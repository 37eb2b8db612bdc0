//! Pauses, each a little longer by chance, so that the clients of a store that comes back do not all call at once.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses that grow without end up to a longest.
#[derive(Debug)]
pub(super) struct Pauses {
    lengths: ExponentialBackoff,
    longest: Duration,
}

impl Pauses {
    /// From `shortest` to `longest`. Chance adds up to the length itself; so half of `longest` is where growth ends.
    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        let lengths = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest / 2);
        Self { lengths: lengths.with_jitter().without_max_times().build(), longest }
    }

    /// Between the attempts of one call, once every member has been tried.
    pub(super) fn between_attempts() -> Self {
        Self::new(Duration::from_millis(25), Duration::from_secs(1))
    }

    pub(super) fn next(&mut self) -> Duration {
        self.lengths.next().unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_never_end() {
        let (shortest, longest) = (Duration::from_millis(500), Duration::from_secs(10));
        let mut pauses = Pauses::new(shortest, longest);
        let lengths: Vec<_> = (0..100).map(|_| pauses.next()).collect();
        assert!(lengths[0] <= 2 * shortest, "{:?}", lengths[0]);
        assert!(lengths.iter().all(|length| (shortest..=longest).contains(length)), "{lengths:?}");
        assert!(lengths[99] >= longest / 2, "{:?}", lengths[99]);
    }
}
