use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_core::kv::{BackendError, BackendErrorKind};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, Failure};
use crate::link::{Connector, Link};
use crate::observe;

/// For how long an answer proves that a member is there: a write is sent to none that has not answered lately.
const FRESH: Duration = Duration::from_secs(1);

/// A member of the cluster, as one address at which it is reached.
///
/// When a call gets no answer in its time the connection may be at fault as well as the member: a half-open one stays
/// silent for ever. So it is replaced, for calls to come; the old one becomes a *suspect*, on which calls and watches
/// go on. It is cleared by an answer. It is given up, and its watches end, as soon as the member answers on another
/// connection, or fails again.
pub(crate) struct Member {
    endpoint: String,
    origin: Origin,
    /// What it calls itself; 0 until it has said so.
    id: AtomicU64,
    connector: Arc<Connector>,
    /// Told when the breaker opens.
    news: Arc<Notify>,
    state: Mutex<State>,
}

/// Why a member is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is in the settings, and stays.
    Configured,
    /// The cluster has named it, and may take it back.
    Found,
}

struct State {
    breaker: Breaker,
    is_tried: bool,
    connection: Arc<Connection>,
    /// The last answer on this connection.
    answered: Option<Instant>,
    suspects: Vec<Arc<Connection>>,
}

/// One connection to a member.
pub(crate) struct Connection {
    pub(super) link: Link,
    /// Set when nothing may be expected from it any more.
    pub(super) ended: CancellationToken,
}

impl Connection {
    fn new(link: Link) -> Arc<Self> {
        Arc::new(Self { link, ended: CancellationToken::new() })
    }
}

impl Member {
    pub(super) fn new(endpoint: &str, origin: Origin, connector: Arc<Connector>, news: Arc<Notify>) -> Self {
        let state = State {
            breaker: Breaker::default(),
            is_tried: false,
            connection: Connection::new(connector.link(endpoint)),
            answered: None,
            suspects: Vec::new(),
        };
        Self {
            endpoint: endpoint.to_owned(),
            origin,
            id: AtomicU64::new(0),
            connector,
            news,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    pub(super) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(super) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// The connection for a new call.
    pub(super) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.state().connection)
    }

    /// Whether calls are sent to it.
    pub(super) fn is_well(&self) -> bool {
        self.state().breaker.is_closed()
    }

    /// Whether it has answered so lately, on the connection of new calls, that it may be sent a write.
    pub(super) fn is_fresh(&self) -> bool {
        let state = self.state();
        state.breaker.is_closed() && state.answered.is_some_and(|answered| answered.elapsed() < FRESH)
    }

    /// When it may be tried, if it is not well.
    pub(super) fn until(&self) -> Option<Instant> {
        self.state().breaker.until()
    }

    /// When it is to be tried, if it is not well and not being tried.
    pub(super) fn trial(&self) -> Option<Instant> {
        let state = self.state();
        state.breaker.until().filter(|_| !state.is_tried)
    }

    /// Whether a trial is due. If so, it counts as begun.
    pub(super) fn begin_trial(&self) -> bool {
        let mut state = self.state();
        let is_due = !state.is_tried && state.breaker.until().is_some_and(|until| until <= Instant::now());
        state.is_tried |= is_due;
        is_due
    }

    pub(super) fn end_trial(&self) {
        self.state().is_tried = false;
    }

    /// Notes how a call on this connection has ended.
    pub(super) fn report<T>(&self, connection: &Arc<Connection>, result: &Result<T, BackendError>) {
        match result {
            Err(error) if is_failure(error) => self.failed(connection, error),
            _ => self.answered(connection),
        }
    }

    fn answered(&self, connection: &Arc<Connection>) {
        let mut state = self.state();
        let (was_well, is_first) = (state.breaker.is_closed(), state.answered.is_none());
        state.breaker.succeeded();
        if Arc::ptr_eq(&state.connection, connection) {
            state.answered = Some(Instant::now());
            state.give_up_suspects();
        } else {
            state.forget(connection);
        }
        drop(state);
        if !was_well {
            observe::breaker_closed(&self.endpoint);
        } else if is_first {
            observe::member_well(&self.endpoint, true);
        }
    }

    fn failed(&self, connection: &Arc<Connection>, error: &BackendError) {
        let mut state = self.state();
        if Arc::ptr_eq(&state.connection, connection) {
            self.fail(state, error);
        } else {
            // What has become of it says nothing new about the member.
            state.forget(connection);
        }
    }

    /// Notes that a call on this connection got no answer in its time, which was so long.
    pub(super) fn silent(&self, connection: &Arc<Connection>, patience: Duration) {
        let mut state = self.state();
        if Arc::ptr_eq(&state.connection, connection) {
            let fresh = Connection::new(self.connector.link(&self.endpoint));
            let suspect = std::mem::replace(&mut state.connection, fresh);
            state.suspects.push(suspect);
            let error = BackendError::new(BackendErrorKind::Timeout, format!("after {patience:?}"));
            self.fail(state, &error);
            observe::silent(&self.endpoint);
        }
    }

    fn fail(&self, mut state: MutexGuard<'_, State>, error: &BackendError) {
        state.answered = None;
        let failure = state.breaker.failed();
        if failure == Failure::Reopened {
            state.give_up_suspects();
        }
        // Whoever listens may take time, and may call us.
        drop(state);
        match failure {
            Failure::Opened => observe::breaker_opened(&self.endpoint, error),
            Failure::Reopened => {}
            Failure::Known => return,
        }
        self.news.notify_one();
    }

    /// Ends the watches on it.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.connection.ended.cancel();
        state.give_up_suspects();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_up_suspects(&mut self) {
        for suspect in self.suspects.drain(..) {
            suspect.ended.cancel();
        }
    }

    fn forget(&mut self, connection: &Arc<Connection>) {
        self.suspects.retain(|suspect| !Arc::ptr_eq(suspect, connection));
    }
}

/// Whether an error says that the member cannot serve now. Every other one is an answer, however unwelcome.
pub(super) fn is_failure(error: &BackendError) -> bool {
    matches!(error.kind(), BackendErrorKind::Unavailable | BackendErrorKind::Timeout)
}
