//! The one place that reads clocks.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Now, for the `modified` time of a file.
#[expect(clippy::disallowed_methods, reason = "this is the module that the lint sends everybody to")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// A moment from which time is counted, that in which the machine sleeps included: a lease goes on ending then.
///
/// The timers of the runtime stop while the machine sleeps, other clocks can be set. Whichever says that more time has
/// passed is believed: for a lease it is safe to overrate the time, and never to underrate it. So the runtime's timers
/// alone count where tests pause them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    timer: Instant,
    boot: Duration,
}

impl Moment {
    /// How much later than it should a wait may end if the machine has slept meanwhile.
    const TICK: Duration = Duration::from_secs(1);

    pub(crate) fn now() -> Self {
        Self { timer: Instant::now(), boot: since_boot() }
    }

    /// The time that has passed since.
    pub(crate) fn elapsed(self) -> Duration {
        self.until(Self::now())
    }

    fn until(self, later: Self) -> Duration {
        let timer = later.timer.saturating_duration_since(self.timer);
        timer.max(later.boot.saturating_sub(self.boot))
    }

    /// Waits until so much time has passed since.
    pub(crate) async fn is_past(self, wait: Duration) {
        loop {
            let left = wait.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Self::TICK)).await;
        }
    }
}

/// The clock of the kernel that nobody sets and that goes on in suspension.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Elsewhere the wall clock stands in for it: if it is set forward a lock counts as lost too early.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    wall_clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn the_clock_that_has_gone_further_counts() {
        let start = Moment::now();
        let slept = Moment { timer: start.timer, boot: start.boot + MINUTE };
        assert_eq!(start.until(slept), MINUTE);
        let paused = Moment { timer: start.timer + 2 * MINUTE, boot: start.boot + MINUTE };
        assert_eq!(start.until(paused), 2 * MINUTE);
        assert_eq!(paused.until(start), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_from_its_moment() {
        let start = Moment::now();
        tokio::time::advance(MINUTE / 2).await;
        start.is_past(MINUTE).await;
        let elapsed = start.elapsed();
        assert!(elapsed >= MINUTE && elapsed < MINUTE + Moment::TICK, "{elapsed:?}");
    }
}
