use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment by the kernel's monotonic clock, which all processes of a machine share: what one has noted can be compared
/// with what another has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At(u64);

impl At {
    /// Now.
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Self(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default())
    }

    /// The moment this much later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time since an earlier moment; zero since a later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time that has passed since.
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_clock_of_other_processes() {
        let before = At::now();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        // Since boot, less the time asleep and what the kernel rounds.
        assert!(before <= At(0).plus(Duration::from_secs_f64(uptime + 1.0)));
        assert_eq!(before.plus(Duration::from_millis(5)).since(before), Duration::from_millis(5));
        assert_eq!(before.since(before.plus(Duration::from_millis(5))), Duration::ZERO);
    }
}
