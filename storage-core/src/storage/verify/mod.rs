//! Verifying a tree: every file with its content, and every key below the prefix.

mod files;
mod judge;
mod others;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};

use self::files::Files;
use self::others::{Others, Subject};
use super::stat::is_compacted;
use super::{InContext, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, Consistency, Cursor, KeyRange, KvBackend, Projection, RangePage, RangeRequest, Revision,
};
use crate::path::FilePath;
use crate::problem::VerifyItem;

/// How a tree is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// About how many bytes of content are held in memory at a time; a file that is larger is held alone. Default: 4 MiB.
    pub buffer_bytes: usize,
}

impl VerifyOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// These options with about so many bytes of content in memory.
    pub fn with_buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { buffer_bytes: 4 * 1024 * 1024 }
    }
}

impl<B: KvBackend> Storage<B> {
    /// Verifies a file, or all that lies below a directory: reads every content and metadata record, and tells of each file
    /// that it is whole or what is wrong with it, in the byte order of paths. Nothing is changed.
    ///
    /// At the root the other keys below the prefix are looked at too: whether the records of locks, sessions and deletions
    /// can be read, and which keys are of no part of the tree. What is in the quarantine is not looked at.
    ///
    /// Everything is read at one revision, a page at a time. If the store compacts that revision away meanwhile, the rest
    /// is read at a newer one, from where it was: nothing has to be read again, and each file is still judged by what
    /// two of its keys held at one revision. A file that is damaged at that revision is read once more before it is told
    /// of, so what somebody has replaced, moved or deleted meanwhile is no problem. Of a path that is both file and
    /// directory it is told when the first file below it is come to.
    ///
    /// The stream holds one page at a time. Its first error is its last item. Dropping it is safe.
    ///
    /// # Errors
    ///
    /// `NotFound` when nothing is at or below the path. An empty root is whole.
    #[expect(clippy::needless_pass_by_value, reason = "options are given away, as everywhere")]
    pub fn verify(&self, path: &str, options: VerifyOptions) -> VerifyStream {
        let pages = match self.keyspace().any_path(path) {
            Ok(path) => {
                let verifier = Verifier::new(self.clone(), path, options.buffer_bytes);
                stream::try_unfold(verifier, |mut verifier| async move {
                    Ok(verifier.next_items().await?.map(|items| (items, verifier)))
                })
                .left_stream()
            }
            Err(error) => stream::iter([Err(error)]).right_stream(),
        };
        let path = path.to_owned();
        let items = pages.flat_map(move |page| match page.in_context("verify", path.as_str()) {
            Ok(items) => stream::iter(items).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        VerifyStream(items.boxed())
    }
}

/// What is found in a tree. See [`Storage::verify`].
pub struct VerifyStream(BoxStream<'static, Result<VerifyItem>>);

impl Stream for VerifyStream {
    type Item = Result<VerifyItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for VerifyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyStream").finish_non_exhaustive()
    }
}

/// How often in a row a page may be compacted away before it is read.
const MOST_STARTS: u32 = 16;

/// A verification under way.
struct Verifier<B> {
    snapshot: Snapshot<B>,
    path: FilePath,
    /// What is still to be looked at.
    stages: VecDeque<Stage>,
    found_anything: bool,
    starts: u32,
}

enum Stage {
    Files(Files),
    Others(Others),
}

/// What a step has come to.
struct Step {
    items: Vec<VerifyItem>,
    /// Whether there was any key, though it may be gone by now.
    found_keys: bool,
    is_last: bool,
}

/// Why a step did not succeed: the snapshot is gone, or a real error.
enum StepError {
    Compacted,
    Failed(Error),
}

impl From<BackendError> for StepError {
    fn from(error: BackendError) -> Self {
        if is_compacted(&error) { Self::Compacted } else { Self::Failed(Error::of_read(error)) }
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<B: KvBackend> Verifier<B> {
    fn new(storage: Storage<B>, path: FilePath, buffer_bytes: usize) -> Self {
        let layout = storage.keyspace();
        let mut files = Files::new(buffer_bytes, storage.backend().limits().max_value_bytes);
        let mut stages = VecDeque::new();
        if path.is_root() {
            files.look_below(layout, &path);
            stages.push_back(Stage::Files(files));
            stages.extend(
                Subject::all(layout).map(|(subject, range)| Stage::Others(Others::new(subject, range))),
            );
        } else {
            files.look_at(layout, &path);
            files.look_below(layout, &path);
            stages.push_back(Stage::Files(files));
        }
        let snapshot = Snapshot { storage, at: None };
        Self { snapshot, path, stages, found_anything: false, starts: 1 }
    }

    async fn next_items(&mut self) -> Result<Option<Vec<VerifyItem>>> {
        while let Some(stage) = self.stages.front_mut() {
            let step = match stage {
                Stage::Files(files) => files.step(&mut self.snapshot).await,
                Stage::Others(others) => others.step(&mut self.snapshot).await,
            };
            match step {
                Ok(Step { items, found_keys, is_last }) => {
                    self.starts = 1;
                    self.found_anything |= found_keys;
                    if is_last {
                        self.stages.pop_front();
                    }
                    if !items.is_empty() {
                        return Ok(Some(items));
                    }
                }
                Err(StepError::Failed(error)) => return Err(error),
                Err(StepError::Compacted) if self.starts < MOST_STARTS => {
                    self.starts += 1;
                    self.snapshot.at = None;
                    if let Stage::Files(files) = stage {
                        files.forget_pages(self.snapshot.storage.keyspace());
                    }
                }
                Err(StepError::Compacted) => {
                    return Err(Error::new(ErrorKind::Unavailable).with_detail(format!(
                        "the store compacted away what was being verified {MOST_STARTS} times"
                    )));
                }
            }
        }
        if self.found_anything || self.path.is_root() {
            Ok(None)
        } else {
            Err(Error::new(ErrorKind::NotFound))
        }
    }
}

/// The state of the store that is looked at.
struct Snapshot<B> {
    storage: Storage<B>,
    /// Its revision, once the first page was read.
    at: Option<Revision>,
}

impl<B: KvBackend> Snapshot<B> {
    async fn page(
        &mut self,
        range: &KeyRange,
        cursor: Option<&Cursor>,
        limit: u32,
        projection: Projection,
    ) -> Result<RangePage, BackendError> {
        let limit = std::num::NonZeroU32::new(limit).unwrap_or(super::check::ONE);
        let mut request = RangeRequest::new(range.clone()).with_limit(limit).with_projection(projection);
        if let Some(cursor) = cursor {
            request = request.with_cursor(cursor.clone());
        }
        if let Some(at) = self.at {
            request = request.with_revision(at).with_consistency(Consistency::Serializable);
        }
        let page = self.storage.backend().range(request).await?;
        self.at = Some(page.revision);
        Ok(page)
    }
}
