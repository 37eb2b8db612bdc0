use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{clock, random};

/// Where a storage has the time and chance from: the machine, unless
/// [`StorageOptions::with_environment`](crate::StorageOptions::with_environment) gives another.
///
/// It is for tests. On one thread, with Tokio's time paused and an environment of its own, a storage does the same in
/// every run: what it writes, how long it waits before it tries again, when it believes a lock to be lost. Waits use the
/// timers of the runtime; this says what the clocks show when it looks at them.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::{Duration, SystemTime};
///
/// use storage_core::{Environment, StorageOptions};
/// use tokio::time::Instant;
///
/// /// Tokio's clock, which begins in 2026, and numbers in place of chance.
/// struct Tests {
///     start: Instant,
///     drawn: AtomicU64,
/// }
///
/// impl Environment for Tests {
///     fn wall_clock(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.monotonic()
///     }
///
///     fn monotonic(&self) -> Duration {
///         self.start.elapsed()
///     }
///
///     fn random(&self) -> [u8; 16] {
///         u128::from(self.drawn.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
///     }
/// }
///
/// let tests = Tests { start: Instant::now(), drawn: AtomicU64::new(0) };
/// let options = StorageOptions::new().with_environment(Arc::new(tests));
/// # let _ = options;
/// ```
pub trait Environment: Send + Sync + 'static {
    /// Now, by the wall clock: for the time at which a file was written, and since when somebody waits for a lock. Nothing
    /// else depends on it.
    fn wall_clock(&self) -> SystemTime;

    /// The time since some moment that stays the same. It never goes back. Leases are counted by it, so a lock is
    /// exclusive only as long as this goes no slower than the clock of the store.
    fn monotonic(&self) -> Duration;

    /// Sixteen bytes that nobody who shares the store draws again: they name writes and sessions.
    fn random(&self) -> [u8; 16];
}

/// The environment of a storage: the machine's if none was given.
#[derive(Clone, Default)]
pub(crate) struct Surroundings(pub(crate) Option<Arc<dyn Environment>>);

impl Surroundings {
    pub(crate) fn wall_clock(&self) -> SystemTime {
        self.0.as_ref().map_or_else(clock::wall_clock, |given| given.wall_clock())
    }

    pub(crate) fn random(&self) -> [u8; 16] {
        self.0.as_ref().map_or_else(random::id, |given| given.random())
    }
}

/// Two are equal if they are one.
impl PartialEq for Surroundings {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Surroundings {}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "given" } else { "the machine's" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::config::StorageOptions;
    use crate::retry::Backoff;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::time::{Instant, advance};

    /// A clock that a test sets, and the same chance in every run.
    #[derive(Default)]
    struct Set {
        seconds: AtomicU64,
        drawn: AtomicU64,
    }

    impl Environment for Set {
        fn wall_clock(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + self.monotonic()
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.seconds.load(Ordering::Relaxed))
        }

        fn random(&self) -> [u8; 16] {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            (u128::from(drawn) << 64).to_be_bytes()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_given_is_the_only_one_that_counts() {
        let given = Arc::new(Set::default());
        let surroundings = Surroundings(Some(Arc::<Set>::clone(&given)));
        let start = Moment::now(&surroundings);
        advance(Duration::from_secs(60)).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        given.seconds.store(5, Ordering::Relaxed);
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        assert_eq!(surroundings.wall_clock(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_follow_from_the_chance_that_was_given() {
        async fn pauses(surroundings: &Surroundings) -> Vec<Duration> {
            let mut backoff = Backoff::new(surroundings);
            let mut pauses = Vec::new();
            for _ in 0..20 {
                let before = Instant::now();
                backoff.pause().await;
                pauses.push(before.elapsed());
            }
            pauses
        }
        let given = || Surroundings(Some(Arc::new(Set::default())));
        let surroundings = given();
        let first = pauses(&surroundings).await;
        assert_eq!(pauses(&given()).await, first);
        assert_ne!(pauses(&surroundings).await, first);
    }

    #[test]
    fn options_are_equal_if_their_environment_is_one() {
        let given: Arc<dyn Environment> = Arc::new(Set::default());
        let options = || StorageOptions::new().with_environment(Arc::clone(&given));
        assert_eq!(options(), options());
        assert_eq!(StorageOptions::new(), StorageOptions::new());
        assert_ne!(options(), StorageOptions::new());
        assert_ne!(options(), StorageOptions::new().with_environment(Arc::new(Set::default())));
    }
}
