//! HTTP/2 to a member: the crate `h2`, and what it leaves to those who use it.
//!
//! The channels of tonic and hyper pass each call through several tasks, and send head and body of a request in packets of
//! their own; on a fast network that takes as much time as the call itself. Here a call writes into the connection and
//! waits for its answer, and one task moves the bytes: see decision 17.

mod exchange;
mod keep_alive;
mod look_ahead;

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use h2::client::{Builder, SendRequest};
use http::{Request, Response};
use tonic::ConnectError;
use tonic::body::Body;
use tower::BoxError;

use super::dialer::Dialer;
use super::refusal::Refusal;
pub(super) use keep_alive::KeepAlive;

/// How many bytes a member may send that have not been taken in yet: on a connection, and for one call. A page of a list
/// has some hundred kilobytes.
const CONNECTION_WINDOW: u32 = 5 * 1024 * 1024;
const CALL_WINDOW: u32 = 2 * 1024 * 1024;

/// A connection to a member, which is made when it is first used, and again after it broke. Clones share it.
#[derive(Clone)]
pub(super) struct Http2 {
    shared: Arc<Member>,
}

struct Member {
    dialer: Dialer,
    keep_alive: KeepAlive,
    newest: Mutex<Option<Opening>>,
}

/// A connection in the making. It is made even if nobody waits for it any more.
type Opening = Shared<BoxFuture<'static, Result<Open, NotOpened>>>;

/// A connection that works, or has.
#[derive(Clone)]
struct Open {
    requests: SendRequest<Bytes>,
    life: Arc<Life>,
}

/// What is known of a connection.
#[derive(Default)]
struct Life {
    has_ended: AtomicBool,
    calls: AtomicUsize,
}

/// A call that is under way.
struct UnderWay(Arc<Life>);

/// Why a connection could not be made, for all who wait for it.
#[derive(Clone, Debug)]
struct NotOpened(Arc<dyn StdError + Send + Sync>);

impl Http2 {
    pub(super) fn new(dialer: Dialer, keep_alive: KeepAlive) -> Self {
        Self { shared: Arc::new(Member { dialer, keep_alive, newest: Mutex::default() }) }
    }

    /// Makes a call. Dropping the future, or later the body of the answer, tells the member that nobody waits.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`] if certainly nothing was sent.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let Open { requests, life } = self.ready().await.map_err(ConnectError)?;
        exchange::run(requests, UnderWay::new(life), request).await
    }

    /// A connection on which a call may begin now.
    async fn ready(&self) -> Result<Open, BoxError> {
        loop {
            let (opening, is_new) = self.opening();
            let Open { requests, life } = opening.await.map_err(NotOpened::into_error)?;
            match requests.ready().await {
                Ok(requests) => return Ok(Open { requests, life }),
                // The member takes no more calls on this one.
                Err(_) if !is_new => life.end(),
                Err(error) => {
                    life.end();
                    return Err(error.into());
                }
            }
        }
    }

    /// The newest connection, or a new one if that has ended, and whether it is new.
    fn opening(&self) -> (Opening, bool) {
        let mut newest = self.shared.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = newest.as_ref().filter(|opening| match opening.peek() {
            Some(Ok(open)) => !open.life.has_ended(),
            Some(Err(_)) => false,
            None => true,
        });
        if let Some(opening) = usable {
            return (opening.clone(), false);
        }
        let opened = tokio::spawn(Arc::clone(&self.shared).open());
        let opening = async { opened.await.unwrap_or_else(|_| Err(NotOpened::by_shutdown())) };
        let opening = opening.boxed().shared();
        *newest = Some(opening.clone());
        (opening, true)
    }
}

impl Member {
    async fn open(self: Arc<Self>) -> Result<Open, NotOpened> {
        let stream = self.dialer.dial().await.map_err(|error| NotOpened(error.into()))?;
        let (requests, mut connection) = Builder::new()
            .initial_window_size(CALL_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(|error| NotOpened(Arc::new(error)))?;
        let life = Arc::new(Life::default());
        let (pings, keep_alive, ending) = (connection.ping_pong(), self.keep_alive, Arc::clone(&life));
        tokio::spawn(async move {
            tokio::select! {
                // How it ended its calls are told.
                _ = connection => {}
                // Its calls end with it.
                () = keep_alive.until_silent(pings, &ending) => {}
            }
            ending.end();
        });
        Ok(Open { requests, life })
    }
}

impl Life {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Whether somebody waits for the member.
    fn is_in_use(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }
}

impl UnderWay {
    fn new(life: Arc<Life>) -> Self {
        life.calls.fetch_add(1, Ordering::AcqRel);
        Self(life)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl NotOpened {
    fn by_shutdown() -> Self {
        Self(Arc::from(BoxError::from("the runtime shuts down")))
    }

    /// An error for one of those who wait.
    fn into_error(self) -> BoxError {
        match self.0.downcast_ref::<Refusal>() {
            Some(refusal) => Box::new(refusal.clone()),
            None => Box::new(self),
        }
    }
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for NotOpened {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests;
