use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use storage_core::kv::{
    BackendError, BackendErrorKind, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest,
    Revision, Txn, TxnReply, WatchStream,
};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

/// Lets the calls to a backend fail as a rule says, the way a bad network does.
///
/// Without a rule it hands on every call. A test keeps a hold on it by giving `Arc<Faulty<B>>` to what it tests. A
/// call is judged when its future is polled first; [`limits`](KvBackend::limits) is not judged. Futures may be
/// dropped as those of the backend may: a call that hangs is then never made.
pub struct Faulty<B> {
    backend: Arc<B>,
    rule: Mutex<Option<Rule>>,
    healed: Notify,
    /// The open watches, and some that have ended.
    watches: Mutex<Vec<oneshot::Sender<BackendErrorKind>>>,
    /// The leases granted through it, in this order; some have ended.
    leases: Arc<Mutex<Vec<LeaseId>>>,
}

type Rule = Arc<dyn Fn(&Call<'_>) -> Option<Fault> + Send + Sync>;

/// A call that a rule judges.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Call<'a> {
    /// [`KvBackend::range`].
    Range(&'a RangeRequest),
    /// [`KvBackend::txn`].
    Txn(&'a Txn),
    /// [`KvBackend::grant`], with the TTL asked for.
    Grant(Duration),
    /// [`KvBackend::keep_alive`].
    KeepAlive(LeaseId),
    /// [`KvBackend::time_to_live`].
    TimeToLive(LeaseId),
    /// [`KvBackend::revoke`].
    Revoke(LeaseId),
    /// [`KvBackend::watch`], with the revision after which it begins.
    Watch(&'a KeyRange, Revision),
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before it is sent: `Unavailable`, not applied.
    Refuse,
    /// It is carried out, but its answer, be it an error, gets lost: `Timeout`, maybe applied.
    LoseAnswer,
    /// It fails at once with `Timeout`, maybe applied, and is carried out when so much time has passed, by a task of
    /// its own. [`Faulty::heal`] does not hurry it.
    Late(Duration),
    /// It is carried out when so much time has passed, by a task of its own: also if its caller has been dropped
    /// meanwhile, as a call that is on its way when its caller gives up.
    Slow(Duration),
    /// It waits until [`Faulty::heal`] is called, and is carried out then.
    Hang,
    /// It fails with `NoSpace`, maybe applied, as a store does that notices too late that it is full: carried out or not.
    NoSpace {
        /// Whether it is carried out.
        applied: bool,
    },
    /// Just before it is carried out the leases end that were granted so far, see [`Faulty::end_leases`].
    EndLeases,
    /// Just before it is carried out the open watches end, see [`Faulty::drop_watches`].
    DropWatches,
}

impl<B: KvBackend> Faulty<B> {
    /// Hands on all calls to this backend until a rule is injected.
    pub fn new(backend: B) -> Self {
        Self {
            backend: Arc::new(backend),
            rule: Mutex::default(),
            healed: Notify::new(),
            watches: Mutex::default(),
            leases: Arc::default(),
        }
    }

    /// Judges all calls from now on by this rule, in place of the one before. `None` lets a call through. Calls that
    /// hang already go on hanging, and open watches go on.
    ///
    /// The rule is called from whichever task makes the call, several at once.
    pub fn inject(&self, rule: impl Fn(&Call<'_>) -> Option<Fault> + Send + Sync + 'static) {
        *locked(&self.rule) = Some(Arc::new(rule));
    }

    /// Removes the rule, and lets the calls that hang go through.
    pub fn heal(&self) {
        *locked(&self.rule) = None;
        self.healed.notify_waiters();
    }

    /// Ends every open watch with a retryable `Unavailable` as its last item. Changes that it has not delivered yet
    /// are left to the watch that resumes it.
    pub fn drop_watches(&self) {
        self.end_watches(BackendErrorKind::Unavailable);
    }

    /// Ends every open watch with `Compacted` as its last item. In the store nothing is compacted.
    pub fn compact_watches(&self) {
        self.end_watches(BackendErrorKind::Compacted);
    }

    /// Ends every lease that was granted through this decorator and still runs, one after the other in the order of
    /// granting: what a client finds that was stopped for too long. No rule judges it.
    ///
    /// If the future is dropped some may still run.
    ///
    /// # Panics
    ///
    /// When the backend fails to end one that runs.
    pub async fn end_leases(&self) {
        let leases = std::mem::take(&mut *locked(&self.leases));
        for lease in leases {
            match self.backend.revoke(lease).await {
                Err(error) if error.kind() != BackendErrorKind::LeaseNotFound => {
                    panic!("the lease {lease} does not end: {error:?}")
                }
                _ => {}
            }
        }
    }

    fn end_watches(&self, kind: BackendErrorKind) {
        for watch in locked(&self.watches).drain(..) {
            // Nobody listens to a watch that has ended.
            let _ = watch.send(kind);
        }
    }

    fn judge(&self, call: &Call<'_>) -> Verdict<'_, B> {
        // Before the rule is looked up, so that no healing is missed; the rule itself may inject and heal.
        let healed = self.healed.notified();
        let rule = locked(&self.rule).clone();
        Verdict { faulty: self, fault: rule.and_then(|rule| rule(call)), healed }
    }

    fn endable(&self, changes: WatchStream) -> WatchStream {
        let (watch, ended) = oneshot::channel();
        let mut watches = locked(&self.watches);
        watches.retain(|watch| !watch.is_closed());
        watches.push(watch);
        until(ended, changes)
    }
}

/// No panic happens under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

struct Verdict<'f, B> {
    faulty: &'f Faulty<B>,
    fault: Option<Fault>,
    healed: Notified<'f>,
}

impl<B: KvBackend> Verdict<'_, B> {
    /// Carries out a call, of which nothing happens before it is polled.
    async fn on<T: Send + 'static>(
        self,
        call: impl Future<Output = Result<T, BackendError>> + Send + 'static,
    ) -> Result<T, BackendError> {
        match self.fault {
            None => call.await,
            Some(Fault::Refuse) => {
                Err(BackendError::new(BackendErrorKind::Unavailable, "refused by a fault").not_applied())
            }
            Some(Fault::LoseAnswer) => {
                drop(call.await);
                Err(BackendError::new(BackendErrorKind::Timeout, "the answer was lost by a fault"))
            }
            Some(Fault::Late(delay)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    drop(call.await);
                });
                Err(BackendError::new(BackendErrorKind::Timeout, "the call was delayed by a fault"))
            }
            Some(Fault::Slow(delay)) => {
                let carried_out = tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    call.await
                });
                let lost =
                    |_| Err(BackendError::new(BackendErrorKind::Unavailable, "the runtime shuts down"));
                carried_out.await.unwrap_or_else(lost)
            }
            Some(Fault::Hang) => {
                self.healed.await;
                call.await
            }
            Some(Fault::NoSpace { applied }) => {
                if applied {
                    drop(call.await);
                }
                Err(BackendError::new(BackendErrorKind::NoSpace, "full by a fault"))
            }
            Some(Fault::EndLeases) => {
                self.faulty.end_leases().await;
                call.await
            }
            Some(Fault::DropWatches) => {
                self.faulty.drop_watches();
                call.await
            }
        }
    }
}

