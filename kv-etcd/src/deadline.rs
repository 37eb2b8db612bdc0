use std::future::Future;
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind};

/// Ends a call that takes longer than allowed. Whether a write was applied is then unknown.
///
/// The client library's own time limit starts only once it is connected, and would end watches too.
pub(crate) async fn within<T>(
    limit: Duration,
    call: &str,
    future: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    match tokio::time::timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => Err(BackendError::new(BackendErrorKind::Timeout, format!("{call}, after {limit:?}"))),
    }
}
