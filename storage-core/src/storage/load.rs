use bytes::Bytes;

use super::check::ONE;
use super::stat::is_compacted;
use super::{InContext, Storage};
use crate::checksum::Sha1Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{Entry, Get, GetReply, KvBackend, Op, OpReply, Projection, Revision, Txn, TxnOutcome};
use crate::layout::Layout;
use crate::metadata::{EntryKind, File, Metadata, Version};
use crate::observe::operation;
use crate::path::FilePath;
use crate::record::{Facts, RecordError};

impl<B: KvBackend> Storage<B> {
    /// Loads a file's content, verified against its checksum. One round trip.
    ///
    /// # Errors
    ///
    /// `NotFound`; `IsADirectory`, also for the root; `ChecksumMismatch` when the content is not the one that was
    /// stored, `Corrupt` when its metadata is damaged or missing, `Unsupported` when it is of a later version.
    pub async fn load(&self, path: &str) -> Result<Bytes> {
        Ok(self.load_file(path).await?.content)
    }

    /// Loads a file with its metadata, both of one snapshot. One round trip.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub async fn load_file(&self, path: &str) -> Result<File> {
        operation("load", path, self.load_parsed(path)).await
    }

    pub(super) async fn load_parsed(&self, path: &str) -> Result<File> {
        let path = self.keyspace().any_path(path)?;
        if path.is_root() {
            return Err(Error::new(ErrorKind::IsADirectory));
        }
        let below = Get::range(self.keyspace().meta_below(&path)).with_limit(ONE);
        let txn = Txn::new()
            .then(Op::Get(Get::key(self.keyspace().data(&path))))
            .then(Op::Get(Get::key(self.keyspace().meta(&path))))
            .then(Op::Get(below.with_projection(Projection::KeysOnly)));
        let [data, meta, below] = self.read(txn).await?;
        match (meta.into_iter().next(), data.into_iter().next()) {
            (Some(meta), data) => File::verified(self.keyspace(), path, &meta, data),
            (None, Some(_)) => Err(content_alone()),
            (None, None) if below.is_empty() => Err(Error::new(ErrorKind::NotFound)),
            (None, None) => Err(Error::new(ErrorKind::IsADirectory)),
        }
    }

    /// Loads several files of one snapshot, in one round trip: an answer for each path, in order. A file that is
    /// missing or damaged is its own answer's error and does not disturb the others.
    ///
    /// When some are missing, another call finds out which of those are directories.
    ///
    /// # Errors
    ///
    /// `InvalidPath` also for the root. `TooLarge` for more files than a transaction can read; nothing is sent then.
    pub async fn load_many<P: AsRef<str>>(
        &self,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Vec<Result<File>>> {
        let paths: Result<Vec<FilePath>> =
            paths.into_iter().map(|path| self.keyspace().file_path(path.as_ref())).collect();
        operation("load_many", None, async { self.load_group(&paths?).await }).await
    }

    async fn load_group(&self, paths: &[FilePath]) -> Result<Vec<Result<File>>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let mut txn = Txn::new();
        for path in paths {
            txn = txn.then(Op::Get(Get::key(self.keyspace().data(path))));
            txn = txn.then(Op::Get(Get::key(self.keyspace().meta(path))));
        }
        self.check_size(&txn)?;
        let reply = self.backend().txn(txn).await.map_err(Error::of_read)?;
        self.note(reply.revision);
        let TxnOutcome::Matched(replies) = reply.outcome else { return Err(unexpected_reply()) };
        let mut found = gets(replies).into_iter().map(|get| get.entries.into_iter().next());
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let (data, meta) = (found.next().flatten(), found.next().flatten());
            let file = match (meta, data) {
                (Some(meta), data) => File::verified(self.keyspace(), path.clone(), &meta, data),
                (None, Some(_)) => Err(content_alone()),
                (None, None) => Err(self.why_missing(path, reply.revision).await?),
            };
            files.push(file.in_context("load", path.as_str()));
        }
        Ok(files)
    }

    /// The error for a path that is no file at this revision: is it a directory?
    async fn why_missing(&self, path: &FilePath, at: Revision) -> Result<Error> {
        let below = match self.has_files_below(path, Some(at)).await {
            Err(error) if is_compacted(&error) => self.has_files_below(path, None).await,
            below => below,
        };
        let is_directory = below.map_err(Error::of_read)?;
        Ok(Error::new(if is_directory { ErrorKind::IsADirectory } else { ErrorKind::NotFound }))
    }

    /// Runs a transaction of `N` reads.
    pub(super) async fn read<const N: usize>(&self, txn: Txn) -> Result<[Vec<Entry>; N]> {
        self.read_all(txn).await?.try_into().map_err(|_| unexpected_reply())
    }

    /// Runs a transaction of reads: an answer for each.
    pub(super) async fn read_all(&self, txn: Txn) -> Result<Vec<Vec<Entry>>> {
        let asked = txn.success.len();
        let reply = self.backend().txn(txn).await.map_err(Error::of_read)?;
        self.note(reply.revision);
        let TxnOutcome::Matched(replies) = reply.outcome else { return Err(unexpected_reply()) };
        let entries: Vec<_> = gets(replies).into_iter().map(|get| get.entries).collect();
        if entries.len() == asked { Ok(entries) } else { Err(unexpected_reply()) }
    }
}