/// The changes, until an error of this kind is sent.
fn until(ended: oneshot::Receiver<BackendErrorKind>, changes: WatchStream) -> WatchStream {
    // A watch outlives its client: then there is nobody left to end it.
    let ended: BoxFuture<'static, _> = async {
        match ended.await {
            Ok(kind) => kind,
            Err(_) => pending().await,
        }
    }
    .boxed();
    let following = stream::unfold(Some((ended, changes)), |watch| async {
        let (mut ended, mut changes) = watch?;
        tokio::select! {
            biased;
            kind = &mut ended => Some((Err(BackendError::new(kind, "the watch was ended by a fault")), None)),
            item = changes.next() => {
                let item = item?;
                let rest = item.is_ok().then_some((ended, changes));
                Some((item, rest))
            }
        }
    });
    following.boxed()
}

#[async_trait]
impl<B: KvBackend> KvBackend for Faulty<B> {
    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        let (verdict, backend) = (self.judge(&Call::Range(&request)), Arc::clone(&self.backend));
        verdict.on(async move { backend.range(request).await }).await
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        let (verdict, backend) = (self.judge(&Call::Txn(&txn)), Arc::clone(&self.backend));
        verdict.on(async move { backend.txn(txn).await }).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        let (verdict, backend) = (self.judge(&Call::Grant(ttl)), Arc::clone(&self.backend));
        let leases = Arc::clone(&self.leases);
        let granted = async move {
            let lease = backend.grant(ttl).await?;
            locked(&leases).push(lease.id);
            Ok(lease)
        };
        verdict.on(granted).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let (verdict, backend) = (self.judge(&Call::KeepAlive(lease)), Arc::clone(&self.backend));
        verdict.on(async move { backend.keep_alive(lease).await }).await
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        let (verdict, backend) = (self.judge(&Call::TimeToLive(lease)), Arc::clone(&self.backend));
        verdict.on(async move { backend.time_to_live(lease).await }).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        let (verdict, backend) = (self.judge(&Call::Revoke(lease)), Arc::clone(&self.backend));
        verdict.on(async move { backend.revoke(lease).await }).await
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        let (verdict, backend) = (self.judge(&Call::Watch(&range, after)), Arc::clone(&self.backend));
        let changes = verdict.on(async move { backend.watch(range, after).await }).await?;
        Ok(self.endable(changes))
    }
}

impl<B> fmt::Debug for Faulty<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("injected", &locked(&self.rule).is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
