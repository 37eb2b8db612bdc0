//! A short session: what a renewal takes, and whether the store's clock and ours go alike.

use std::time::Duration;

use storage_core::ErrorKind;
use storage_core::kv::{BackendError, BackendErrorKind, KvBackend};
use tokio::time::{Instant, timeout};

use crate::failure::{Failure, with_causes};
use crate::session::Place;

/// What the session is asked to last. It is taken back at once; if that fails the store ends it after this time.
pub(super) const ASKED: Duration = Duration::from_secs(10);

/// What a session has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// How long the store lets it run.
    pub(super) granted: Duration,
    /// What a renewal took, there and back.
    pub(super) renewal: Duration,
    /// What was left of it, as the store says, in whole seconds.
    pub(super) left: Duration,
    /// What was left of it at least, counted here from when the renewal was sent.
    pub(super) expected: Duration,
}

/// How much less the store may say that is left: it leaves out a fraction, and the answer takes its time.
const TOLERANCE: Duration = Duration::from_secs(2);

impl Clock {
    /// Whether the store ends sessions earlier than we think.
    pub(super) fn is_early(&self) -> bool {
        self.left + TOLERANCE < self.expected
    }
}

/// Begins a session, renews it, and ends it.
pub(super) async fn check(place: &Place, limit: Duration) -> Result<Clock, Failure> {
    let checked = timeout(limit, async {
        let backend = place.connect().await?;
        try_session(&*backend).await.map_err(|error| failure(&error))
    });
    match checked.await {
        Ok(checked) => checked,
        Err(_) => Err(Failure::of_kind(ErrorKind::Timeout, format!("no session within {limit:?}"))),
    }
}

async fn try_session(backend: &dyn KvBackend) -> Result<Clock, BackendError> {
    let lease = backend.grant(ASKED).await?;
    let clock = renew(backend, lease.id, lease.ttl).await;
    let ended = backend.revoke(lease.id).await;
    let clock = clock?;
    ended.map(|()| clock)
}

async fn renew(
    backend: &dyn KvBackend,
    lease: storage_core::kv::LeaseId,
    granted: Duration,
) -> Result<Clock, BackendError> {
    let sent = Instant::now();
    let renewed = backend.keep_alive(lease).await?;
    let renewal = sent.elapsed();
    let left = backend.time_to_live(lease).await?;
    Ok(Clock { granted, renewal, left, expected: renewed.saturating_sub(sent.elapsed()) })
}

fn failure(error: &BackendError) -> Failure {
    let kind = match error.kind() {
        BackendErrorKind::Timeout => ErrorKind::Timeout,
        BackendErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        BackendErrorKind::Unauthenticated => ErrorKind::Unauthenticated,
        BackendErrorKind::NoSpace => ErrorKind::NoSpace,
        BackendErrorKind::Unavailable => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Failure::of_kind(kind, with_causes(error.to_string(), std::error::Error::source(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_is_no_difference_and_some_seconds_are() {
        let seconds = Duration::from_secs;
        let clock = |left| Clock {
            granted: ASKED,
            renewal: Duration::ZERO,
            left: seconds(left),
            expected: Duration::from_millis(9999),
        };
        assert!(!clock(9).is_early() && !clock(8).is_early() && clock(7).is_early());
    }
}
