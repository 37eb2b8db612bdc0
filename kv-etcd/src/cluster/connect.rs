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
        let mut election = Election::until(end);
        loop {
            match self.ask_all(end).await {
                Ok(work) => return Ok(work),
                Err(failures) if election.goes_on(&failures).await => {}
                Err(failures) => return Err(unreachable(&failures)),
            }
        }
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

/// Waiting for members that elect a leader.
struct Election {
    end: Instant,
    pauses: Pauses,
}

impl Election {
    fn until(end: Instant) -> Self {
        Self { end, pauses: Pauses::between_attempts() }
    }

    /// Waits for a moment if one of those who have failed is between two leaders, and answers whether to ask again.
    async fn goes_on(&mut self, failures: &Failures) -> bool {
        let again = Instant::now() + self.pauses.next();
        let goes_on = again < self.end && failures.iter().any(|(_, error)| is_between_leaders(error));
        if goes_on {
            sleep_until(again).await;
        }
        goes_on
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

    /// For how long, and how often, a cluster is asked that fails like this again and again.
    async fn asked(failures: &[(&str, &str)]) -> (usize, Duration) {
        const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
        let failure = |(endpoint, message): &(&str, &str)| {
            ((*endpoint).to_owned(), BackendError::new(BackendErrorKind::Unavailable, *message))
        };
        let failures = failures.iter().map(failure).collect();
        let (begin, mut times) = (Instant::now(), 1);
        let mut election = Election::until(begin + DIAL_TIMEOUT);
        while election.goes_on(&failures).await {
            times += 1;
        }
        (times, begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_election_is_waited_out_until_the_dial_timeout() {
        let (times, took) = asked(&[("a", "transport error"), ("b", "etcdserver: leader changed")]).await;
        assert!(times > 5, "{times} times");
        assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_not_there_is_told_of_at_once() {
        assert_eq!(asked(&[("a", "refused"), ("b", "refused")]).await, (1, Duration::ZERO));
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
