use std::fmt;

use super::operation::Operation;

/// Something in a history that no run on a right store shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise is broken.
    pub rule: Rule,
    /// What would have been right.
    pub expected: String,
    /// What there is instead.
    pub seen: String,
    /// The operations that do not go together.
    pub operations: Vec<Operation>,
}

/// A promise that a history can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The log is one of a file tree: revisions grow, what is deleted was there, no path is file and directory, content
    /// and record belong together.
    Log,
    /// What was acknowledged was done, at the revision that was told.
    Lost,
    /// What was done was asked for, by a call that did not fail, and once.
    Unwritten,
    /// What was done is the whole of what was asked for, and nothing else.
    Torn,
    /// A write that has a condition is done where the condition holds only.
    Condition,
    /// What is read, counted or given as a reason is how things were at some moment of the call, and not older than what
    /// anybody was told before.
    Read,
    /// A write is done after it was asked for, and before it is answered.
    Order,
    /// Tokens of a lock grow; a lock is taken when it is free; a holder that was overtaken writes nothing.
    Lock,
    /// Answers make sense by themselves.
    Answer,
    /// There is an order of the operations on a file, as they overlap in time, in which each has its effect.
    Linearizable,
    /// What a workload always keeps: a sum, a count.
    Invariant,
}

impl Violation {
    pub(super) fn new(rule: Rule, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { rule, expected: expected.into(), seen: seen.into(), operations: Vec::new() }
    }

    pub(super) fn with<'o>(mut self, operations: impl IntoIterator<Item = &'o Operation>) -> Self {
        self.operations.extend(operations.into_iter().cloned());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: expected {}, seen {}", self.rule, self.expected, self.seen)?;
        for operation in &self.operations {
            write!(f, "; {operation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, call, fence, invoked, returned, outcome } = self;
        write!(f, "client {client} [{}..", invoked.order)?;
        if let Some(returned) = returned {
            write!(f, "{} in {:?}", returned.order, returned.at - invoked.at)?;
        }
        write!(f, "] {call:?}")?;
        if let Some(token) = fence {
            write!(f, " under the lock {token}")?;
        }
        write!(f, " -> {outcome:?}")
    }
}
