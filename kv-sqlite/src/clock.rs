//! The one place that reads the machine's clocks. Leases run on one that all processes of the host share.

use std::sync::OnceLock;
use std::time::Duration;

/// A moment by the clock of the leases, in microseconds. What one process has noted another can compare with, as long as both
/// have the same [`boot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    /// Now. It never goes back, and goes on while the machine sleeps.
    pub(crate) fn now() -> Self {
        let passed = match source() {
            Source::Boot(_) => since_boot(),
            Source::Wall => since_epoch(),
        };
        Self(micros(passed))
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The time until a later moment; zero until an earlier one.
    pub(crate) fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or_default())
    }
}

/// The name of this run of the machine's clock. Moments that were noted under another name mean nothing.
pub(crate) fn boot() -> &'static str {
    match source() {
        Source::Boot(id) => id,
        Source::Wall => "wall clock",
    }
}

enum Source {
    /// The kernel's clock that nobody sets and that goes on in suspension. It begins anew with each boot, which has an id.
    Boot(String),
    /// Elsewhere the wall clock stands in: when it is set, leases end too early or too late by as much.
    Wall,
}

fn source() -> &'static Source {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    SOURCE.get_or_init(|| boot_id().map_or(Source::Wall, Source::Boot))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_id() -> Option<String> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Duration {
    since_epoch()
}

#[expect(clippy::disallowed_methods, reason = "this module is the crate's clock")]
fn since_epoch() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_compared_in_both_directions() {
        let now = Moment::now();
        let later = now.plus(Duration::from_millis(5));
        assert_eq!(now.until(later), Duration::from_millis(5));
        assert_eq!(later.until(now), Duration::ZERO);
        assert!(now.plus(Duration::MAX) > later);
        assert!(Moment::now() >= now);
    }
}
