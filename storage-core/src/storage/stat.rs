use std::num::NonZeroU32;
use std::time::SystemTime;

use futures::TryStreamExt;

use super::Storage;
use super::check::ONE;
use super::load::{gets, unexpected_reply};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, BackendErrorKind, Consistency, Entry, Get, GetReply, KvBackend, KvBackendExt, Op,
    Projection, RangeRequest, Revision, Txn, TxnOutcome,
};
use crate::layout::Layout;
use crate::metadata::{EntryKind, Metadata, Version};
use crate::observe::operation;
use crate::path::FilePath;

/// So many records come with the first answer: a directory of this size is summed up in one round trip.
const FIRST_RECORDS: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

impl<B: KvBackend> Storage<B> {
    /// Whether the path is a file or a directory. The root always exists. One round trip.
    ///
    /// # Errors
    ///
    /// `InvalidPath`, and those of every operation: an outage is never `false`.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let exists = async {
            let path = self.keyspace().any_path(path)?;
            if path.is_root() {
                return Ok(true);
            }
            let below = Get::range(self.keyspace().meta_below(&path)).with_limit(ONE);
            let txn = Txn::new()
                .then(Op::Get(Get::key(self.keyspace().meta(&path)).with_projection(Projection::KeysOnly)))
                .then(Op::Get(below.with_projection(Projection::KeysOnly)));
            let [file, below] = self.read(txn).await?;
            Ok(!file.is_empty() || !below.is_empty())
        };
        operation("exists", path, exists).await
    }

    /// The metadata of a file or a directory, without moving any content. One round trip for a file and for a
    /// directory of up to 1,000 files; larger ones take a page of records at a time, all of one revision.
    ///
    /// A directory's `size` is the sum of its files' and its `modified` and `version` are those of its newest file.
    /// Files whose metadata cannot be read are left out of that; a listing with metadata names them.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Corrupt` when a file's metadata is damaged, `Unsupported` when it is of a later version.
    pub async fn stat(&self, path: &str) -> Result<Metadata> {
        let stat = async {
            let path = self.keyspace().any_path(path)?;
            loop {
                // A directory whose snapshot is compacted away while it is summed up is summed up anew.
                if let Some(metadata) = self.stat_once(&path).await? {
                    return Ok(metadata);
                }
            }
        };
        operation("stat", path, stat).await
    }

    async fn stat_once(&self, path: &FilePath) -> Result<Option<Metadata>> {
        let below = self.keyspace().meta_below(path);
        let records = Op::Get(Get::range(below.clone()).with_limit(FIRST_RECORDS));
        let mut txn = Txn::new().then(records);
        if !path.is_root() {
            txn = txn.then(Op::Get(Get::key(self.keyspace().meta(path))));
        }
        let reply = self.backend().txn(txn).await.map_err(Error::of_read)?;
        let TxnOutcome::Matched(replies) = reply.outcome else { return Err(unexpected_reply()) };
        let mut found = gets(replies).into_iter();
        let GetReply { entries, more } = found.next().ok_or_else(unexpected_reply)?;

        if let Some(meta) = found.next().unwrap_or_default().entries.first() {
            return Metadata::of_entry(self.keyspace(), path.clone(), meta).map(Some);
        }
        if entries.is_empty() && !path.is_root() {
            return Err(Error::new(ErrorKind::NotFound));
        }
        let mut sum = Sum::default();
        for entry in &entries {
            sum.add(self.keyspace(), entry);
        }
        if let (true, Some(last)) = (more, entries.last()) {
            let rest = RangeRequest::new(below.starting_at(&last.key.successor()))
                .with_revision(reply.revision)
                .with_consistency(Consistency::Serializable);
            let mut rest = self.backend().scan(rest);
            loop {
                match rest.try_next().await {
                    Ok(Some(entry)) => sum.add(self.keyspace(), &entry),
                    Ok(None) => break,
                    Err(error) if is_compacted(&error) => return Ok(None),
                    Err(error) => return Err(Error::of_read(error)),
                }
            }
        }
        Ok(Some(sum.directory(path.clone())))
    }

    /// Whether files lay below a path at this revision, or with `None` whether they do now.
    pub(super) async fn has_files_below(
        &self,
        path: &FilePath,
        at: Option<Revision>,
    ) -> Result<bool, BackendError> {
        let mut request = RangeRequest::new(self.keyspace().meta_below(path))
            .with_projection(Projection::KeysOnly)
            .with_limit(ONE);
        if let Some(revision) = at {
            request = request.with_revision(revision).with_consistency(Consistency::Serializable);
        }
        // A page may be empty although more follow, so the first entry of a scan is what tells.
        Ok(self.backend().scan(request).try_next().await?.is_some())
    }
}

pub(super) fn is_compacted(error: &BackendError) -> bool {
    error.kind() == BackendErrorKind::Compacted
}

/// What the files of a directory add up to.
struct Sum {
    size: u64,
    modified: SystemTime,
    version: Version,
}

impl Default for Sum {
    fn default() -> Self {
        Self { size: 0, modified: SystemTime::UNIX_EPOCH, version: Version::new(Revision::ZERO) }
    }
}

impl Sum {
    fn add(&mut self, layout: &Layout, meta: &Entry) {
        let Some(path) = layout.file(&meta.key) else { return };
        // An unreadable record is that file's error.
        if let Ok(file) = Metadata::of_entry(layout, path, meta) {
            self.size = self.size.saturating_add(file.size);
            self.modified = self.modified.max(file.modified);
            self.version = self.version.max(file.version);
        }
    }

    fn directory(self, path: FilePath) -> Metadata {
        Metadata {
            path,
            kind: EntryKind::Directory,
            size: self.size,
            modified: self.modified,
            sha1: None,
            version: self.version,
        }
    }
}
