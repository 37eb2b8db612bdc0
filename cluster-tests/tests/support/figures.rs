use std::fmt;
use std::time::Duration;

/// Durations that were measured.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
        self.0.sort_unstable();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Duration {
        self.at(50)
    }

    pub(crate) fn max(&self) -> Duration {
        self.at(100)
    }

    /// The duration that so many percent do not exceed.
    fn at(&self, percent: usize) -> Duration {
        self.0.get(self.0.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, median, most, max] = [0, 50, 90, 100].map(|percent| self.at(percent));
        let count = self.len();
        write!(f, "min {min:.2?}, median {median:.2?}, 90 % {most:.2?}, max {max:.2?} of {count}")
    }
}
