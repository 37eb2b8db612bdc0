use std::future::Future;
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind};
use tokio::time::{Instant, timeout_at};

/// Ends a call that takes longer than allowed. Whether a write was applied is then unknown.
///
/// The client library's own time limit starts only once it is connected, and would end watches too.
pub(crate) async fn within<T>(
    limit: Duration,
    call: &str,
    future: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    until(Instant::now() + limit, limit, call, future).await
}

/// The same for a part of what has to be done within that limit and ends at that moment.
pub(crate) async fn until<T>(
    end: Instant,
    limit: Duration,
    call: &str,
    future: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    match timeout_at(end, future).await {
        Ok(result) => result,
        Err(_) => Err(BackendError::new(BackendErrorKind::Timeout, format!("{call}, after {limit:?}"))),
    }
}
