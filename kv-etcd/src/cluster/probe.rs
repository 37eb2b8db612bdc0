//! Whether a member is well: it answers a read of a key that need not be there. Its `status` is denied to most users.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::GetOptions;
use storage_core::kv::{BackendError, Key};
use tokio::time::timeout;

use super::Shared;
use super::hedge::Attempt;
use super::member::{Member, is_failure};
use crate::error::from_client;

/// How long a member that has failed may take for an answer. It is given up on when it is silent, and taken
/// back if it answers after all.
const LONGEST: Duration = Duration::from_secs(2);

/// Reads that key: the answer proves that the member has a leader, serves reads and knows us.
pub(crate) async fn ask(attempt: Attempt, key: &Key) -> Result<(), BackendError> {
    let Attempt { handles, witness, .. } = attempt;
    let only_key = GetOptions::new().with_keys_only();
    let answer = handles.kv.clone().get(key.as_bytes(), Some(only_key)).await.map_err(from_client)?;
    witness.check(answer.header())
}

/// That the member refuses is an answer too.
pub(super) fn answer(result: Result<(), BackendError>) -> Result<(), BackendError> {
    match result {
        Err(error) if is_failure(&error) => Err(error),
        _ => Ok(()),
    }
}

impl Shared {
    /// Asks a member that is not well whether it is again.
    pub(super) async fn try_again(&self, member: Arc<Member>) {
        let ask = |attempt| ask(attempt, &self.probe_key);
        // What comes of it the member is told by the attempt.
        let _ = timeout(LONGEST, self.attempt(&member, self.silence, || {}, ask)).await;
        member.end_trial();
    }
}
