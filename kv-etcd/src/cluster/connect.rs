use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind};

use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::backoff::Pauses;
use super::keeper::Work;
use super::member::Member;
use super::notes::text;
use super::probe;
use crate::deadline::until;
use crate::error::is_between_leaders;

/// What was wrong with which endpoint.
type Failures = Vec<(String, BackendError)>;

impl Shared {
    /// Asks all members, until the first answers. While they elect a leader it asks again, up to the dial timeout; a
    /// cluster that is not there is told of at once.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Work, BackendError> {
        let end = Instant::now() + self.dial_timeout;
        while_electing(end, || self.ask_all(end)).await.map_err(|failures| unreachable(&failures))
    }

    /// Asks all members at once, until the first answers: that one is preferred. What the others have to say the keeper
    /// waits for.
    async fn ask_all(self: &Arc<Self>, end: Instant) -> Result<Work, Failures> {
        let ask = |member: Arc<Member>| {
            let shared = Arc::clone(self);
            async move {
                let ask = |attempt| probe::ask(attempt, &shared.probe_key);
                let answer = shared.attempt(&member, shared.silence, || {}, ask);
                match until(end, shared.dial_timeout, "connecting", answer).await {
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
        Err(failures)
    }
}

/// Asks until there is an answer, or none of those who have failed is between two leaders, or it would be too late.
async fn while_electing<T>(
    end: Instant,
    mut ask: impl AsyncFnMut() -> Result<T, Failures>,
) -> Result<T, Failures> {
    let mut pauses = Pauses::between_attempts();
    loop {
        let failures = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(failures) => failures,
        };
        let again = Instant::now() + pauses.next();
        if again >= end || !failures.iter().any(|(_, error)| is_between_leaders(error)) {
            return Err(failures);
        }
        sleep_until(again).await;
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
    use std::time::Duration;

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

    /// Asks a cluster that fails like this so many times and then answers: how often was it asked, and for how long?
    async fn asked(failures: &[(&str, &str)], times: usize) -> (bool, usize, Duration) {
        const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
        let failure = |(endpoint, message): &(&str, &str)| {
            ((*endpoint).to_owned(), BackendError::new(BackendErrorKind::Unavailable, *message))
        };
        let (begin, mut asked) = (Instant::now(), 0);
        let answer = while_electing(begin + DIAL_TIMEOUT, async || {
            asked += 1;
            if asked > times { Ok(()) } else { Err(failures.iter().map(failure).collect()) }
        });
        let is_ok = answer.await.is_ok();
        (is_ok, asked, begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_election_is_waited_out_until_the_dial_timeout() {
        let election = [("a", "transport error"), ("b", "etcdserver: leader changed")];
        let (is_ok, times, _) = asked(&election, 3).await;
        assert_eq!((is_ok, times), (true, 4));
        let (is_ok, times, took) = asked(&election, usize::MAX).await;
        assert!(!is_ok && times > 5, "{times} times");
        assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_not_there_is_told_of_at_once() {
        let (is_ok, times, took) = asked(&[("a", "refused"), ("b", "refused")], 3).await;
        assert_eq!((is_ok, times, took), (false, 1, Duration::ZERO));
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
