//! The one place that reads the machine's clocks.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::environment::Surroundings;

/// Now, for the `modified` time of a file.
#[expect(clippy::disallowed_methods, reason = "this is the module that the lint sends everybody to")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// A moment from which time is counted, that in which the machine sleeps included: a lease goes on ending then.
///
/// The timers of the runtime stop while the machine sleeps, other clocks can be set. Whichever says that more time has
/// passed is believed: for a lease it is safe to overrate the time, and never to underrate it. So the runtime's timers
/// alone count where tests pause them. An environment that was given has one clock for all this.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    reading: Reading,
    surroundings: Surroundings,
}

/// What the clocks show.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Machine { timer: Instant, boot: Duration },
    Given(Duration),
}

impl Moment {
    /// How much later than it should a wait may end if the machine has slept meanwhile.
    const TICK: Duration = Duration::from_secs(1);

    pub(crate) fn now(surroundings: &Surroundings) -> Self {
        Self { reading: Reading::now(surroundings), surroundings: surroundings.clone() }
    }

    /// The time that has passed since.
    pub(crate) fn elapsed(&self) -> Duration {
        self.reading.until(Reading::now(&self.surroundings))
    }

    /// Waits until so much time has passed since.
    pub(crate) async fn is_past(&self, wait: Duration) {
        loop {
            let left = wait.saturating_sub(self.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Self::TICK)).await;
        }
    }
}

impl Reading {
    fn now(surroundings: &Surroundings) -> Self {
        match &surroundings.0 {
            None => Self::Machine { timer: Instant::now(), boot: since_boot() },
            Some(given) => Self::Given(given.monotonic()),
        }
    }

    fn until(self, later: Self) -> Duration {
        match (self, later) {
            (Self::Machine { timer, boot }, Self::Machine { timer: later_timer, boot: later_boot }) => {
                later_timer.saturating_duration_since(timer).max(later_boot.saturating_sub(boot))
            }
            (Self::Given(at), Self::Given(later)) => later.saturating_sub(at),
            // Both readings of a moment are of its one environment.
            (Self::Machine { .. }, Self::Given(_)) | (Self::Given(_), Self::Machine { .. }) => Duration::MAX,
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
        let (timer, boot) = (Instant::now(), since_boot());
        let start = Reading::Machine { timer, boot };
        let slept = Reading::Machine { timer, boot: boot + MINUTE };
        assert_eq!(start.until(slept), MINUTE);
        let paused = Reading::Machine { timer: timer + 2 * MINUTE, boot: boot + MINUTE };
        assert_eq!(start.until(paused), 2 * MINUTE);
        assert_eq!(paused.until(start), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_from_its_moment() {
        let start = Moment::now(&Surroundings::default());
        tokio::time::advance(MINUTE / 2).await;
        start.is_past(MINUTE).await;
        let elapsed = start.elapsed();
        assert!(elapsed >= MINUTE && elapsed < MINUTE + Moment::TICK, "{elapsed:?}");
    }
}
