//! Everything that lies in a tree, also what no path leads to: for who takes a tree over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;

use super::Storage;
use super::stat::is_compacted;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, Entry, Get, Key, KeyRange, KvBackend, KvBackendExt, Op, Projection, RangeRequest, Revision,
    Txn,
};
use crate::metadata::Metadata;
use crate::observe::operation;
use crate::path::FilePath;
use crate::record::RecordError;

/// What [`Storage::survey`] has found, all of one revision.
#[derive(Debug)]
#[non_exhaustive]
pub struct Survey {
    /// The revision.
    pub revision: Revision,
    /// The files that can be loaded by their path, as far as that can be told without their contents. By path.
    pub files: Vec<Metadata>,
    /// Everything else, by name.
    pub findings: Vec<Finding>,
}

/// Something in a tree that is not simply a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The name as the keys spell it; what is no UTF-8 in it is replaced.
    pub name: String,
    /// What is wrong with it.
    pub kind: FindingKind,
    /// The name, byte for byte.
    spelling: Bytes,
}

/// What is wrong with something in a tree.
#[derive(Debug)]
#[non_exhaustive]
pub enum FindingKind {
    /// It is a file whose name cannot be a path here: why not. [`Storage::load_finding`] loads it.
    NoPath(Error),
    /// It is a file, and files lie below it. It can be loaded by its path, which is listed as file and as directory.
    FileAndDirectory,
    /// It is a file that was stored by another name, which is no path: it has empty components or ends in a slash. It can
    /// be loaded by its path.
    StoredAs(String),
    /// Its metadata cannot be read.
    Damaged(Error),
    /// It has metadata, and no content.
    NoContent,
    /// It has a content, and no metadata. It may never have been a file.
    NoMetadata,
}

impl Finding {
    /// The path by which it can be loaded all the same, if it can.
    pub fn path(&self) -> Option<FilePath> {
        let is_loadable = matches!(self.kind, FindingKind::FileAndDirectory | FindingKind::StoredAs(_));
        FilePath::parse(&self.name).ok().filter(|_| is_loadable)
    }
}

impl<B: KvBackend> Storage<B> {
    /// Looks at everything that lies in the tree, damaged and foreign things included, without moving any content. For who
    /// takes a tree over and must lose nothing; for anything else [`list`](Self::list) is the way.
    ///
    /// A file is in [`files`](Survey::files), or among the [`findings`](Survey::findings), or, if it can be loaded all the
    /// same, in both. Holds all metadata in memory. Two listings of the whole tree.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the store gives up its history faster than the tree can be read.
    pub async fn survey(&self) -> Result<Survey> {
        operation("survey", None, async {
            const MOST_STARTS: u32 = 8;
            for _ in 0..MOST_STARTS {
                match self.survey_once().await {
                    Err(error) if is_compacted(&error) => {}
                    surveyed => return surveyed.map_err(Error::of_read),
                }
            }
            let detail = format!("the store compacted away what was being read {MOST_STARTS} times");
            Err(Error::new(ErrorKind::Unavailable).with_detail(detail))
        })
        .await
    }

    /// Loads a file whose name is no path here, verified: its content, and the time at which it was written.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub async fn load_finding(&self, finding: &Finding) -> Result<(Bytes, SystemTime)> {
        let loaded = async {
            let [data, meta] = self.keyspace().keys_of_spelling(&finding.spelling).map(Get::key).map(Op::Get);
            let [data, meta] = self.read(Txn::new().then(data).then(meta)).await?;
            let Some(meta) = meta.first() else { return Err(Error::new(ErrorKind::NotFound)) };
            // The path is for errors only, which name the finding.
            let file = crate::metadata::File::verified(
                self.keyspace(),
                FilePath::root(),
                meta,
                data.into_iter().next(),
            )?;
            Ok((file.content, file.metadata.modified))
        };
        operation("load", finding.name.as_str(), loaded).await
    }

    async fn survey_once(&self) -> Result<Survey, BackendError> {
        let layout = self.keyspace();
        let first = self.backend().range(RangeRequest::new(KeyRange::single(layout.format()))).await?;
        self.note(first.revision);
        let at = first.revision;
        let metadata =
            self.scan_at(layout.meta_below(&FilePath::root()), at, Projection::KeysAndValues).await?;
        let mut contents = BTreeSet::new();
        for range in layout.data_below(&FilePath::root()) {
            for entry in self.scan_at(range, at, Projection::KeysOnly).await? {
                contents.insert(entry.key);
            }
        }
        Ok(self.judge(at, metadata, contents))
    }

    async fn scan_at(
        &self,
        range: KeyRange,
        at: Revision,
        projection: Projection,
    ) -> Result<Vec<Entry>, BackendError> {
        let request = RangeRequest::new(range).with_revision(at).with_projection(projection);
        self.backend().scan(request).try_collect().await
    }

    fn judge(&self, revision: Revision, metadata: Vec<Entry>, mut contents: BTreeSet<Key>) -> Survey {
        let layout = self.keyspace();
        let all: BTreeMap<Key, Entry> =
            metadata.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        let (mut files, mut findings) = (Vec::new(), Vec::new());
        for entry in all.values() {
            let Some(spelling) = layout.spelling_bytes(&entry.key) else { continue };
            let [data, meta] = layout.keys_of_spelling(&spelling);
            // Contents of names that are no paths may lie among the metadata.
            let has_content = contents.remove(&data) || all.contains_key(&data);
            let mut find = |kind| {
                let name = String::from_utf8_lossy(&spelling).into_owned();
                findings.push(Finding { name, kind, spelling: spelling.clone() });
            };
            let damaged = |error: RecordError| Error::new(ErrorKind::Corrupt).with_source(error);
            let record = layout.decode_record(&entry.value).map_err(damaged);
            // What is no record may be the content of a file whose name is no path.
            if record.is_err() && !has_content && all.contains_key(&layout.meta_of_content(&meta)) {
                continue;
            }
            let Some(path) = layout.file(&entry.key) else {
                find(match (record, layout.why_no_file(&spelling)) {
                    (Ok(_), Some(why)) => FindingKind::NoPath(why),
                    (Err(error), _) => FindingKind::Damaged(error),
                    (Ok(_), None) => continue,
                });
                continue;
            };
            match Metadata::of_entry(layout, path.clone(), entry) {
                Err(error) => find(FindingKind::Damaged(error)),
                Ok(_) if !has_content => find(FindingKind::NoContent),
                Ok(metadata) => {
                    let below = layout.meta_below(&path);
                    if all.range(below.start().clone()..).next().is_some_and(|(key, _)| below.contains(key)) {
                        find(FindingKind::FileAndDirectory);
                    }
                    if let Some(name) = layout.stored_as(&path, &entry.value) {
                        find(FindingKind::StoredAs(name));
                    }
                    files.push(metadata);
                }
            }
        }
        for key in contents {
            let Some(spelling) = layout.content_spelling(&key) else { continue };
            let name = String::from_utf8_lossy(&spelling).into_owned();
            findings.push(Finding { name, kind: FindingKind::NoMetadata, spelling });
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        findings.sort_by(|one, other| one.spelling.cmp(&other.spelling));
        Survey { revision, files, findings }
    }
}
