use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::event::{Change, WatchEvent};
use super::hub::{Hub, Message, files};
use crate::error::{Error, Result};
use crate::kv::{BackendError, BackendErrorKind, Revision, WatchBatch, WatchStream};
use crate::path::FilePath;
use crate::retry::Backoff;

/// The changes of a path and of what is below it. See [`Storage::watch`](crate::Storage::watch).
///
/// Its first error is its last item. Dropping it ends the watch.
pub struct ChangeStream(BoxStream<'static, Result<WatchEvent>>);

impl Stream for ChangeStream {
    type Item = Result<WatchEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ChangeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeStream").finish_non_exhaustive()
    }
}

/// Where a consumer is.
pub(super) struct Following {
    hub: Arc<Hub>,
    live: Receiver<Message>,
    path: FilePath,
    /// Everything up to here is known to the consumer or was told to be missing, whatever the hub still says of it. It
    /// stays behind while the hub's messages are taken: they repeat nothing, and a revision may come in several.
    seen: Revision,
    /// Up to where the changes have to be fetched from the store, because the hub told them before this consumer came.
    behind: Option<CatchUp>,
    /// Whether the hub has ended while this one caught up, which may have got further than what the hub still says.
    has_outlived_hub: bool,
    ready: VecDeque<WatchEvent>,
}

/// A watch of the consumer's own, until it has got as far as the hub was.
struct CatchUp {
    target: Revision,
    /// `None` when it has to be opened.
    batches: Option<WatchStream>,
    backoff: Backoff,
}

/// What a step of catching up has brought.
enum Step {
    Batch(WatchBatch),
    /// There are no changes to be had before this revision, which is the newest; and what the hub tells from then on, unless
    /// it has ended.
    Compacted(Revision, Option<Receiver<Message>>),
}

impl Following {
    /// Follows a path after a revision; what `live` does not bring because the hub had got that far has to be fetched.
    pub(super) fn new(
        hub: Arc<Hub>,
        live: Receiver<Message>,
        path: FilePath,
        after: Revision,
        reached: Revision,
    ) -> Self {
        let backoff = Backoff::new(&hub.surroundings);
        let catch_up = CatchUp { target: reached, batches: None, backoff };
        let behind = (after < reached).then_some(catch_up);
        Self { hub, live, path, seen: after, behind, has_outlived_hub: false, ready: VecDeque::new() }
    }

    /// The stream, which keeps something until it is dropped.
    pub(super) fn into_stream(self, keeps: impl Send + 'static) -> ChangeStream {
        let events = stream::try_unfold((self, keeps), |(mut following, keeps)| async move {
            Ok(following.next().await?.map(|event| (event, (following, keeps))))
        });
        ChangeStream(events.boxed())
    }

    /// The next event, or `None` when the storage is closed.
    async fn next(&mut self) -> Result<Option<WatchEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.behind.is_some() {
                let hub = Arc::clone(&self.hub);
                let step = tokio::select! {
                    biased;
                    // What the hub has told meanwhile must not follow with a gap.
                    () = hub.closed() => return Ok(None),
                    step = self.catch_up() => step,
                };
                step.map_err(|error| Error::of_read(error).with_path(&self.path))?;
                continue;
            }
            match self.live.recv().await {
                Ok(Message::Changes(revision, changes)) if revision > self.seen => self.take(&changes),
                Ok(Message::Changes(..)) => {}
                Ok(Message::Resync(revision)) if self.has_outlived_hub && revision <= self.seen => {}
                // Also one that goes back: the store may have been restored from a backup.
                Ok(Message::Resync(revision)) => self.resync(revision),
                Ok(Message::Refused(error)) => {
                    return Err(Error::of_shared(error).with_path(&self.path));
                }
                // What is left of before would be overtaken by the next message: on from where the hub is.
                Err(RecvError::Lagged(_)) => {
                    self.live = self.live.resubscribe();
                    self.resync(self.hub.reached());
                }
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    fn take(&mut self, changes: &[Change]) {
        self.ready.extend(changes.iter().filter_map(|change| change.seen_from(&self.path)));
    }

    fn resync(&mut self, revision: Revision) {
        self.seen = revision;
        self.ready.push_back(WatchEvent::Resync { revision });
    }

    /// Takes from the hub what is still to come, if the hub has not got further meanwhile.
    fn join(&mut self) {
        let Some((live, reached)) = self.hub.subscribe() else {
            // It has ended, and `live` says why.
            (self.behind, self.has_outlived_hub) = (None, true);
            return;
        };
        self.live = live;
        match &mut self.behind {
            Some(behind) if reached > self.seen => behind.target = reached,
            _ => self.behind = None,
        }
    }

    /// A step on the way to where the hub was. Nothing says that there are no more changes before that; so the own watch
    /// serves until it brings one from behind it, which the hub brings as well.
    async fn catch_up(&mut self) -> Result<(), BackendError> {
        let Some(behind) = &mut self.behind else { return Ok(()) };
        let opened = match &mut behind.batches {
            Some(batches) => Ok(batches),
            none => {
                let watch = self.hub.backend.0.watch(files(&self.hub.layout), self.seen).await;
                watch.map(|batches| none.insert(batches))
            }
        };
        let item = match opened {
            Ok(batches) => batches.next().await,
            Err(error) => Some(Err(error)),
        };
        // How far the store is may have to be asked for several times: an outage is waited out here too.
        let item = match item {
            Some(Err(error)) if error.kind() == BackendErrorKind::Compacted => {
                // What the hub has told before is behind the newest revision, also that changes were missing.
                let live = self.hub.subscribe().map(|(live, _)| live);
                Some(self.hub.newest().await.map(|newest| Step::Compacted(newest, live)))
            }
            item => item.map(|item| item.map(Step::Batch)),
        };
        match item {
            Some(Ok(Step::Batch(batch))) => {
                let is_there = batch.revision >= behind.target;
                self.take(&Change::of_batch(&batch, &self.hub.layout));
                self.seen = batch.revision;
                if is_there {
                    self.join();
                }
            }
            Some(Ok(Step::Compacted(newest, live))) => {
                match live {
                    Some(live) => self.live = live,
                    None => self.has_outlived_hub = true,
                }
                self.behind = None;
                self.resync(newest);
            }
            Some(Err(error)) if !error.is_retryable() => return Err(error),
            Some(Err(_)) | None => {
                behind.batches = None;
                behind.backoff.pause().await;
            }
        }
        Ok(())
    }
}
