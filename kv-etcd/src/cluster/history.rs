//! Which cluster this is, and how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use etcd_client::ResponseHeader;
use storage_core::kv::{BackendError, BackendErrorKind, Revision};

use super::member::Member;
use crate::OldClusters;
use crate::bounds::{number, revision};
use crate::observe;

/// What all answers so far have shown.
pub(super) struct History {
    /// 0 until somebody has said it.
    cluster: AtomicU64,
    /// A linearizable read that begins now shows at least this revision.
    newest: AtomicI64,
    /// The greatest revision ever seen: more than `newest` only where the store went back and that was accepted.
    greatest: AtomicI64,
    old_clusters: OldClusters,
}

impl History {
    pub(super) fn new(old_clusters: OldClusters) -> Self {
        Self {
            cluster: AtomicU64::new(0),
            newest: AtomicI64::new(0),
            greatest: AtomicI64::new(0),
            old_clusters,
        }
    }

    /// Whether this revision was seen, and the store has gone back to before it: what was changed until then is unknown.
    pub(super) fn is_undone(&self, at: Revision) -> bool {
        let at = number(at);
        at > self.newest.load(Ordering::SeqCst) && at <= self.greatest.load(Ordering::SeqCst)
    }

    fn check_cluster(&self, header: &ResponseHeader) -> Result<(), BackendError> {
        let said = header.cluster_id();
        match self.cluster.compare_exchange(0, said, Ordering::SeqCst, Ordering::SeqCst) {
            Err(known) if known != said => {
                Err(refused(format!("it belongs to another cluster, {said:x} instead of {known:x}")))
            }
            _ => Ok(()),
        }
    }

    fn saw(&self, revision: i64) {
        self.newest.fetch_max(revision, Ordering::SeqCst);
        self.greatest.fetch_max(revision, Ordering::SeqCst);
    }

    fn check_revision(&self, floor: i64, found: i64) -> Result<(), BackendError> {
        if found < floor {
            match self.old_clusters {
                OldClusters::Rejected => {
                    let message = format!("its data is old: it is at revision {found}, {floor} was seen");
                    return Err(refused(message));
                }
                OldClusters::Accepted => self.newest.store(found, Ordering::SeqCst),
            }
        }
        self.saw(found);
        Ok(())
    }
}

/// It may be put right, by whoever runs the cluster.
fn refused(message: String) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, message)
}

/// Looks at the answers of one attempt.
#[derive(Clone)]
pub(crate) struct Witness {
    history: Arc<History>,
    pub(super) member: Arc<Member>,
    /// What a linearizable answer shows at least: what was known before it was asked for.
    floor: i64,
}

impl Witness {
    pub(super) fn new(history: &Arc<History>, member: &Arc<Member>) -> Self {
        let floor = history.newest.load(Ordering::SeqCst);
        Self { history: Arc::clone(history), member: Arc::clone(member), floor }
    }

    /// Checks that an answer comes from our cluster.
    pub(crate) fn check_cluster(&self, header: Option<&ResponseHeader>) -> Result<(), BackendError> {
        let Some(header) = header else { return Ok(()) };
        self.member.set_id(header.member_id());
        self.told(self.history.check_cluster(header))
    }

    /// Checks that too, and that the cluster has not gone back. Only for the answer to a write or a linearizable read.
    pub(crate) fn check(&self, header: Option<&ResponseHeader>) -> Result<(), BackendError> {
        self.check_cluster(header)?;
        let found = header.map_or(self.floor, ResponseHeader::revision);
        self.told(self.history.check_revision(self.floor, found))
    }

    fn told(&self, result: Result<(), BackendError>) -> Result<(), BackendError> {
        result.inspect_err(|error| observe::member_refused(self.member.endpoint(), error))
    }

    /// The member that the attempt is made on.
    pub(crate) fn endpoint(&self) -> &str {
        self.member.endpoint()
    }

    /// Notes a revision that exists.
    pub(crate) fn saw(&self, revision: Revision) {
        self.history.saw(number(revision));
    }

    /// Refuses a watch that would begin in a past that the store no longer has, and so would wait in silence.
    pub(crate) fn check_watchable(&self, after: Revision) -> Result<(), BackendError> {
        if !self.history.is_undone(after) {
            return Ok(());
        }
        let newest = revision(self.history.newest.load(Ordering::SeqCst));
        let message = format!("watched after {after}, and the store went back to {newest}");
        Err(BackendError::new(BackendErrorKind::Compacted, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_goes_back_is_refused_or_accepted_as_the_settings_say() {
        let history = History::new(OldClusters::Rejected);
        history.check_revision(0, 100).unwrap();
        let error = history.check_revision(100, 60).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        assert_eq!(error.message(), "its data is old: it is at revision 60, 100 was seen");
        assert!(error.is_retryable());
        // An answer that was asked for before the others came is not old.
        history.check_revision(50, 60).unwrap();

        let history = History::new(OldClusters::Accepted);
        history.check_revision(0, 100).unwrap();
        history.check_revision(100, 60).unwrap();
        history.check_revision(60, 60).unwrap();
    }

    #[test]
    fn only_revisions_that_were_seen_and_are_gone_are_undone() {
        let history = History::new(OldClusters::Accepted);
        history.saw(100);
        assert!(!history.is_undone(Revision(100)));
        // It is yet to come.
        assert!(!history.is_undone(Revision(101)));
        history.check_revision(100, 60).unwrap();
        let undone = |at| history.is_undone(Revision(at));
        assert_eq!([60, 61, 100, 101].map(undone), [false, true, true, false]);
        history.saw(80);
        assert_eq!([80, 81].map(undone), [false, true]);
    }
}
