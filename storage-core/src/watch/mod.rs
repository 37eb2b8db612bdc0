//! Following the changes of the tree: one watch of the store for all who follow.

mod event;
mod hub;
mod stream;

use crate::error::{Error, ErrorKind, Result};
use crate::kv::{KvBackend, Revision};
use crate::observe::operation;
use crate::storage::Storage;

pub use event::{ChangeKind, WatchEvent};
pub(crate) use hub::Hubs;
pub use stream::ChangeStream;

impl<B: KvBackend> Storage<B> {
    /// Follows a file or a directory: every change of the path itself and of what is below it from now on, in order, none
    /// left out and none twice, whatever happens to the connection meanwhile. The path need not exist; `""` is the whole
    /// tree. Every change that is acknowledged after this has returned is delivered, none that was before it was called.
    ///
    /// To know the tree and what becomes of it, watch first and list then. To go on where another stream ended, see
    /// [`watch_after`](Self::watch_after).
    ///
    /// One round trip, and one more for the first watch of a storage. All watches of a storage share one watch of the
    /// store. A consumer that falls more than a thousand changes behind, and everybody when the store has given up
    /// changes that were not delivered yet, gets a [`Resync`](WatchEvent::Resync).
    ///
    /// # Errors
    ///
    /// `InvalidPath`; `Closed` after [`close`](Self::close). The stream ends with an error when the store refuses to let
    /// this client watch; an outage only makes it silent until the store is back. It ends without one when the storage
    /// is closed.
    ///
    /// Dropping the future or the stream is safe.
    pub async fn watch(&self, path: &str) -> Result<ChangeStream> {
        operation("watch", path, self.changes(path, None)).await
    }

    /// Follows a path from the first change after a revision: that of the last event that was seen before, for instance,
    /// in this process or in another. No round trip, unless it is the first watch of this storage.
    ///
    /// What lies between that revision and now is replayed. If the store has given it up, the first event is a
    /// [`Resync`](WatchEvent::Resync).
    ///
    /// # Errors
    ///
    /// Those of [`watch`](Self::watch).
    pub async fn watch_after(&self, path: &str, revision: Revision) -> Result<ChangeStream> {
        operation("watch_after", path, self.changes(path, Some(revision))).await
    }

    async fn changes(&self, path: &str, after: Option<Revision>) -> Result<ChangeStream> {
        let path = self.keyspace().any_path(path)?;
        self.check_open()?;
        let client = self.client();
        let (hub, started) = client
            .watches
            .hub(&client.backend, self.keyspace(), self.surroundings(), &client.background)
            .await?;
        let (live, reached) = hub.subscribe().ok_or_else(|| Error::new(ErrorKind::Closed))?;
        let after = match (after, started) {
            (Some(after), _) => after,
            (None, Some(started)) => started,
            // Behind the subscription, so that whatever is changed after this is still to come.
            (None, None) => hub.newest().await.map_err(Error::of_read)?,
        };
        // The storage is not closed as long as somebody follows it.
        Ok(stream::Following::new(hub, live, path, after, reached).into_stream(self.clone()))
    }
}
