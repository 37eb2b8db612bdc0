//! What operators can see: spans and events of `tracing`, and with the feature `metrics` the metrics behind its facade.
//!
//! `docs/observability.md` lists them: names and fields are part of the interface. Contents and secrets are in none.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, debug_span, info, warn};

use crate::error::{Error, Result};
use crate::storage::InContext;

/// Runs an operation on a path, or on the lock of this name, where operators see it. Its error says what it was.
pub(crate) fn operation<'p, F>(
    name: &'static str,
    path: impl Into<Option<&'p str>>,
    work: F,
) -> Operation<'p, F> {
    let path = path.into();
    let span = debug_span!("operation", operation = name, path, elapsed_ms = Empty, outcome = Empty);
    Operation { name, path, work: work.instrument(span), began: None }
}

pin_project! {
    /// An operation that is observed. An `async fn` would need room for the work twice.
    #[must_use = "futures do nothing unless they are awaited"]
    pub(crate) struct Operation<'p, F> {
        name: &'static str,
        path: Option<&'p str>,
        #[pin]
        work: Instrumented<F>,
        began: Option<Instant>,
    }
}

impl<T, F: Future<Output = Result<T>>> Future for Operation<'_, F> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut this = self.project();
        let began = *this.began.get_or_insert_with(Instant::now);
        let result = ready!(this.work.as_mut().poll(context)).in_context(this.name, *this.path);
        observe(this.name, this.work.span(), &result, began.elapsed());
        Poll::Ready(result)
    }
}

fn observe<T>(operation: &'static str, span: &Span, result: &Result<T>, elapsed: Duration) {
    let outcome = result.as_ref().map_or_else(|error| error.kind().name(), |_| "ok");
    span.record("elapsed_ms", millis(elapsed)).record("outcome", outcome);
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("kvfs_operations_total", "operation" => operation, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("kvfs_operation_duration_seconds", "operation" => operation).record(elapsed);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = operation;
}

/// A lock was taken after so much time.
pub(crate) fn lock_taken(name: &str, waited: Duration) {
    tracing::debug!(path = name, waited_ms = millis(waited), "a lock was taken");
    #[cfg(feature = "metrics")]
    metrics::histogram!("kvfs_lock_wait_seconds").record(waited);
}

/// The answer to a write was lost: what became of it has to be found out.
pub(crate) fn answer_lost(error: &Error) {
    warn!(error = error.source(), "the answer to a write was lost, looking for what became of it");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_lost_answers_total").increment(1);
}

/// It was found out.
pub(crate) fn answer_found(applied: bool) {
    info!(applied, "found out what became of a write whose answer was lost");
}

pub(crate) fn session_begun(session: &str, ttl: Duration) {
    info!(session, ttl_ms = millis(ttl), "a session has begun");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_sessions_begun_total").increment(1);
}

/// A renewal has failed: the session is suspect, and runs for so long if none succeeds.
pub(crate) fn renewal_failed(session: &str, error: &(dyn StdError + 'static), left: Duration) {
    warn!(session, error, left_ms = millis(left), "a session could not be renewed");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_renewals_failed_total").increment(1);
}

/// A session was lost, and so many locks with it.
pub(crate) fn session_lost(session: &str, locks: usize) {
    warn!(session, locks, "a session was lost");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_sessions_lost_total").increment(1);
}

pub(crate) fn session_closed(session: &str) {
    info!(session, "a session was closed");
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
