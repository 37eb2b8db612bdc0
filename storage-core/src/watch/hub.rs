use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use futures::StreamExt;
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::event::Change;
use crate::background::Background;
use crate::environment::Surroundings;
use crate::error::{Error, Result};
use crate::kv::{BackendError, BackendErrorKind, KeyRange, KvBackend, RangeRequest, Revision};
use crate::layout::Layout;
use crate::path::FilePath;
use crate::retry::Backoff;
use crate::session::BackendHandle;

/// The hub of a storage, while somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Hubs(Mutex<Weak<Hub>>);

/// Where all who watch the tree get its changes from: one task follows the store for all of them. The hub ends with the
/// last who uses it.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) backend: BackendHandle,
    pub(super) layout: Layout,
    pub(super) surroundings: Surroundings,
    messages: broadcast::WeakSender<Message>,
    reached: Arc<AtomicU64>,
    closing: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// What the hub tells.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// Changes of one revision. Those of a large transaction come in several messages.
    Changes(Revision, Arc<[Change]>),
    /// Changes up to this revision cannot be had any more.
    Resync(Revision),
    /// The store refuses: there will be no more.
    Refused(Arc<BackendError>),
}

/// What is kept for consumers that are behind: so many messages, of so many changes each at most. One buffer for all.
const KEPT_MESSAGES: usize = 1024;
const CHANGES_IN_MESSAGE: usize = 256;

impl Hubs {
    /// The hub; if it had to be started for this, with the revision after which it follows.
    pub(super) async fn hub(
        &self,
        backend: &BackendHandle,
        layout: &Layout,
        surroundings: &Surroundings,
        background: &Background,
    ) -> Result<(Arc<Hub>, Option<Revision>)> {
        let mut current = self.0.lock().await;
        if let Some(hub) = current.upgrade().filter(|hub| hub.messages.strong_count() > 0) {
            return Ok((hub, None));
        }
        let start = newest(&*backend.0, layout).await.map_err(Error::of_read)?;
        let sender = broadcast::Sender::new(KEPT_MESSAGES);
        let stop = background.closing().child_token();
        let hub = Arc::new(Hub {
            backend: backend.clone(),
            layout: layout.clone(),
            surroundings: surroundings.clone(),
            messages: sender.downgrade(),
            reached: Arc::new(AtomicU64::new(start.0)),
            closing: background.closing().clone(),
            _stop_when_dropped: stop.clone().drop_guard(),
        });
        let follower = Follower {
            backend: backend.clone(),
            layout: layout.clone(),
            backoff: Backoff::new(surroundings),
            reached: Arc::clone(&hub.reached),
            sender,
        };
        drop(background.tasks.spawn(follower.run(stop)));
        *current = Arc::downgrade(&hub);
        Ok((hub, Some(start)))
    }
}

impl Hub {
    /// All messages from now on, and the revision up to which those before went. `None` when the hub has ended.
    pub(super) fn subscribe(&self) -> Option<(broadcast::Receiver<Message>, Revision)> {
        let messages = self.messages.upgrade()?.subscribe();
        // In this order: whatever is sent after the revision was looked at comes to the subscriber as well.
        Some((messages, self.reached()))
    }

    /// Up to where the messages go that have been sent, or are being sent.
    pub(super) fn reached(&self) -> Revision {
        Revision(self.reached.load(Ordering::Acquire))
    }

    /// Waits until the storage is closed.
    pub(super) async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// The newest revision of the store.
    pub(super) async fn newest(&self) -> Result<Revision, BackendError> {
        newest(&*self.backend.0, &self.layout).await
    }
}

/// The range whose changes are those of the files.
pub(super) fn files(layout: &Layout) -> KeyRange {
    layout.meta_below(&FilePath::root())
}

async fn newest(backend: &dyn KvBackend, layout: &Layout) -> Result<Revision, BackendError> {
    Ok(backend.range(RangeRequest::new(KeyRange::single(layout.format()))).await?.revision)
}

/// The task behind a hub.
struct Follower {
    backend: BackendHandle,
    layout: Layout,
    backoff: Backoff,
    reached: Arc<AtomicU64>,
    sender: broadcast::Sender<Message>,
}

impl Follower {
    async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            refusal = self.follow() => self.send(Message::Refused(Arc::new(refusal))),
        }
    }

    /// Follows the store until it refuses.
    async fn follow(&mut self) -> BackendError {
        loop {
            let error = self.follow_until_error().await;
            let error = match error {
                Some(error) if error.kind() == BackendErrorKind::Compacted => match self.start_over().await {
                    Ok(()) => continue,
                    Err(error) => Some(error),
                },
                error => error,
            };
            if let Some(error) = error
                && !error.is_retryable()
            {
                return error;
            }
            self.backoff.pause().await;
        }
    }

    async fn follow_until_error(&mut self) -> Option<BackendError> {
        let after = Revision(self.reached.load(Ordering::Acquire));
        let mut batches = match self.backend.0.watch(files(&self.layout), after).await {
            Ok(batches) => batches,
            Err(error) => return Some(error),
        };
        loop {
            let batch = match batches.next().await? {
                Ok(batch) => batch,
                Err(error) => return Some(error),
            };
            self.backoff.reset();
            // Before it is sent: see `Hub::subscribe`.
            self.reached.store(batch.revision.0, Ordering::Release);
            for changes in Change::of_batch(&batch, &self.layout).chunks(CHANGES_IN_MESSAGE) {
                self.send(Message::Changes(batch.revision, changes.into()));
            }
            // The consumers get their turn, however many changes are there at once.
            tokio::task::yield_now().await;
        }
    }

    /// Goes on at the newest revision, and says so.
    async fn start_over(&self) -> Result<(), BackendError> {
        let newest = newest(&*self.backend.0, &self.layout).await?;
        self.reached.store(newest.0, Ordering::Release);
        self.send(Message::Resync(newest));
        Ok(())
    }

    /// Nobody may be listening just now.
    fn send(&self, message: Message) {
        let _ = self.sender.send(message);
    }
}
