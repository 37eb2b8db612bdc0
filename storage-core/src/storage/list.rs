use std::fmt;
use std::future::ready;
use std::mem;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use super::list_options::{Depth, ListOptions, WithMetadata};
use super::list_walk::Walk;
use super::load::{gets, unexpected_reply};
use super::stat::is_compacted;
use super::{InContext, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::{
    BackendError, Consistency, Cursor, Entry, Get, GetReply, KeyRange, KvBackend, Op, Projection,
    RangeRequest, Revision, Txn, TxnOutcome,
};
use crate::metadata::{DirEntry, EntryKind, Metadata};
use crate::path::FilePath;

/// What [`Storage::list_stream`] yields.
#[derive(Debug)]
pub enum ListItem {
    /// The next entry.
    Entry(DirEntry),
    /// The revision that was being listed is no longer kept by the store. The listing starts over at a newer one: what
    /// was yielded so far is void.
    StartOver,
}

impl<B: KvBackend> Storage<B> {
    /// Lists a directory: its children or all its descendants, never itself, in the byte order of the whole path. All
    /// entries are of one revision. One round trip for the first thousand keys, and one for each further page.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NotADirectory`. A root with nothing in it is an empty list. A damaged metadata record is an error
    /// in its [entry](DirEntry::metadata), not of the listing. Keys below the prefix that no path is mapped to are
    /// passed over.
    pub async fn list(&self, path: &str, options: ListOptions) -> Result<Vec<DirEntry>> {
        let listed = async {
            let mut lister = Lister::new(self.clone(), self.keyspace().any_path(path)?, options);
            let mut entries = Vec::new();
            while let Some(step) = lister.next().await? {
                match step {
                    Step::Shown(mut page) if !entries.is_empty() => entries.append(&mut page),
                    Step::Shown(page) => entries = page,
                    Step::StartOver => entries.clear(),
                }
            }
            Ok(entries)
        };
        listed.await.in_context("list", path)
    }

    /// As [`list`](Self::list), as a stream. It holds one page while the next one is on its way. Its first error is its last
    /// item.
    pub fn list_stream(&self, path: &str, options: ListOptions) -> ListStream {
        let steps = match self.keyspace().any_path(path) {
            Ok(path) => {
                let lister = Lister::new(self.clone(), path, options);
                stream::try_unfold(lister, |mut lister| async move {
                    Ok(lister.next().await?.map(|step| (step, lister)))
                })
                .left_stream()
            }
            Err(error) => stream::iter([Err(error)]).right_stream(),
        };
        let path = path.to_owned();
        let items = steps.flat_map(move |step| {
            let (entries, other) = match step.in_context("list", path.as_str()) {
                Ok(Step::Shown(entries)) => (entries, None),
                Ok(Step::StartOver) => (Vec::new(), Some(Ok(ListItem::StartOver))),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            stream::iter(entries.into_iter().map(|entry| Ok(ListItem::Entry(entry))).chain(other))
        });
        ListStream(items.boxed())
    }
}

/// The items of a listing. See [`Storage::list_stream`].
pub struct ListStream(BoxStream<'static, Result<ListItem>>);

impl Stream for ListStream {
    type Item = Result<ListItem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ListStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListStream").finish_non_exhaustive()
    }
}

/// How large the first page is. It comes with the answer to whether there is such a directory at all.
const FIRST_PAGE: u32 = 1_000;
/// How large a page is behind one that lay in a single child directory, whose other files are passed over.
const PASSING_PAGE: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
/// Each new start takes a larger first page, so that a listing comes to its end under any rate of compaction.
const GROWTH: u32 = 4;
const LARGEST_FIRST_PAGE: u32 = 256_000;
const MOST_STARTS: u32 = 16;
/// How many directories are asked after at the same time.
const PROBES: usize = 16;

/// A listing under way.
struct Lister<B> {
    storage: Storage<B>,
    path: FilePath,
    options: ListOptions,
    walk: Walk,
    place: Place,
    starts: u32,
}

/// What a listing does next.
enum Step {
    /// These are the next entries.
    Shown(Vec<DirEntry>),
    /// What was shown so far is void.
    StartOver,
}

/// Where a listing stands.
enum Place {
    Start,
    /// The next page is on its way.
    Before(BoxFuture<'static, Result<Page, PageError>>),
    End,
}

/// A page of metadata keys, and where the next one begins.
struct Page {
    revision: Revision,
    entries: Vec<Entry>,
    next: Option<Cursor>,
}

/// Why a page could not be had: the snapshot is gone, or a real error.
enum PageError {
    Compacted,
    Failed(Error),
}

impl From<BackendError> for PageError {
    fn from(error: BackendError) -> Self {
        if is_compacted(&error) { Self::Compacted } else { Self::Failed(Error::of_read(error)) }
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<B: KvBackend> Lister<B> {
    fn new(storage: Storage<B>, path: FilePath, options: ListOptions) -> Self {
        let walk = Walk::new(&path, options.depth);
        Self { storage, path, options, walk, place: Place::Start, starts: 1 }
    }

    async fn next(&mut self) -> Result<Option<Step>> {
        match self.next_page().await {
            Ok(entries) => Ok(entries.map(Step::Shown)),
            Err(PageError::Failed(error)) => Err(error),
            Err(PageError::Compacted) if self.starts < MOST_STARTS => {
                self.starts += 1;
                self.place = Place::Start;
                self.walk = Walk::new(&self.path, self.options.depth);
                Ok(Some(Step::StartOver))
            }
            Err(PageError::Compacted) => Err(Error::new(ErrorKind::Unavailable)
                .with_detail(format!("the store compacted away what was being listed {MOST_STARTS} times"))),
        }
    }

    async fn next_page(&mut self) -> Result<Option<Vec<DirEntry>>, PageError> {
        let page = match mem::replace(&mut self.place, Place::End) {
            Place::Start => self.first_page().await?,
            Place::Before(page) => page.await?,
            Place::End => return Ok(None),
        };
        // The store makes the next page while this one is looked at.
        self.place = self.place_after(&page);
        let mut shown = Vec::with_capacity(page.entries.len());
        let layout = self.storage.keyspace();
        for entry in &page.entries {
            let Some(file) = layout.file_name(&entry.key) else { continue };
            self.walk.visit(file, |path, kind| {
                let path = FilePath::known(path);
                let wanted = kind == EntryKind::File && self.options.metadata == WithMetadata::Yes;
                let metadata = wanted.then(|| Metadata::of_entry(layout, path.clone(), entry));
                shown.push(DirEntry { path, kind, metadata });
            });
        }
        if page.next.is_some() {
            shown.extend(self.directories_ahead(page.revision).await?);
        }
        shown.sort_by(|a, b| a.path.cmp(&b.path));
        shown.retain(|entry| self.options.shows(entry));
        Ok(Some(shown))
    }

    /// Asks for the first page, and in the same transaction whether the path is a directory.
    async fn first_page(&mut self) -> Result<Page, PageError> {
        let limit = FIRST_PAGE.saturating_mul(GROWTH.saturating_pow(self.starts - 1)).min(LARGEST_FIRST_PAGE);
        let limit = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MAX);
        let below = Get::range(self.range()).with_limit(limit).with_projection(self.projection());
        let mut txn = Txn::new().then(Op::Get(below));
        if !self.path.is_root() {
            let itself = Get::key(self.storage.keyspace().meta(&self.path));
            txn = txn.then(Op::Get(itself.with_projection(Projection::KeysOnly)));
        }
        let reply = self.storage.backend().txn(txn).await?;
        let TxnOutcome::Matched(replies) = reply.outcome else { return Err(unexpected_reply().into()) };
        let mut found = gets(replies).into_iter();
        let GetReply { entries, more } = found.next().ok_or_else(unexpected_reply)?;
        if entries.is_empty() && !self.path.is_root() {
            let is_file = !found.next().unwrap_or_default().entries.is_empty();
            let kind = if is_file { ErrorKind::NotADirectory } else { ErrorKind::NotFound };
            return Err(Error::new(kind).into());
        }
        let next = entries.last().filter(|_| more).map(|last| Cursor::at(last.key.successor()));
        Ok(Page { revision: reply.revision, entries, next })
    }

    /// Asks for a further page. The request is under way when this returns.
    fn page_at(
        &self,
        revision: Revision,
        cursor: Cursor,
        limit: Option<NonZeroU32>,
    ) -> BoxFuture<'static, Result<Page, PageError>> {
        let mut request = RangeRequest::new(self.range())
            .with_cursor(cursor)
            .with_revision(revision)
            .with_consistency(Consistency::Serializable)
            .with_projection(self.projection());
        if let Some(limit) = limit {
            request = request.with_limit(limit);
        }
        let storage = self.storage.clone();
        let mut page = async move {
            let page = storage.backend().range(request).await?;
            Ok(Page { revision, entries: page.entries, next: page.next })
        }
        .boxed();
        match (&mut page).now_or_never() {
            Some(page) => ready(page).boxed(),
            None => page,
        }
    }

    /// The directories that belong among what has been shown although their files come on later pages.
    async fn directories_ahead(&mut self, revision: Revision) -> Result<Vec<DirEntry>, PageError> {
        let undecided = if self.options.shows_directories() { self.walk.undecided() } else { Vec::new() };
        let storage = &self.storage;
        let decided: Vec<(FilePath, bool)> = stream::iter(undecided)
            .map(|path| async move {
                let exists = storage.has_files_below(&path, Some(revision)).await?;
                Ok::<_, BackendError>((path, exists))
            })
            .buffered(PROBES)
            .try_collect()
            .await?;
        self.walk.decide(&decided);
        let ahead = decided.into_iter().filter(|(_, exists)| *exists);
        Ok(ahead.map(|(path, _)| DirEntry { path, kind: EntryKind::Directory, metadata: None }).collect())
    }

    /// Where to go on: a listing of children has seen enough of a child directory after its first page.
    fn place_after(&self, page: &Page) -> Place {
        let Some(mut cursor) = page.next.clone() else { return Place::End };
        let mut limit = None;
        if self.options.depth == Depth::Children
            && let Some(last) = self.child_directory(page.entries.iter().rev())
            && let Some(behind) = self.storage.keyspace().meta_below(&last).end()
            && cursor.key < *behind
        {
            cursor.key = behind.clone();
            // The next one may be as large.
            let is_all = self.child_directory(page.entries.iter()).as_ref() == Some(&last);
            limit = is_all.then_some(PASSING_PAGE);
        }
        if self.range().starting_at(&cursor.key).is_empty() {
            Place::End
        } else {
            Place::Before(self.page_at(page.revision, cursor, limit))
        }
    }

    /// The child directory in which the first of these files lies.
    fn child_directory<'e>(&self, mut entries: impl Iterator<Item = &'e Entry>) -> Option<FilePath> {
        let layout = self.storage.keyspace();
        self.walk.child_directory(entries.find_map(|entry| layout.file_name(&entry.key))?)
    }

    fn range(&self) -> KeyRange {
        self.storage.keyspace().meta_below(&self.path)
    }

    fn projection(&self) -> Projection {
        match self.options.metadata {
            WithMetadata::Yes => Projection::KeysAndValues,
            WithMetadata::No => Projection::KeysOnly,
        }
    }
}