/// The reads among a transaction's answers.
pub(super) fn gets(replies: Vec<OpReply>) -> Vec<GetReply> {
    replies
        .into_iter()
        .filter_map(|reply| match reply {
            OpReply::Get(get) => Some(get),
            OpReply::Put | OpReply::Deleted(_) => None,
        })
        .collect()
}

fn content_alone() -> Error {
    Error::new(ErrorKind::Corrupt).with_detail("there is content without metadata")
}

pub(crate) fn unexpected_reply() -> Error {
    Error::new(ErrorKind::Internal).with_detail("the store answered other than it was asked")
}

impl File {
    /// The file of these two entries, if they belong together.
    pub(super) fn verified(
        layout: &Layout,
        path: FilePath,
        meta: &Entry,
        data: Option<Entry>,
    ) -> Result<Self> {
        let metadata = Metadata::of_entry(layout, path, meta)?;
        let Some(data) = data else {
            return Err(Error::new(ErrorKind::Corrupt).with_detail("there is metadata without content"));
        };
        let Some(content) = layout.decode_content(data.value) else {
            return Err(Error::new(ErrorKind::ChecksumMismatch).with_detail("it is no base64"));
        };
        if metadata.size != content.len() as u64 {
            let detail = format!("{} bytes, {} were stored", content.len(), metadata.size);
            return Err(Error::new(ErrorKind::ChecksumMismatch).with_detail(detail));
        }
        if metadata.sha1 != Some(Sha1Digest::of(&content)) {
            return Err(Error::new(ErrorKind::ChecksumMismatch));
        }
        Ok(Self { content, metadata })
    }
}

impl Metadata {
    /// The metadata in this entry.
    pub(crate) fn of_entry(layout: &Layout, path: FilePath, meta: &Entry) -> Result<Self> {
        let facts = layout.decode_record(&meta.value).map_err(|error| {
            let kind = match error {
                RecordError::Later(_) => ErrorKind::Unsupported,
                RecordError::Field(_) | RecordError::NotBase64 | RecordError::Json(_) => ErrorKind::Corrupt,
            };
            Error::new(kind).with_path(&path).with_source(error)
        })?;
        Ok(Self::of_facts(path, &facts, meta.mod_revision))
    }

    /// The metadata of a file whose record says this and was put at this revision.
    pub(crate) fn of_facts(path: FilePath, facts: &Facts, revision: Revision) -> Self {
        Self {
            path,
            kind: EntryKind::File,
            size: facts.size,
            modified: facts.modified,
            sha1: Some(facts.sha1),
            version: Version::new(revision),
        }
    }
}
