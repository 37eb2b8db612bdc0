//! What a race comes to.

use serde::Serialize;

/// A race's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was done: `store/new/2KiB`.
    pub(crate) name: String,
    pub(crate) figure: Figure,
    /// The one that the others are compared with first.
    pub(crate) measured: Vec<Measured>,
    /// Who could not do it, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// What is compared in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// The median of the round's calls: less is better.
    Latency,
    /// How many calls in a second: more is better.
    Throughput,
}

/// What one contender has shown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) contender: String,
    pub(crate) calls: u64,
    pub(crate) rounds: usize,
    pub(crate) p50_seconds: f64,
    pub(crate) p99_seconds: f64,
    /// The median of the rounds.
    pub(crate) per_second: f64,
    /// Of its figure to that of the first contender, in the same round.
    pub(crate) ratio: Spread,
}

/// The middle of some values, and where half of them lie.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) lower_quartile: f64,
    pub(crate) median: f64,
    pub(crate) upper_quartile: f64,
}

/// A figure that is no time: bytes of memory, for instance.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) contender: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Row {
    /// With nobody in it.
    pub(crate) fn new(name: String, figure: Figure) -> Self {
        Self { name, figure, measured: Vec::new(), left_out: Vec::new() }
    }

    /// What a contender has shown.
    pub(crate) fn of(&self, contender: &str) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.contender == contender)
    }
}

impl Spread {
    /// Of these values; all 0 of none.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let last = values.len().checked_sub(1)?;
            // Between two values there is a bit of both.
            let (low, part) = (last * quarter / 4, last * quarter % 4);
            let (low, high) = (values[low], values[(low + 1).min(last)]);
            #[expect(clippy::cast_precision_loss, reason = "it is less than 4")]
            let part = part as f64 / 4.0;
            Some(low + (high - low) * part)
        };
        Self {
            lower_quartile: at(1).unwrap_or_default(),
            median: at(2).unwrap_or_default(),
            upper_quartile: at(3).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (1.75, 2.5, 3.25));
        let spread = Spread::of(vec![7.0]);
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (7.0, 7.0, 7.0));
        assert!(Spread::of(Vec::new()).median.abs() < f64::EPSILON);
    }
}
