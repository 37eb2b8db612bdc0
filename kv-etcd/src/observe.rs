//! What operators can see: spans and events of `tracing`, and with the feature `metrics` the metrics behind its facade.
//!
//! `docs/observability.md` lists them: names and fields are part of the interface. Values and secrets are in none. What
//! happens at every call allocates nothing unless there are metrics.

use std::error::Error as StdError;
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind as Kind};
use tracing::field::Empty;
use tracing::{Span, debug, debug_span, info, warn};

/// The span around a call of the backend.
pub(crate) fn call(name: &'static str) -> Span {
    debug_span!("etcd_call", call = name, elapsed_ms = Empty, outcome = Empty, attempts = Empty)
}

/// A call has ended, after so many attempts on members.
pub(crate) fn call_ended<T>(
    span: &Span,
    name: &'static str,
    result: &Result<T, BackendError>,
    elapsed: Duration,
    attempts: u32,
) {
    let outcome = outcome(result);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    span.record("elapsed_ms", millis).record("outcome", outcome).record("attempts", attempts);
    #[cfg(feature = "metrics")]
    {
        metrics::counter!("kvfs_etcd_calls_total", "call" => name, "outcome" => outcome).increment(1);
        metrics::histogram!("kvfs_etcd_call_duration_seconds", "call" => name).record(elapsed);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = name;
}

/// A call goes on elsewhere, or again, because this member has failed or stays silent.
pub(crate) fn repeated(endpoint: &str, error: &BackendError) {
    debug!(endpoint, error = dynamic(error), "an attempt has failed, the call goes on");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_etcd_retries_total", "endpoint" => endpoint.to_owned()).increment(1);
}

/// A member got no answer to us in its time: its connection is replaced.
pub(crate) fn silent(endpoint: &str) {
    debug!(endpoint, "a member stays silent, its connection is replaced");
}

/// Calls are not sent to this member any more.
pub(crate) fn breaker_opened(endpoint: &str, error: &BackendError) {
    warn!(endpoint, error = dynamic(error), "a member has failed, calls go to others");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_etcd_breaker_opened_total", "endpoint" => endpoint.to_owned()).increment(1);
    member_well(endpoint, false);
}

/// They are again.
pub(crate) fn breaker_closed(endpoint: &str) {
    info!(endpoint, "a member serves again");
    member_well(endpoint, true);
}

/// Whether calls are sent to this member.
pub(crate) fn member_well(endpoint: &str, is_well: bool) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("kvfs_etcd_member_well", "endpoint" => endpoint.to_owned())
        .set(f64::from(u8::from(is_well)));
    #[cfg(not(feature = "metrics"))]
    let _ = (endpoint, is_well);
}

/// Another member is asked first from now on.
pub(crate) fn failed_over(from: &str, to: &str) {
    info!(from, to, "another member is preferred");
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_etcd_failovers_total").increment(1);
}

/// A member is not what it should be: it has older data, or is of another cluster.
pub(crate) fn member_refused(endpoint: &str, error: &BackendError) {
    warn!(endpoint, error = dynamic(error), "a member is not used");
}

/// The cluster has named a member that can be reached.
pub(crate) fn member_found(endpoint: &str) {
    info!(endpoint, "a member was found");
    member_well(endpoint, true);
}

/// The cluster does not name it any more.
pub(crate) fn member_removed(endpoint: &str) {
    info!(endpoint, "a member has left the cluster");
    member_well(endpoint, false);
}

/// A token is asked for.
pub(crate) fn login(endpoint: &str) {
    debug!(endpoint, "asking for a new token");
}

/// What came of that.
pub(crate) fn login_ended<T>(endpoint: &str, user: &str, result: &Result<T, BackendError>) {
    if let Err(error) = result {
        warn!(endpoint, user, error = dynamic(error), "the login has failed");
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("kvfs_etcd_logins_total", "outcome" => outcome(result)).increment(1);
}

/// A watch was ended here, because its member is silent or has left.
pub(crate) fn watch_ended(endpoint: &str) {
    debug!(endpoint, "a watch was ended, its member is silent or has left");
}

fn dynamic(error: &BackendError) -> &(dyn StdError + 'static) {
    error
}

/// The name of an outcome in logs and metrics.
fn outcome<T>(result: &Result<T, BackendError>) -> &'static str {
    result.as_ref().map_or_else(|error| kind_name(error.kind()), |_| "ok")
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unavailable => "unavailable",
        Kind::Timeout => "timeout",
        Kind::Compacted => "compacted",
        Kind::FutureRevision => "future_revision",
        Kind::LeaseNotFound => "lease_not_found",
        Kind::TooLarge => "too_large",
        Kind::ReplyTooLarge => "reply_too_large",
        Kind::InvalidRequest => "invalid_request",
        Kind::PermissionDenied => "permission_denied",
        Kind::Unauthenticated => "unauthenticated",
        Kind::NoSpace => "no_space",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_is_that_of_its_variant() {
        for kind in [
            Kind::Unavailable,
            Kind::Timeout,
            Kind::Compacted,
            Kind::FutureRevision,
            Kind::LeaseNotFound,
            Kind::TooLarge,
            Kind::ReplyTooLarge,
            Kind::InvalidRequest,
            Kind::PermissionDenied,
            Kind::Unauthenticated,
            Kind::NoSpace,
            Kind::Internal,
        ] {
            let variant = format!("{kind:?}");
            assert_eq!(kind_name(kind).replace('_', ""), variant.to_lowercase(), "{kind:?}");
        }
    }
}
