//! Figures, and whether they are what they must be.

use std::fmt;
use std::time::Duration;

/// What a scenario has shown.
#[derive(Debug)]
pub struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) what: &'static str,
    pub(crate) etcd: String,
    pub(crate) seed: u64,
    pub(crate) figures: Vec<Figure>,
}

#[derive(Debug)]
pub(crate) struct Figure {
    name: String,
    value: String,
    /// What it must be, and whether it is.
    goal: Option<(String, bool)>,
}

impl Report {
    /// Something that is only shown.
    pub(crate) fn show(&mut self, name: impl fmt::Display, value: impl fmt::Display) {
        self.figures.push(Figure { name: name.to_string(), value: value.to_string(), goal: None });
    }

    /// A condition without which the run says nothing.
    pub(crate) fn valid_if(&mut self, name: &str, value: impl fmt::Display, holds: bool) {
        self.goal(&format!("valid: {name}"), value, "", holds);
    }

    pub(crate) fn goal(
        &mut self,
        name: &str,
        value: impl fmt::Display,
        goal: impl fmt::Display,
        is_met: bool,
    ) {
        let goal = Some((goal.to_string(), is_met));
        self.figures.push(Figure { name: name.to_owned(), value: value.to_string(), goal });
    }

    /// Something that must not happen.
    pub(crate) fn none(&mut self, name: &str, count: usize) {
        self.goal(name, count, "0", count == 0);
    }

    pub(crate) fn at_most(&mut self, name: &str, value: Duration, limit: Duration) {
        self.goal(name, Seconds(value), format!("≤ {}", Seconds(limit)), value <= limit);
    }

    /// Whether every goal is met, in a run that is valid.
    pub fn is_passed(&self) -> bool {
        self.figures.iter().all(|figure| figure.goal.as_ref().is_none_or(|(_, is_met)| *is_met))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_passed() { "passed" } else { "FAILED" };
        let Self { scenario, what, etcd, seed, .. } = self;
        writeln!(f, "{scenario} {what} (etcd {etcd}, seed {seed}): {verdict}")?;
        for Figure { name, value, goal } in &self.figures {
            let mark = match goal {
                None => "",
                Some((_, true)) => "ok",
                Some((_, false)) => "NOT MET",
            };
            let goal = goal.as_ref().map_or("", |(goal, _)| goal);
            writeln!(f, "  {name:<44} {value:>14} {goal:>14} {mark}")?;
        }
        Ok(())
    }
}

pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s", self.0.as_secs_f64())
    }
}

/// What went wrong, and why.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
