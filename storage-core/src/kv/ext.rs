use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::{
    BackendError, Compare, Consistency, Entry, Key, KeyRange, KvBackend, Op, RangeRequest, Revision, Txn,
    TxnOutcome,
};

/// Sugar on top of [`KvBackend`], for every backend.
#[async_trait]
pub trait KvBackendExt: KvBackend {
    /// The entry of one key at the newest revision.
    ///
    /// # Errors
    ///
    /// Those of [`KvBackend::range`].
    async fn get(&self, key: Key) -> Result<Option<Entry>, BackendError> {
        Ok(self.range(RangeRequest::new(KeyRange::single(key))).await?.entries.pop())
    }

    /// Puts one value and answers the revision.
    ///
    /// # Errors
    ///
    /// Those of [`KvBackend::txn`].
    async fn put(&self, key: Key, value: Bytes) -> Result<Revision, BackendError> {
        Ok(self.txn(Txn::new().then(Op::Put { key, value, lease: None })).await?.revision)
    }

    /// Puts one value unless the key exists already: the revision, or `None` if it did.
    ///
    /// # Errors
    ///
    /// Those of [`KvBackend::txn`].
    async fn create(&self, key: Key, value: Bytes) -> Result<Option<Revision>, BackendError> {
        let txn = Txn::new().when(Compare::Absent(key.clone())).then(Op::Put { key, value, lease: None });
        let reply = self.txn(txn).await?;
        Ok(matches!(reply.outcome, TxnOutcome::Matched(_)).then_some(reply.revision))
    }

    /// Reads a whole range page by page, as it stood when the first page was read (or at the request's revision).
    ///
    /// The stream holds one page at a time. Its first error is its last item; after `Compacted` the caller has to
    /// start over. Later pages are read as serializable: at a fixed revision they cannot differ.
    fn scan(&self, request: RangeRequest) -> ScanStream<'_> {
        let pages = stream::try_unfold(Some(request), move |next| async move {
            let Some(request) = next else { return Ok(None) };
            let page = self.range(request.clone()).await?;
            let following = page.next.map(|cursor| {
                let pinned = request.with_cursor(cursor).with_revision(page.revision);
                pinned.with_consistency(Consistency::Serializable)
            });
            Ok::<_, BackendError>(Some((page.entries, following)))
        });
        let entries = pages.flat_map(|page| match page {
            Ok(entries) => stream::iter(entries).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        ScanStream(entries.boxed())
    }
}

impl<B: KvBackend + ?Sized> KvBackendExt for B {}

/// The entries of a scanned range, in key order. See [`KvBackendExt::scan`].
pub struct ScanStream<'a>(BoxStream<'a, Result<Entry, BackendError>>);

impl Stream for ScanStream<'_> {
    type Item = Result<Entry, BackendError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ScanStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanStream").finish_non_exhaustive()
    }
}
