//! What keeps a session: the task that renews its lease and looks after its keys.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Session, lock};
use crate::clock::Moment;
use crate::kv::{BackendError, BackendErrorKind, Event, KeyRange, KvBackendExt, RangeRequest, WatchBatch};
use crate::observe;

/// How long who closes a storage waits for a store that may not be there.
pub(super) const CLOSING_LIMIT: Duration = Duration::from_secs(5);

/// Keeps a session until it is lost or the word is given; then ends its lease.
///
/// # Errors
///
/// When the lease could not be ended: it ends by itself.
pub(super) async fn keep(kept: Kept, closing: CancellationToken) -> Result<(), BackendError> {
    let session = Arc::clone(&kept.0);
    tokio::select! {
        biased;
        () = closing.cancelled() => {}
        () = session.lost.cancelled() => {}
        // Before the renewals: an answer that comes when the lease may have ended comes too late.
        () = session.until_over() => {}
        () = session.renew_until_lost() => {}
        () = session.watch_own_key() => {}
        () = session.look_after_locks() => {}
    }
    if closing.is_cancelled() {
        observe::session_closed(&session.id);
    } else {
        observe::session_lost(&session.id, session.holds().len());
    }
    drop(kept);
    // Not dropped half-way: what waits for the locks of this session need not wait for the end of the lease.
    match tokio::time::timeout(CLOSING_LIMIT, session.backend.0.revoke(session.lease)).await {
        Ok(Err(error)) if error.kind() == BackendErrorKind::LeaseNotFound => Ok(()),
        Ok(result) => result,
        Err(_) => {
            Err(BackendError::new(BackendErrorKind::Timeout, format!("revoke, after {CLOSING_LIMIT:?}")))
        }
    }
}

/// A session that is kept. Dropping it tells everybody that the session is lost: also when the runtime shuts down before
/// its task has run once, and nobody renews the session any more.
pub(super) struct Kept(pub(super) Arc<Session>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.lost.cancel();
        for (_, hold) in self.0.holds() {
            if let Some(hold) = hold.upgrade() {
                hold.lose();
            }
        }
    }
}

impl Session {
    /// Renews the lease once, now.
    ///
    /// # Errors
    ///
    /// Those of the store; the session is lost with `LeaseNotFound`, and suspect with any other.
    pub(crate) async fn renew(&self) -> Result<(), BackendError> {
        let attempt = lock(&self.life).attempt();
        let sent = Moment::now(&self.surroundings);
        let answer = tokio::time::timeout(attempt, self.backend.0.keep_alive(self.lease)).await;
        let late =
            |_| Err(BackendError::new(BackendErrorKind::Timeout, format!("renewal, after {attempt:?}")));
        match answer.unwrap_or_else(late) {
            Ok(ttl) => {
                lock(&self.life).renew(sent, ttl);
                Ok(())
            }
            Err(error) => {
                if error.kind() == BackendErrorKind::LeaseNotFound {
                    self.lost.cancel();
                }
                let left = {
                    let mut life = lock(&self.life);
                    life.suspect = true;
                    life.left()
                };
                observe::renewal_failed(&self.id, &error, left);
                Err(error)
            }
        }
    }

    async fn renew_until_lost(&self) {
        loop {
            let life = lock(&self.life).clone();
            life.is_due().await;
            let mut backoff = self.backoff();
            while self.renew().await.is_err() {
                backoff.pause().await;
            }
            // The net under the watch of the own key.
            self.doubt.notify_one();
        }
    }

    /// Waits until the lease may have ended although it was renewed again and again.
    async fn until_over(&self) {
        loop {
            let life = lock(&self.life).clone();
            life.is_over().await;
            if lock(&self.life).left().is_zero() {
                return;
            }
        }
    }

    /// Waits until the own key is gone: its lease has ended, or somebody ended it. When the key is put, somebody may
    /// have broken a lock.
    async fn watch_own_key(&self) {
        let mut seen = self.epoch();
        let mut backoff = self.backoff();
        loop {
            if let Ok(mut changes) = self.backend.0.watch(KeyRange::single(self.key.clone()), seen).await {
                while let Some(Ok(batch)) = changes.next().await {
                    if deletes(&batch) {
                        return;
                    }
                    if !batch.events.is_empty() {
                        self.doubt.notify_one();
                    }
                    seen = batch.revision;
                    backoff.reset();
                }
            }
            backoff.pause().await;
            // What the watch has missed, if it cannot go on where it was.
            let own_key = RangeRequest::new(KeyRange::single(self.key.clone()));
            let Ok(page) = self.backend.0.range(own_key).await else { continue };
            match page.entries.first() {
                None => return,
                Some(entry) if entry.mod_revision > seen => self.doubt.notify_one(),
                Some(_) => {}
            }
            seen = page.revision;
        }
    }

    /// Tells the guards of locks whose keys are gone, and renews the keys that other members look at. Beside the renewals
    /// of the lease, which must not wait for slow reads.
    async fn look_after_locks(&self) {
        loop {
            self.doubt.notified().await;
            for (place, hold) in self.holds() {
                let is_gone = matches!(self.backend.0.get(place).await, Ok(None));
                let Some(hold) = hold.upgrade() else { continue };
                if is_gone || !hold.renew_gate().await {
                    hold.lose();
                }
            }
        }
    }
}

fn deletes(batch: &WatchBatch) -> bool {
    batch.events.iter().any(|event| matches!(event, Event::Delete { .. }))
}
