use std::time::SystemTime;

use bytes::Bytes;

use super::check::Check;
use super::write::{Write, Written};
use super::{Replaces, Storage, StoreOptions, Trace};
use crate::environment::Surroundings;
use crate::error::Result;
use crate::kv::{Get, KvBackend, Op, Revision};
use crate::layout::Layout;
use crate::metadata::{EntryKind, File, Metadata, Version};
use crate::observe::operation;
use crate::path::FilePath;
use crate::record::{Record, WriteId};

/// What [`Storage::load_or_store`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadOrStore {
    /// The file was there: this is it.
    Loaded(File),
    /// There was none: the caller's content is now the file.
    Stored(File),
}

impl LoadOrStore {
    /// The file that is now in the tree, whoever stored it.
    pub fn into_file(self) -> File {
        match self {
            Self::Loaded(file) | Self::Stored(file) => file,
        }
    }
}

impl<B: KvBackend> Storage<B> {
    /// Stores a file: makes it, or replaces it. One round trip, and another one if a file or a directory is in its place.
    ///
    /// # Errors
    ///
    /// `IsADirectory` when files lie below the path, `NotADirectory` when a file lies above it (the error names it),
    /// `InvalidPath` also for the root. `TooLarge` names the limit; nothing is sent then.
    pub async fn store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        operation("store", path, self.store_under(Vec::new(), path, content.into())).await
    }

    /// Stores a file as [`store`](Self::store) does, with more to say about it. One round trip.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use storage_core::kv::KvBackend;
    /// # use storage_core::{Result, Storage, StoreOptions};
    /// # async fn copy<B: KvBackend>(storage: Storage<B>) -> Result<()> {
    /// let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let options = StoreOptions::new().with_modified(written);
    /// storage.store_with("sites/example.com/cert.pem", "…", options).await?;
    /// assert_eq!(storage.stat("sites/example.com/cert.pem").await?.modified, written);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`store`](Self::store), and with [`Replaces`] those of [`create`](Self::create) or of
    /// [`store_if`](Self::store_if).
    pub async fn store_with(
        &self,
        path: &str,
        content: impl Into<Bytes> + Send,
        options: StoreOptions,
    ) -> Result<Metadata> {
        let stored = async {
            let path = self.keyspace().file_path(path)?;
            let file = NewFile::of(self.surroundings(), path, content.into(), &options);
            self.store_new(options.replaces.checks(&file.path), file).await
        };
        operation("store", path, stored).await
    }

    /// Stores a file if what is given holds as well.
    pub(crate) async fn store_under(
        &self,
        mut fence: Vec<Check>,
        path: &str,
        content: Bytes,
    ) -> Result<Metadata> {
        let file = NewFile::now(self.surroundings(), self.keyspace().file_path(path)?, content);
        fence.extend(Replaces::Anything.checks(&file.path));
        self.store_new(fence, file).await
    }

    /// Stores a file that does not exist yet. One round trip.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when it does, and those of [`store`](Self::store).
    pub async fn create(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<Metadata> {
        let created = async {
            let file = NewFile::now(self.surroundings(), self.keyspace().file_path(path)?, content.into());
            self.store_new(Replaces::Nothing.checks(&file.path), file).await
        };
        operation("create", path, created).await
    }

    /// Replaces a file if it still is the one of this version (see [`Metadata::version`]). One round trip.
    ///
    /// # Errors
    ///
    /// `Conflict` when it was written since, `NotFound` when it is gone, and those of [`store`](Self::store).
    pub async fn store_if(
        &self,
        path: &str,
        content: impl Into<Bytes> + Send,
        version: Version,
    ) -> Result<Metadata> {
        let stored = async {
            let file = NewFile::now(self.surroundings(), self.keyspace().file_path(path)?, content.into());
            self.store_new(Replaces::Version(version).checks(&file.path), file).await
        };
        operation("store_if", path, stored).await
    }

    /// Loads a file, or stores it if there is none: of all who call it the first one's content becomes the file, and
    /// everybody gets that. So the members of a cluster share a bootstrap file. One round trip.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Self::store), and `ChecksumMismatch` or `Corrupt` when the file is there but damaged.
    pub async fn load_or_store(&self, path: &str, content: impl Into<Bytes> + Send) -> Result<LoadOrStore> {
        let both = async {
            let file = NewFile::now(self.surroundings(), self.keyspace().file_path(path)?, content.into());
            let (puts, trace) = file.puts(self.keyspace());
            let write = Write {
                checks: Replaces::Nothing.checks(&file.path),
                ops: puts.into(),
                otherwise: vec![
                    Get::key(self.keyspace().meta(&file.path)),
                    Get::key(self.keyspace().data(&file.path)),
                ],
                trace,
            };
            match self.write(write).await? {
                Written::Done(revision, _) => Ok(LoadOrStore::Stored(file.stored_at(revision))),
                Written::Refused(refusal, found) => {
                    let mut entries = found.into_iter().map(|get| get.entries.into_iter().next());
                    match (entries.next().flatten(), entries.next().flatten()) {
                        (Some(meta), data) => {
                            Ok(LoadOrStore::Loaded(File::verified(self.keyspace(), file.path, &meta, data)?))
                        }
                        (None, _) => Err(refusal),
                    }
                }
            }
        };
        operation("load_or_store", path, both).await
    }

    async fn store_new(&self, checks: Vec<Check>, file: NewFile) -> Result<Metadata> {
        let (puts, trace) = file.puts(self.keyspace());
        let write = Write { checks, ops: puts.into(), trace, ..Write::default() };
        let (revision, _) = self.write_or_refuse(write).await?;
        Ok(file.stored_at(revision).metadata)
    }
}

