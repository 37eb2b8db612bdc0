use std::collections::BTreeMap;
use std::fmt;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

/// What must have happened in many seeds, or they show nothing.
const EXPECTED: [&str; 29] = [
    "answers: lost and found out about",
    "calls: dropped",
    "calls: failed",
    "calls: left open",
    "calls: refused",
    "calls: succeeded",
    "event: answers cut off",
    "event: calls cut off",
    "event: client crashed",
    "event: client restarted",
    "event: client stopped",
    "event: clocks jumped",
    "event: connections refused",
    "event: lease revoked",
    "event: lock broken",
    "event: store compacted",
    "event: watches compacted",
    "event: watches dropped",
    "fault: answer lost",
    "fault: hangs",
    "fault: late",
    "fault: no space",
    "fault: refused",
    "fault: slow",
    "locks: lost",
    "locks: taken",
    "locks: writes fenced off",
    "watches: changes",
    "watches: resyncs",
];

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// How often this happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// What should have happened in some of many seeds, and has not.
    pub fn missing(&self) -> Vec<&'static str> {
        EXPECTED.into_iter().filter(|what| self.of(what) == 0).collect()
    }

    /// How many faults and events there were.
    pub fn disturbances(&self) -> u64 {
        let is_one = |what: &str| what.starts_with("fault: ") || what.starts_with("event: ");
        self.0.iter().filter(|(what, _)| is_one(what)).map(|(_, count)| count).sum()
    }

    /// Adds what happened elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "{count:>12}  {what}"))
    }
}
