//! Connections, and whether anybody is at the other end.

use std::error::Error as StdError;
use std::iter;

use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind};

use crate::EtcdConfig;
use crate::deadline::within;
use crate::error::from_client;
use crate::link::{Connector, Handles, Link};

/// A link to the first member that answers.
pub(crate) async fn connect(config: &EtcdConfig) -> Result<Link, BackendError> {
    let connector = Connector::new(config)?;
    let links = config.endpoints().iter().map(|endpoint| connector.link(endpoint)).collect();
    probe(config, links).await
}

/// Asks all members at once, until the first answers: reads a key that need not be there, which proves that the member
/// serves reads and knows us.
async fn probe(config: &EtcdConfig, links: Vec<Link>) -> Result<Link, BackendError> {
    let ask = |link: Link| async move {
        let read = |handles: Handles| {
            let mut kv = handles.kv;
            let (key, only_key) =
                (config.probe_key().into_bytes(), etcd_client::GetOptions::new().with_keys_only());
            async move { kv.get(key, Some(only_key)).await.map(drop).map_err(from_client) }
        };
        match within(config.dial_timeout(), "connecting", link.call(read)).await {
            Ok(()) => Ok(link),
            Err(error) => Err((link.endpoint().to_owned(), error)),
        }
    };
    let mut answers: FuturesUnordered<_> = links.into_iter().map(ask).collect();
    let mut failures = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(link) => return Ok(link),
            Err(failure) => failures.push(failure),
        }
    }
    Err(unreachable(&failures))
}

/// One error for all endpoints, with what each has said. A member that did answer, and refused, determines the kind.
fn unreachable(failures: &[(String, BackendError)]) -> BackendError {
    let is_silence = |error: &BackendError| {
        error.is_retryable()
            && matches!(error.kind(), BackendErrorKind::Unavailable | BackendErrorKind::Timeout)
    };
    let errors = || failures.iter().map(|(_, error)| error);
    let telling = errors().find(|error| !is_silence(error)).or_else(|| errors().next());
    let kind = telling.map_or(BackendErrorKind::Unavailable, BackendError::kind);
    let said: Vec<_> = failures.iter().map(|(endpoint, error)| named(endpoint, error)).collect();
    let error = BackendError::new(kind, said.join("; ")).not_applied();
    if telling.is_none_or(BackendError::is_retryable) { error.retryable() } else { error.not_retryable() }
}

/// An error with the endpoint, which it may name already.
fn named(endpoint: &str, error: &BackendError) -> String {
    let text = text(error);
    if text.contains(endpoint) { text } else { format!("{endpoint}: {text}") }
}

/// An error and its innermost cause.
fn text(error: &BackendError) -> String {
    let causes = iter::successors(error.source(), |&error| error.source());
    causes.last().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(endpoint: &str, kind: BackendErrorKind) -> (String, BackendError) {
        (endpoint.to_owned(), BackendError::new(kind, "why").with_source("cause"))
    }

    #[test]
    fn the_error_names_every_endpoint_and_what_was_wrong_with_it() {
        let error = unreachable(&[
            failure("http://a:1", BackendErrorKind::Unavailable),
            failure("http://b:2", BackendErrorKind::Timeout),
        ]);
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        let said = "http://a:1: store unavailable: why: cause; http://b:2: no answer in time: why: cause";
        assert_eq!(error.message(), said);
        assert!(error.is_retryable() && !error.is_maybe_applied());
    }

    #[test]
    fn a_member_that_answers_and_refuses_determines_the_kind() {
        let error = unreachable(&[
            failure("http://a:1", BackendErrorKind::Unavailable),
            failure("http://b:2", BackendErrorKind::PermissionDenied),
        ]);
        assert_eq!(error.kind(), BackendErrorKind::PermissionDenied);
        assert!(!error.is_retryable());
    }
}
