use std::sync::atomic::{AtomicU64, Ordering};

use super::{Storage, unexpected_reply};
use crate::error::{Error, Result};
use crate::kv::{
    BackendError, Compare, Entry, Get, GetReply, KeyRange, KvBackend, Op, RangeRequest, Revision, Txn,
    TxnOutcome,
};
use crate::layout::mixed;

/// What this handle knows of the tree's format key: the revision at which it was put, if it was there.
///
/// Every write compares it, so a tree that was brought to another format in the meantime is never written in this one.
#[derive(Debug, Default)]
pub(super) struct FormatKey(AtomicU64);

impl FormatKey {
    /// The key as it was when the tree was opened.
    pub(super) fn found(key: Option<Entry>) -> Self {
        Self(AtomicU64::new(key.map(|key| key.mod_revision).unwrap_or_default().0))
    }

    fn known(&self) -> Option<Revision> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            revision => Some(Revision(revision)),
        }
    }

    fn learn(&self, revision: Option<Revision>) {
        self.0.store(revision.unwrap_or_default().0, Ordering::Release);
    }
}

impl<B: KvBackend> Storage<B> {
    /// Reads the format key; the tree is refused if it has another format.
    pub(super) async fn read_format(&self) -> Result<()> {
        let request = RangeRequest::new(KeyRange::single(self.keyspace().format()));
        let page = self.backend().range(request).await.map_err(Error::of_read)?;
        self.note(page.revision);
        self.learn_format(page.entries.first())
    }

    /// Gives a tree that has no format yet the one of this library, or learns which one somebody else gave it.
    ///
    /// # Errors
    ///
    /// `Unsupported` when somebody has begun to use the tree in another layout.
    pub(super) async fn ensure_format(&self) -> Result<()> {
        let Some(found) = self.put_format(None).await.map_err(Error::of_write)? else { return Ok(()) };
        let [format, rest @ ..] = &found[..] else { return Err(unexpected_reply()) };
        if format.entries.is_empty() && rest.iter().any(|other| !other.entries.is_empty()) {
            return Err(mixed(self.layout()));
        }
        self.learn_format(format.entries.first())
    }

    /// Puts the format key if it is as expected; what stands in the way otherwise.
    pub(super) async fn put_format(
        &self,
        expected: Option<Revision>,
    ) -> Result<Option<Vec<GetReply>>, BackendError> {
        let put =
            Op::Put { key: self.keyspace().format(), value: self.keyspace().format_value(), lease: None };
        let guards = self.format_guards(expected).into_iter();
        let txn = guards.fold(Txn::new().then(put), |txn, (compare, get)| txn.when(compare).otherwise(get));
        let reply = self.backend().txn(txn).await?;
        self.note(reply.revision);
        match reply.outcome {
            TxnOutcome::Matched(_) => {
                self.shared.format.learn(Some(reply.revision));
                Ok(None)
            }
            TxnOutcome::NotMatched(found) => Ok(Some(found)),
        }
    }

    /// The revision at which the format key was put, as far as this handle knows.
    pub(super) fn known_format(&self) -> Option<Revision> {
        self.shared.format.known()
    }

    /// The compares that every write carries, and the reads that tell which of them did not hold. The first is that of the
    /// format key. While there is none, nobody may have begun to use the tree in another layout.
    pub(super) fn format_guards(&self, known: Option<Revision>) -> Vec<(Compare, Get)> {
        let key = self.keyspace().format();
        if let Some(revision) = known {
            return vec![(Compare::ModRevision(key.clone(), revision), Get::key(key))];
        }
        let format = (Compare::Absent(key.clone()), Get::key(key));
        std::iter::once(format).chain(self.keyspace().no_other_layout()).collect()
    }

    /// Whether the format key is not the one that a write has compared; it is learnt, or the tree refused. Meanwhile
    /// another task of this process may have learnt it too.
    pub(super) fn format_moved(&self, current: Option<&Entry>, compared: Option<Revision>) -> Result<bool> {
        if current.map(|entry| entry.mod_revision) == compared {
            return Ok(false);
        }
        self.learn_format(current)?;
        Ok(true)
    }

    fn learn_format(&self, current: Option<&Entry>) -> Result<()> {
        if let Some(entry) = current {
            self.keyspace().check_format(&entry.value)?;
        }
        self.shared.format.learn(current.map(|entry| entry.mod_revision));
        Ok(())
    }
}
