//! What clients did, as they saw it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use storage_core::{Error, ErrorKind, Version};
use tokio::time::Instant;

/// A call and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) client: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
}

/// A call. Every content that is written is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Of one file or of a group.
    Store(Vec<(String, String)>),
    Delete(String),
    /// With the content that the file was last known to have.
    Rename(String, String),
    Load(String),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Wrote(Version),
    Deleted(u64),
    /// The content and its version; `None` for "not found".
    Read(Option<(String, Version)>),
    /// It says that nothing was changed, and whose fault that is: the tree's state, or the store's.
    Refused(ErrorKind),
    Failed(ErrorKind, String),
    Unknown(String),
}

impl Outcome {
    /// How a call has failed.
    pub(crate) fn of(error: &Error) -> Self {
        let text = crate::report::with_sources(error);
        match error.kind() {
            ErrorKind::OutcomeUnknown => Self::Unknown(text),
            kind if error.is_conflict() || error.is_not_found() => Self::Refused(kind),
            kind => Self::Failed(kind, text),
        }
    }

    /// Whether the caller was told of the store's troubles.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Failed(..) | Self::Unknown(_))
    }
}

impl Done {
    pub(crate) fn is_acknowledged_write(&self) -> bool {
        matches!(self.outcome, Outcome::Wrote(_) | Outcome::Deleted(_))
    }

    pub(crate) fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Collects what all clients do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Done>>>);

impl Recorder {
    pub(crate) fn add(&self, done: Done) {
        self.0.lock().expect("nobody panics under it").push(done);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("nobody panics under it").len()
    }

    /// Everything so far, by the order in which it ended.
    pub(crate) fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics under it"))
    }
}
