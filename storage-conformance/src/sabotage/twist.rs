use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::kv::{
    BackendError, KeyRange, KvBackend, Lease, LeaseId, Limits, RangePage, RangeRequest, Revision, Txn,
    TxnReply, WatchStream,
};

/// The store that a saboteur sits in front of.
pub(super) type Store = Arc<dyn KvBackend>;

/// What is put in the place of a method: it is given the store and the method's argument.
type Hook<A, R> = Arc<dyn Fn(Store, A) -> BoxFuture<'static, Result<R, BackendError>> + Send + Sync>;

/// What a saboteur does to a store: hooks in the place of some methods. The others are handed on.
///
/// All clients of a store share the hooks, and with them what the hooks remember.
#[derive(Clone, Default)]
pub(crate) struct Twist {
    limits: Option<Arc<dyn Fn(Limits) -> Limits + Send + Sync>>,
    range: Option<Hook<RangeRequest, RangePage>>,
    txn: Option<Hook<Txn, TxnReply>>,
    grant: Option<Hook<Duration, Lease>>,
    keep_alive: Option<Hook<LeaseId, Duration>>,
    time_to_live: Option<Hook<LeaseId, Duration>>,
    revoke: Option<Hook<LeaseId, ()>>,
    watch: Option<Hook<(KeyRange, Revision), WatchStream>>,
}

/// The setter of a hook.
macro_rules! hooks {
    ($($method:ident: $argument:ty => $answer:ty),+ $(,)?) => {
        $(
            pub(super) fn $method<F>(mut self, hook: impl Fn(Store, $argument) -> F + Send + Sync + 'static) -> Self
            where
                F: Future<Output = Result<$answer, BackendError>> + Send + 'static,
            {
                self.$method = Some(Arc::new(move |store, argument| Box::pin(hook(store, argument))));
                self
            }
        )+
    };
}

impl Twist {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn limits(mut self, hook: impl Fn(Limits) -> Limits + Send + Sync + 'static) -> Self {
        self.limits = Some(Arc::new(hook));
        self
    }

    hooks! {
        range: RangeRequest => RangePage,
        txn: Txn => TxnReply,
        grant: Duration => Lease,
        keep_alive: LeaseId => Duration,
        time_to_live: LeaseId => Duration,
        revoke: LeaseId => (),
        watch: (KeyRange, Revision) => WatchStream,
    }

    /// The store, as the saboteur lets it be seen.
    pub(crate) fn around(&self, store: Store) -> Store {
        Arc::new(Twisted { store, twist: self.clone() })
    }
}

impl fmt::Debug for Twist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twist").finish_non_exhaustive()
    }
}

struct Twisted {
    store: Store,
    twist: Twist,
}

/// Calls the hook if there is one, else the store.
macro_rules! hook {
    ($twisted:ident.$method:ident($argument:expr), $($plain:expr),+) => {
        match &$twisted.twist.$method {
            Some(hook) => hook(Arc::clone(&$twisted.store), $argument).await,
            None => $twisted.store.$method($($plain),+).await,
        }
    };
}

#[async_trait]
impl KvBackend for Twisted {
    fn limits(&self) -> Limits {
        let limits = self.store.limits();
        self.twist.limits.as_ref().map_or(limits, |hook| hook(limits))
    }

    async fn range(&self, request: RangeRequest) -> Result<RangePage, BackendError> {
        hook!(self.range(request), request)
    }

    async fn txn(&self, txn: Txn) -> Result<TxnReply, BackendError> {
        hook!(self.txn(txn), txn)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, BackendError> {
        hook!(self.grant(ttl), ttl)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        hook!(self.keep_alive(lease), lease)
    }

    async fn time_to_live(&self, lease: LeaseId) -> Result<Duration, BackendError> {
        hook!(self.time_to_live(lease), lease)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), BackendError> {
        hook!(self.revoke(lease), lease)
    }

    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream, BackendError> {
        hook!(self.watch((range, after)), range, after)
    }
}
