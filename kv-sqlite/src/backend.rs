use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};
use tokio::task;
use tokio::time::{self, Instant};

use crate::error::Failure;
use crate::options::SqliteOptions;
use crate::store::Store;
use crate::{error, lease, page, txn, watch};

/// A client of a store in a SQLite file.
///
/// Clones are clients of the same opened store, which is closed when the last of them, and of their watches, is dropped. Calls
/// need a Tokio runtime with its timer enabled, any; the store belongs to none.
#[derive(Clone)]
pub struct SqliteBackend {
    store: Arc<Store>,
}

impl SqliteBackend {
    /// Opens the store in a file, and makes it first if there is none, for its owner alone. The directory has to be there.
    ///
    /// Other processes of the host may have it open, and may open or close it at the same time.
    ///
    /// Dropping the future is safe: it leaves at most an empty store.
    ///
    /// # Errors
    ///
    /// Each names the path.
    /// - `InvalidRequest` when the path cannot be that of a store: there is no such directory, or it is a directory, a file that
    ///   is not a store of kvfs, or one of a later version. Nothing is changed then.
    /// - `PermissionDenied` when the file or its directory cannot be written.
    /// - `NoSpace` when the disk is full.
    /// - `Internal` when the file is damaged.
    /// - `Timeout` when another process keeps it locked for the request timeout, `Unavailable` when it cannot be opened for
    ///   another reason.
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, BackendError> {
        let path = path.as_ref().to_owned();
        let deadline = Instant::now() + options.request_timeout;
        let opening = {
            let path = path.clone();
            task::spawn_blocking(move || Store::open(&path, options, deadline))
        };
        let error = match time::timeout_at(deadline, opening).await {
            Ok(Ok(Ok(store))) => return Ok(Self { store: Arc::new(store) }),
            // It names the path, or the one beside it that is meant.
            Ok(Ok(Err(Failure::Refused(error)))) => return Err(error),
            Ok(Ok(Err(failure))) if failure.is_busy() => error::timeout("open"),
            Ok(Ok(Err(failure))) => failure.into_error(),
            Ok(Err(_gone)) => error::ended("the thread that opens the store").not_applied(),
            Err(_elapsed) => error::timeout("open"),
        };
        Err(error::at(&path, &error))
    }

    /// The file of the store, absolute and without links.
    pub fn path(&self) -> &Path {
        self.store.place.file()
    }

    /// Waits until the store is closed, some time after the last client of this opening, and the last watch, was dropped. Then
    /// everything is in the one file, unless another process has it open. A program that ends without this leaves some commits in
    /// the write-ahead log beside it, where the next one finds them.
    ///
    /// The future is no client: it keeps nothing open, and may be dropped at any time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use kv_sqlite::{SqliteBackend, SqliteOptions};
    /// # let folder = tempfile::tempdir()?;
    /// let backend = SqliteBackend::open(folder.path().join("store.db"), SqliteOptions::default()).await?;
    /// let closed = backend.closed();
    /// drop(backend);
    /// closed.await;
    /// assert!(!folder.path().join("store.db-wal").exists());
    /// # Ok(()) }
    /// ```
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.store.closed()
    }

    /// Forgets what the store held before `revision`. Older states can no longer be read and older changes no longer
    /// watched; both answer `Compacted`. The state at `revision` and all changes after it are kept.
    ///
    /// A revision that is compacted already changes nothing. Dropping the future leaves open whether it is done.
    ///
    /// # Errors
    ///
    /// `FutureRevision` when the revision does not exist yet; nothing is forgotten then. And those of a write.
    pub async fn compact(&self, revision: Revision) -> Result<(), BackendError> {
        self.store.write("compact", 0, move |write| write.compact(revision)).await
    }
}

#[async_trait]
impl KvBackend for SqliteBackend {
    fn limits(&self) -> Limits {
        self.store.options.limits
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        request.range.check()?;
        self.store.read("range", move |connection| page::range(connection, &request)).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        txn.check(&self.limits())?;
        if txn::only_reads(&txn) {
            return self.store.read("txn", move |connection| txn::read(connection, &txn)).await;
        }
        let bytes = txn.request_bytes();
        self.store.write("txn", bytes, move |write| txn::run(write, &txn)).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let ttl = self.limits().granted_ttl(ttl)?;
        self.store.write("grant", 0, move |write| lease::grant(write, ttl)).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        self.store.write("keep_alive", 0, move |write| lease::renew(write, lease)).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let left =
            self.store.read("time_to_live", move |connection| lease::time_left(connection, lease)).await?;
        match left {
            Some(left) => Ok(left),
            // Whatever is written ends the leases that are due first: its keys are gone when it is reported as ended.
            None => self.store.write("time_to_live", 0, move |write| lease::time_to_live(write, lease)).await,
        }
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        self.store.write("revoke", 0, move |write| lease::end(write, lease)).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        range.check()?;
        Ok(watch::stream(&self.store, range, after))
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBackend")
            .field("path", &self.path())
            .field("options", &self.store.options)
            .finish_non_exhaustive()
    }
}
