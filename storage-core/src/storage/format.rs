use std::sync::atomic::{AtomicU64, Ordering};

use super::Storage;
use crate::error::{Error, Result};
use crate::kv::{
    BackendError, Compare, Entry, Get, GetReply, KeyRange, KvBackend, Op, RangeRequest, Revision, Txn,
    TxnOutcome,
};
use crate::layout::Layout;

/// What this handle knows of the tree's format key: the revision at which it was put, if it was there.
///
/// Every write compares it, so a tree that was brought to another format in the meantime is never written in this one.
#[derive(Debug, Default)]
pub(super) struct FormatKey(AtomicU64);

impl FormatKey {
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
        let request = RangeRequest::new(KeyRange::single(self.layout().format()));
        let page = self.shared.backend.range(request).await.map_err(Error::of_read)?;
        self.note(page.revision);
        self.learn_format(page.entries.first())
    }

    /// Gives a tree that has no format yet the one of this library, or learns which one somebody else gave it.
    pub(super) async fn ensure_format(&self) -> Result<()> {
        if let Some(found) = self.put_format(None).await.map_err(Error::of_write)? {
            self.learn_format(found.entries.first())?;
        }
        Ok(())
    }

    /// Puts the format key if it is as expected; what it is otherwise.
    pub(super) async fn put_format(
        &self,
        expected: Option<Revision>,
    ) -> Result<Option<GetReply>, BackendError> {
        let (compare, get) = self.format_guard(expected);
        let put = Op::Put { key: self.layout().format(), value: Layout::format_value(), lease: None };
        let reply = self.shared.backend.txn(Txn::new().when(compare).then(put).otherwise(get)).await?;
        self.note(reply.revision);
        match reply.outcome {
            TxnOutcome::Matched(_) => {
                self.shared.format.learn(Some(reply.revision));
                Ok(None)
            }
            TxnOutcome::NotMatched(found) => Ok(Some(found.into_iter().next().unwrap_or_default())),
        }
    }

    /// The revision at which the format key was put, as far as this handle knows.
    pub(super) fn known_format(&self) -> Option<Revision> {
        self.shared.format.known()
    }

    /// The compare that every write carries, and the read that tells why it did not hold.
    pub(super) fn format_guard(&self, known: Option<Revision>) -> (Compare, Get) {
        let key = self.layout().format();
        let compare = match known {
            Some(revision) => Compare::ModRevision(key.clone(), revision),
            None => Compare::Absent(key.clone()),
        };
        (compare, Get::key(key))
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
            Layout::check_format(&entry.value)?;
        }
        self.shared.format.learn(current.map(|entry| entry.mod_revision));
        Ok(())
    }
}
