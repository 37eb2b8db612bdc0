use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind};

use super::Shared;
use super::keeper::Work;
use super::member::Member;
use super::notes::text;
use super::probe;
use crate::deadline::within;

impl Shared {
    /// Asks all members at once, until the first answers: that one is preferred. What the others have to say the keeper
    /// waits for.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Work, BackendError> {
        let ask = |member: Arc<Member>| {
            let shared = Arc::clone(self);
            async move {
                let ask = |attempt| probe::ask(attempt, &shared.probe_key);
                let answer = shared.attempt(&member, shared.silence, || {}, ask);
                match within(shared.dial_timeout, "connecting", answer).await {
                    Ok(()) => Ok(member),
                    Err(error) => Err((member.endpoint().to_owned(), error)),
                }
            }
        };
        let mut answers: FuturesUnordered<_> = self.members.all().into_iter().map(ask).collect();
        let mut failures = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(member) => {
                    self.members.prefer(&member);
                    let work = Work::new();
                    work.push(Box::pin(answers.for_each(async |_| ())));
                    return Ok(work);
                }
                Err(failure) => failures.push(failure),
            }
        }
        Err(unreachable(&failures))
    }
}

/// One error for all endpoints, with what each has said. A member that did answer, and refused, determines the kind; so does
/// one that will not be reached by trying again.
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
