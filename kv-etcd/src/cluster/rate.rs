use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep};

/// Lets so many calls begin in a second, and after a quiet time a number more at once.
pub(super) struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, SinceStart, NoOpMiddleware<Duration>>,
}

impl Rate {
    /// None if either number is zero.
    pub(super) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(per_second)?).allow_burst(NonZeroU32::new(burst)?);
        Some(Self { limiter: RateLimiter::direct_with_clock(quota, SinceStart(Instant::now())) })
    }

    /// Waits until a call may begin.
    pub(super) async fn admit(&self) {
        while let Err(early) = self.limiter.check() {
            sleep(early.wait_time_from(self.limiter.clock().now())).await;
        }
    }
}

/// The runtime's clock, so that tests can pause it.
#[derive(Clone)]
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let rate = Rate::new(100, 20).unwrap();
        let begin = Instant::now();
        for _ in 0..20 {
            rate.admit().await;
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            rate.admit().await;
        }
        let took = begin.elapsed();
        assert!((Duration::from_secs(1)..Duration::from_millis(1200)).contains(&took), "{took:?}");
    }

    #[test]
    fn without_a_number_there_is_no_limit() {
        assert!(Rate::new(0, 200).is_none());
    }
}
