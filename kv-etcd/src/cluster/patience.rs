use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a write waits for its answer before it counts as lost, and the member as silent.
///
/// A store that is slow altogether must get its writes done too: after one that was given up the next wait twice as long,
/// until one is answered as quickly as usual.
pub(super) struct Patience {
    current: Mutex<Duration>,
    longest: Duration,
}

impl Patience {
    /// An election takes up to two election time-outs of 1 s; a write that was lost with the old leader must not wait
    /// much longer than the new one needs to come.
    const USUAL: Duration = Duration::from_millis(1500);
    const PER_100_KB: Duration = Duration::from_secs(1);

    pub(super) fn new(longest: Duration) -> Self {
        Self { current: Mutex::new(Self::USUAL.min(longest)), longest }
    }

    /// For a request of any size, to begin with.
    pub(super) fn current(&self) -> Duration {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the size of a request adds.
    pub(super) fn for_bytes(bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self::PER_100_KB.mul_f64(f64::from(bytes) / 100_000.0)
    }

    /// Notes that a write was given up after `used`, without what its size added.
    pub(super) fn exhausted(&self, used: Duration) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (*current).max(2 * used).min(self.longest);
    }

    /// Notes that a write was answered after `took`, without what its size allowed for.
    pub(super) fn rewarded(&self, took: Duration) {
        if took <= Self::USUAL {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            *current = Self::USUAL.min(self.longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_returns_at_the_first_quick_answer() {
        let seconds = Duration::from_secs_f64;
        let patience = Patience::new(seconds(10.0));
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(patience.current());
            patience.exhausted(patience.current());
        }
        assert_eq!(seen, [1.5, 3.0, 6.0, 10.0].map(seconds));
        // Given up at the same time as others: it counts once.
        patience.exhausted(seconds(1.5));
        assert_eq!(patience.current(), seconds(10.0));
        patience.rewarded(seconds(4.0));
        assert_eq!(patience.current(), seconds(10.0));
        patience.rewarded(seconds(1.0));
        assert_eq!(patience.current(), seconds(1.5));
        assert_eq!(Patience::new(seconds(1.0)).current(), seconds(1.0));
    }

    #[test]
    fn large_requests_are_given_more() {
        assert_eq!(Patience::for_bytes(0), Duration::ZERO);
        assert_eq!(Patience::for_bytes(150_000), Duration::from_millis(1500));
    }
}
