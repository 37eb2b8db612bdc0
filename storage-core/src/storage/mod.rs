//! The file tree: [`Storage`] and one file per family of operations.

mod check;
mod delete;
mod format;
mod group;
mod list;
mod list_options;
mod list_walk;
mod load;
mod outcome;
mod quarantine;
mod rename;
mod seen;
mod stat;
mod store;
mod store_options;
mod survey;
mod verify;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::format::FormatKey;
use self::seen::Seen;
use crate::background::Background;
use crate::config::StorageOptions;
use crate::environment::Surroundings;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Entry, KvBackend, Op, Revision, Txn, TxnOutcome};
use crate::layout::{self, KeyPrefix, Layout, LayoutChoice, LayoutKind};
use crate::lock::LocalQueues;
use crate::observe::operation;
use crate::path::FilePath;
use crate::session::{BackendHandle, Sessions};
use crate::watch::Hubs;

pub(crate) use check::{Check, ONE};
pub(crate) use group::collect;
pub use list::{ListItem, ListStream};
pub use list_options::{Filter, ListOptions};
pub(crate) use load::unexpected_reply;
pub(crate) use outcome::Trace;
pub use store::LoadOrStore;
pub use store_options::{Replaces, StoreOptions};
pub use survey::{Finding, FindingKind, Survey};
pub use verify::{VerifyOptions, VerifyStream};
pub(crate) use write::{Write, Written};

/// A file tree on a transactional key-value store, and the locks of those who share it.
///
/// Cloning it is cheap and gives another handle of the same tree. All methods may be called at the same time, from
/// this process and from others.
///
/// - **Paths** are given as text and read by [`FilePath::parse`]; a path that is none fails with `InvalidPath` before
///   anything is sent.
/// - **Directories** are implicit: they exist while a file lies below them. A path is never both file and directory;
///   the transaction that writes a file checks it.
/// - **Every operation is atomic**, the largest group as well as the deletion of a directory.
/// - **Lost answers.** When the answer to a write is lost it is found out whether the write was applied, and if not it is
///   sent again: it is applied once, or the error says that it was not. Only if that does not succeed within
///   [`request_timeout`](StorageOptions::request_timeout), or the store has given up the history of those seconds, it
///   fails with `OutcomeUnknown`.
/// - **Errors.** Every operation can fail with `Unavailable`, `Timeout`, `PermissionDenied`, `Unauthenticated` and
///   `Internal`; those that write also with `OutcomeUnknown`, and those that put with `NoSpace` and `TooLarge`. The
///   methods name what they add. An error is never turned into `false` or into an empty list.
/// - **Runtime.** Operations need a Tokio runtime with its timers.
/// - **Cancel safety.** Any future may be dropped at any time without harm. Dropping one that writes leaves open
///   whether the write is applied; it is never applied in part.
pub struct Storage<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    backend: Arc<B>,
    layout: Layout,
    format: FormatKey,
    seen: Seen,
    client: Client,
}

/// What a storage keeps beside the tree: its session, its locks, its watches, and the tasks behind them. The tasks know
/// the backend, and not the storage, which ends them when it is dropped.
pub(crate) struct Client {
    pub(crate) backend: BackendHandle,
    pub(crate) lock_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) sessions: Sessions,
    pub(crate) locks: Arc<LocalQueues>,
    pub(crate) watches: Hubs,
    pub(crate) background: Background,
    pub(crate) surroundings: Surroundings,
}

impl<B: KvBackend> Storage<B> {
    /// Opens a tree: reads which layout and format it has. A tree that is still empty gets its format with the first
    /// write; until then it is compared with every write that nobody has begun to use it in another layout. One round
    /// trip.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the tree is of another format than this library knows, or holds data of both layouts;
    /// `InvalidConfig` when it is not of the layout that was [chosen](StorageOptions::with_layout), or an option is out of
    /// its bounds.
    pub async fn open(backend: B, options: StorageOptions) -> Result<Self> {
        let opened = async {
            options.check()?;
            let backend = Arc::new(backend);
            let client = Client {
                backend: BackendHandle(Arc::clone(&backend) as Arc<dyn KvBackend>),
                lock_timeout: options.lock_timeout,
                request_timeout: options.request_timeout,
                sessions: Sessions::default(),
                locks: Arc::default(),
                watches: Hubs::default(),
                background: Background::new(),
                surroundings: options.environment,
            };
            let seen = Seen::nothing(&client.surroundings);
            let (layout, format, revision) =
                opened_layout(&*backend, &options.prefix, options.layout).await?;
            let shared = Shared { backend, layout, format: FormatKey::found(format), seen, client };
            let storage = Self { shared: Arc::new(shared) };
            storage.note(revision);
            Ok(storage)
        };
        operation("open", None, opened).await
    }

    /// The store below.
    pub fn backend(&self) -> &B {
        &self.shared.backend
    }

    /// The prefix of the tree's keys.
    pub fn prefix(&self) -> &KeyPrefix {
        self.shared.layout.prefix()
    }

    /// The layout of the tree: what was found when it was opened.
    pub fn layout(&self) -> LayoutKind {
        self.shared.layout.kind()
    }

    /// Which keys the tree has, and what is stored there.
    pub(crate) fn keyspace(&self) -> &Layout {
        &self.shared.layout
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.shared.client.surroundings
    }
}

impl<B> Clone for Storage<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B> fmt::Debug for Storage<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("prefix", self.shared.layout.prefix()).finish_non_exhaustive()
    }
}

/// Finds out how the tree lies in its store.
async fn opened_layout<B: KvBackend>(
    backend: &B,
    prefix: &KeyPrefix,
    choice: LayoutChoice,
) -> Result<(Layout, Option<Entry>, Revision)> {
    let reads = layout::reads(prefix);
    let txn = reads.into_iter().map(Op::Get).fold(Txn::new(), Txn::then);
    let reply = backend.txn(txn).await.map_err(Error::of_read)?;
    let TxnOutcome::Matched(replies) = reply.outcome else { return Err(unexpected_reply()) };
    let found: Vec<_> = load::gets(replies).into_iter().map(|get| get.entries).collect();
    let found: [Vec<Entry>; layout::READS] = found.try_into().map_err(|_| unexpected_reply())?;
    let (layout, format) = layout::detect(prefix, choice, found)?;
    Ok((layout, format, reply.revision))
}

impl Layout {
    /// The path of anything that can be in the tree.
    pub(crate) fn any_path(&self, path: &str) -> Result<FilePath> {
        let path = FilePath::parse(path)?;
        self.check_path(&path)?;
        Ok(path)
    }

    /// The path of something that must be a file: any but the root.
    pub(crate) fn file_path(&self, path: &str) -> Result<FilePath> {
        let parsed = self.any_path(path)?;
        if parsed.is_root() {
            return Err(Error::new(ErrorKind::InvalidPath)
                .with_path(path)
                .with_detail("the root is not a file"));
        }
        Ok(parsed)
    }
}

/// Adds to an error which operation on which path it belongs to, unless it names a path already.
pub(crate) trait InContext<T> {
    fn in_context<'p>(self, operation: &'static str, path: impl Into<Option<&'p str>>) -> Result<T>;
}

impl<T> InContext<T> for Result<T> {
    fn in_context<'p>(self, operation: &'static str, path: impl Into<Option<&'p str>>) -> Result<T> {
        self.map_err(|error| {
            let error = error.with_operation(operation);
            match path.into() {
                Some(path) => error.with_path(path),
                None => error,
            }
        })
    }
}

#[cfg(test)]
mod tests;
