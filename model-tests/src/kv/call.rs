//! Calls, their answers, and which answers a model allows.

use std::time::Duration;

use storage_core::kv::{
    BackendError, BackendErrorKind, Consistency, KvBackend, Lease, LeaseId, RangePage, RangeRequest,
    Revision, Txn, TxnReply,
};
use tokio::time::Instant;

use super::model::{Expected, Model, entries, is_no_range};

/// A call of a backend, but for `watch`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Txn(Txn),
    Range(RangeRequest),
    Grant(Duration),
    KeepAlive(LeaseId),
    TimeToLive(LeaseId),
    Revoke(LeaseId),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Txn(TxnReply),
    Range(RangePage),
    Grant(Lease),
    KeepAlive(Duration),
    TimeToLive(Duration),
    Revoke,
}

impl Call {
    pub(super) async fn make(self, backend: &dyn KvBackend) -> Result<Answer, BackendError> {
        Ok(match self {
            Self::Txn(txn) => Answer::Txn(backend.txn(txn).await?),
            Self::Range(request) => Answer::Range(backend.range(request).await?),
            Self::Grant(ttl) => Answer::Grant(backend.grant(ttl).await?),
            Self::KeepAlive(lease) => Answer::KeepAlive(backend.keep_alive(lease).await?),
            Self::TimeToLive(lease) => Answer::TimeToLive(backend.time_to_live(lease).await?),
            Self::Revoke(lease) => {
                backend.revoke(lease).await?;
                Answer::Revoke
            }
        })
    }
}

/// Says why something does not fit.
macro_rules! fits {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}
pub(super) use fits;

impl Model {
    /// Carries out a call whose answer nobody hears.
    pub(super) fn apply(&mut self, call: &Call, now: Instant) {
        match call {
            Call::Txn(txn) => drop(self.txn(txn)),
            Call::KeepAlive(lease) => {
                if let Some(running) = self.lease(*lease) {
                    self.renew(*lease, running.ttl, now);
                }
            }
            Call::Revoke(lease) => drop(self.end(*lease)),
            // A lease that nobody knows has no keys.
            Call::Range(_) | Call::Grant(_) | Call::TimeToLive(_) => {}
        }
    }

    /// Carries out a call and says why it cannot have had this answer.
    pub(super) fn fit(
        &mut self,
        call: &Call,
        got: &Result<Answer, BackendErrorKind>,
        now: Instant,
    ) -> Result<(), String> {
        match (call, got) {
            (Call::Txn(txn), got) => {
                let expected = self.txn(txn).map(Answer::Txn);
                fits!(same(&expected, got), "expected {expected:?}");
                Ok(())
            }
            (Call::Range(request), Ok(Answer::Range(page))) => self.fit_page(request, page),
            (Call::Range(request), Err(kind)) => {
                let refusals = self.refusals_of(request);
                fits!(refusals.contains(kind), "expected a page, or one of {refusals:?}");
                Ok(())
            }
            (Call::Grant(asked), Ok(Answer::Grant(lease))) => {
                let shortest = (*asked).max(self.limits().min_lease_ttl);
                fits!(lease.ttl >= shortest, "a lease for less than {shortest:?}");
                fits!(self.lease(lease.id).is_none(), "another lease has this name");
                self.grant(*lease, now);
                Ok(())
            }
            (Call::KeepAlive(lease), got) => {
                let running = self.lease(*lease);
                match (running, got) {
                    (Some(running), Ok(Answer::KeepAlive(ttl))) => {
                        fits!(*ttl >= running.ttl, "{running:?} was granted");
                        self.renew(*lease, *ttl, now);
                        Ok(())
                    }
                    _ => self.fit_ended(*lease, got),
                }
            }
            (Call::TimeToLive(lease), got) => match (self.lease(*lease), got) {
                (Some(running), Ok(Answer::TimeToLive(left))) => {
                    let expected = running.ends.saturating_duration_since(now);
                    fits!(*left <= running.ttl, "more than {running:?}");
                    fits!(*left <= expected, "{expected:?} are left");
                    fits!(*left + Duration::from_secs(1) > expected, "{expected:?} are left");
                    Ok(())
                }
                _ => self.fit_ended(*lease, got),
            },
            (Call::Revoke(lease), got) => {
                if self.lease(*lease).is_none() {
                    return self.fit_ended(*lease, got);
                }
                fits!(*got == Ok(Answer::Revoke), "{lease} was running");
                self.end(*lease);
                Ok(())
            }
            (Call::Grant(_), Err(_)) => Err("expected a lease".to_owned()),
            (Call::Grant(_) | Call::Range(_), Ok(_)) => unreachable!("a call has an answer of its kind"),
        }
    }

    fn fit_ended(&self, lease: LeaseId, got: &Result<Answer, BackendErrorKind>) -> Result<(), String> {
        let running = self.lease(lease);
        fits!(running.is_none(), "the lease is {running:?}");
        fits!(*got == Err(BackendErrorKind::LeaseNotFound), "the lease has ended");
        Ok(())
    }

    fn refusals_of(&self, request: &RangeRequest) -> Vec<BackendErrorKind> {
        let mut refusals = request.at.map_or(Vec::new(), |at| self.at(at).err().unwrap_or_default());
        if is_no_range(&request.range) {
            refusals.push(BackendErrorKind::InvalidRequest);
        }
        if request.at == Some(Revision::ZERO) {
            refusals.push(BackendErrorKind::Compacted);
        }
        refusals
    }

    fn fit_page(&self, request: &RangeRequest, page: &RangePage) -> Result<(), String> {
        fits!(!is_no_range(&request.range), "the empty key is no key");
        let (newest, revision) = (self.newest(), page.revision);
        match request.at {
            Some(at) => fits!(revision == at, "the revision is not that asked for"),
            // It may come from a copy that lags behind.
            None if request.consistency == Consistency::Serializable => {
                fits!(revision <= newest, "newest is {newest}");
            }
            None => fits!(revision == newest, "newest is {newest}"),
        }
        let state = self.at(revision).map_err(|kinds| format!("expected one of {kinds:?}"))?;
        let remaining = request.remaining();
        let mut expected: Vec<_> = entries(state, &remaining, request.projection).collect();
        if let Some(next) = &page.next {
            fits!(request.range.as_single().is_none(), "a single key is one page");
            let start = request.cursor.as_ref().map(|cursor| &cursor.key);
            fits!(start.is_none_or(|start| next.key > *start), "the next cursor is not beyond {start:?}");
            expected.retain(|entry| entry.key < next.key);
        }
        fits!(page.entries == expected, "expected, up to the next cursor, {expected:?}");
        let limit = request.limit.map_or(usize::MAX, |limit| limit.get() as usize);
        fits!(page.entries.len() <= limit, "more than the limit");
        Ok(())
    }
}

fn same(expected: &Expected<Answer>, got: &Result<Answer, BackendErrorKind>) -> bool {
    match (expected, got) {
        (Ok(expected), Ok(got)) => expected == got,
        (Err(kinds), Err(kind)) => kinds.contains(kind),
        _ => false,
    }
}
