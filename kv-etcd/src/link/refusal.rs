use std::error::Error as StdError;
use std::{fmt, iter};

use storage_core::kv::{BackendError, BackendErrorKind};

/// Why there is no connection, in words that say what to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `None` for a guess: the error it explains keeps its kind.
    pub(super) kind: Option<BackendErrorKind>,
    pub(super) text: String,
}

impl Refusal {
    /// It is so, and will be so next time.
    pub(super) fn certain(kind: BackendErrorKind, text: impl Into<String>) -> Self {
        Self { kind: Some(kind), text: text.into() }
    }

    /// It may be so.
    pub(super) fn likely(text: impl Into<String>) -> Self {
        Self { kind: None, text: text.into() }
    }

    /// The one that an error comes from.
    pub(super) fn behind(error: &BackendError) -> Option<Self> {
        let causes = iter::successors(error.source(), |&error| error.source());
        causes.into_iter().find_map(|cause| cause.downcast_ref::<Self>()).cloned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Refusal {}
