//! What became of a write whose answer was lost.
//!
//! First the write is *fenced*: every write compares the format key, so once that is put again an attempt that is still
//! on its way can no longer be applied. Then the tree's history tells whether it had been: every write leaves its id at
//! a key, with the revision at which it was applied. See decision 9.

use bytes::Bytes;
use futures::TryStreamExt;

use super::Storage;
use crate::environment::Surroundings;
use crate::kv::{
    BackendError, Entry, Key, KeyRange, KvBackend, KvBackendExt, Projection, RangePage, RangeRequest,
    Revision,
};
use crate::record::{Deletion, WriteId};
use crate::retry::Backoff;

/// Where a write leaves its id.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trace {
    /// Nowhere: who sends the write finds out by repeating it.
    #[default]
    None,
    /// It is the metadata record itself of a file that it puts: no two writes put the same.
    File { meta: Key, record: Bytes },
    /// In the record of deletions. What it deletes in these ranges is counted.
    Deletion { write: WriteId, counted: Vec<KeyRange> },
}

impl Trace {
    /// Of a deletion, which counts the metadata records in these ranges.
    pub(super) fn of_deletion(
        surroundings: &Surroundings,
        counted: impl IntoIterator<Item = KeyRange>,
    ) -> Self {
        Self::Deletion { write: WriteId::random(surroundings), counted: counted.into_iter().collect() }
    }
}

/// What has become of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was applied at this revision, and has deleted so many of what it counts.
    Applied { at: Revision, deleted: u64 },
    /// It was not up to this revision, and will not be.
    NotApplied { until: Revision },
}

impl<B: KvBackend> Storage<B> {
    /// Finds out what has become of a write that was sent after the revision `since`, and that compared the format key
    /// with another one if it may still be on its way. Asking again is harmless.
    pub(super) async fn fate(
        &self,
        trace: &Trace,
        compared: Option<Revision>,
        since: Revision,
    ) -> Result<Fate, BackendError> {
        if let Some(compared) = compared {
            // From now on no write is applied that has compared the format key with this revision. If it has another one
            // somebody else has put it, and with that fenced this write as well; the next one will learn that.
            self.put_format(Some(compared)).await?;
        }
        let (applied, until) = self.find(trace, since).await?;
        match applied {
            None => Ok(Fate::NotApplied { until }),
            Some(at) => Ok(Fate::Applied { at, deleted: self.count_deleted(trace, at).await? }),
        }
    }

    /// The revision at which a write was applied, if it was: after `since`, and not on its way any more. And the revision
    /// up to which that was looked for.
    async fn find(
        &self,
        trace: &Trace,
        since: Revision,
    ) -> Result<(Option<Revision>, Revision), BackendError> {
        let deletions = self.keyspace().deletions();
        let key = match trace {
            Trace::None => return Ok((None, since)),
            Trace::File { meta, .. } => meta,
            Trace::Deletion { .. } => &deletions,
        };
        let newest = self.look(key, None).await?;
        // A store that was restored from a backup has gone back: then nothing is known of when the call began.
        let since = if newest.revision < since { Revision::ZERO } else { since };
        let until = newest.revision;
        let (mut at, mut page) = (until, newest);
        loop {
            let before = match page.entries.first() {
                Some(entry) if is_of(entry, trace) => return Ok((Some(entry.mod_revision), until)),
                Some(entry) => entry.mod_revision,
                // It is gone since the last deletion, or longer.
                None => match self.look(&deletions, Some(at)).await?.entries.first() {
                    Some(deletion) => deletion.mod_revision,
                    None => return Ok((None, until)),
                },
            };
            at = Revision(before.0.saturating_sub(1));
            if at <= since {
                return Ok((None, until));
            }
            page = self.look(key, Some(at)).await?;
        }
    }

    /// How many keys a deletion that was applied at this revision has found in what it counts.
    async fn count_deleted(&self, trace: &Trace, applied: Revision) -> Result<u64, BackendError> {
        let Trace::Deletion { counted, .. } = trace else { return Ok(0) };
        let mut count = 0;
        for range in counted {
            let before = RangeRequest::new(range.clone())
                .with_projection(Projection::KeysOnly)
                .with_revision(Revision(applied.0.saturating_sub(1)));
            let mut keys = self.backend().scan(before);
            while keys.try_next().await?.is_some() {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Whether some of what a deletion would have deleted is certainly still there.
    pub(super) async fn is_untouched(&self, trace: &Trace, since: Revision) -> bool {
        let Trace::Deletion { counted, .. } = trace else { return false };
        for range in counted {
            let keys = RangeRequest::new(range.clone()).with_projection(Projection::KeysOnly);
            if let Ok(page) = self.backend().range(keys).await
                && page.entries.iter().any(|entry| entry.create_revision <= since)
            {
                return true;
            }
        }
        false
    }

    /// Looks until there is an answer: a long way back would never be gone if it began anew after each failure.
    async fn look(&self, key: &Key, at: Option<Revision>) -> Result<RangePage, BackendError> {
        let mut request = RangeRequest::new(KeyRange::single(key.clone()));
        if let Some(at) = at {
            request = request.with_revision(at);
        }
        let mut backoff = Backoff::new(self.surroundings());
        loop {
            match self.backend().range(request.clone()).await {
                Err(error) if error.is_retryable() => backoff.pause().await,
                result => return result,
            }
        }
    }
}

fn is_of(entry: &Entry, trace: &Trace) -> bool {
    match trace {
        Trace::None => false,
        Trace::File { record, .. } => entry.value == record,
        Trace::Deletion { write, .. } => Deletion::decode(&entry.value) == Some(Deletion { write: *write }),
    }
}