/// A file about to be written.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(super) path: FilePath,
    content: Bytes,
    record: Record,
}

impl NewFile {
    pub(super) fn now(surroundings: &Surroundings, path: FilePath, content: Bytes) -> Self {
        Self::of(surroundings, path, content, &StoreOptions::new())
    }

    fn of(surroundings: &Surroundings, path: FilePath, content: Bytes, options: &StoreOptions) -> Self {
        let given = options.modified.filter(|modified| Record::holds(*modified));
        Self::written_at(surroundings, path, content, given.unwrap_or_else(|| surroundings.wall_clock()))
    }

    fn written_at(surroundings: &Surroundings, path: FilePath, content: Bytes, modified: SystemTime) -> Self {
        let record = Record::of(&content, modified, WriteId::random(surroundings));
        Self { path, content, record }
    }

    /// The same content under another path, with the time at which it was written.
    pub(super) fn moved(surroundings: &Surroundings, file: &File, path: FilePath) -> Self {
        Self::written_at(surroundings, path, file.content.clone(), file.metadata.modified)
    }

    pub(super) fn write_id(&self) -> WriteId {
        self.record.write
    }

    /// What puts it, and how it can be told later whether that was applied.
    pub(super) fn puts(&self, layout: &Layout) -> ([Op; 2], Trace) {
        let (data, content) = (layout.data(&self.path), layout.encode_content(&self.content));
        let (meta, record) = (layout.meta(&self.path), layout.encode_record(&self.path, &self.record));
        let trace = Trace::File { meta: meta.clone(), record: record.clone() };
        let puts = [(data, content), (meta, record)];
        (puts.map(|(key, value)| Op::Put { key, value, lease: None }), trace)
    }

    pub(super) fn stored_at(self, revision: Revision) -> File {
        let metadata = Metadata {
            path: self.path,
            kind: EntryKind::File,
            size: self.record.size,
            modified: self.record.modified,
            sha1: Some(self.record.sha1),
            version: Version::new(revision),
        };
        File { content: self.content, metadata }
    }
}
