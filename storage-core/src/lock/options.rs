use std::time::Duration;

/// How to take a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockOptions {
    /// How long to try before it is a `LockTimeout`; without limit by default.
    pub deadline: Option<Duration>,
    /// What an operator sees beside host and process of who holds the lock or waits for it; nothing by default.
    pub label: Option<String>,
}

impl LockOptions {
    /// The defaults: no deadline, no label.
    pub fn new() -> Self {
        Self::default()
    }

    /// These options with the longest time to try.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// These options with a label.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}
