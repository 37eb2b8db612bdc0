use std::sync::Arc;

use std::error::Error as _;
use storage_core::kv::{BackendError, BackendErrorKind as Kind};

use super::memory::Memory;
use super::refusal::Refusal;
use crate::EtcdConfig;
use crate::error::{
    AUTH_IS_OFF, INVALID_TOKEN, OLD_AUTH_REVISION, OLD_AUTH_REVISION_INTERNAL, USER_NAME_IS_EMPTY,
    WRONG_USER_OR_PASSWORD,
};

/// Adds to errors of one member what to check about them.
#[derive(Clone)]
pub(super) struct Advice {
    endpoint: Arc<str>,
    /// What to check when a user may not do something.
    permission: Arc<str>,
    memory: Arc<Memory>,
}

impl Advice {
    pub(super) fn new(endpoint: &str, config: &EtcdConfig, memory: Arc<Memory>) -> Self {
        let prefix = config.prefix();
        let permission = match config.username() {
            Some(user) => {
                format!("check that a role of user {user:?} may read and write the prefix {prefix}")
            }
            None => format!("check that we may read and write the prefix {prefix}, or set auth.username"),
        };
        Self { endpoint: endpoint.into(), permission: permission.into(), memory }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn add(&self, error: BackendError) -> BackendError {
        let endpoint = &self.endpoint;
        if let Some(refusal) = Refusal::behind(&error) {
            return self.explained(&error, refusal);
        }
        let is_of_connection = error.kind() == Kind::Unavailable && error.source().is_some();
        if let Some(refusal) = self.memory.recall().filter(|_| is_of_connection) {
            return self.explained(&error, refusal).with_source(error);
        }
        let said = error.message();
        let advice = match (error.kind(), said) {
            (Kind::Unauthenticated, WRONG_USER_OR_PASSWORD) => "check auth.username and auth.password",
            (Kind::Unauthenticated, AUTH_IS_OFF) => {
                "remove auth.username and auth.password, or enable authentication on the servers"
            }
            (Kind::Unauthenticated, USER_NAME_IS_EMPTY) => "set auth.username and auth.password",
            (Kind::PermissionDenied, _) => {
                let denied = like(&error, format!("{endpoint}: {said}: {}", self.permission));
                return denied.not_retryable();
            }
            _ => return error,
        };
        like(&error, format!("{endpoint}: {said}: {advice}"))
    }

    /// An error with what is known about the connection.
    fn explained(&self, error: &BackendError, Refusal { kind, text }: Refusal) -> BackendError {
        let text = format!("{}: {text}", self.endpoint);
        let Some(kind) = kind else {
            return like(error, text);
        };
        let explained = BackendError::new(kind, text);
        let explained = if kind == Kind::Timeout { explained.retryable() } else { explained.not_retryable() };
        if error.is_maybe_applied() { explained.maybe_applied() } else { explained.not_applied() }
    }
}

/// Whether an error says that a token is no good, rather than its user.
pub(super) fn is_about_token(error: &BackendError) -> bool {
    [INVALID_TOKEN, OLD_AUTH_REVISION, OLD_AUTH_REVISION_INTERNAL, USER_NAME_IS_EMPTY]
        .contains(&error.message())
}

/// An error of the same kind and with the same answers as another.
pub(super) fn like(error: &BackendError, message: impl Into<String>) -> BackendError {
    let like = BackendError::new(error.kind(), message);
    let like = if error.is_retryable() { like.retryable() } else { like.not_retryable() };
    if error.is_maybe_applied() { like.maybe_applied() } else { like.not_applied() }
}
