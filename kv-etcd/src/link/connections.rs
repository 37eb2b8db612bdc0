use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::USER_AGENT;
use http::uri::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use tonic::body::Body;
use tower::{BoxError, Service};

use super::http2::Http2;

/// The HTTP/2 connections to a member: one for calls and some watches, and more when there are many watches.
///
/// Over TLS, servers that have no `--max-concurrent-streams` allow 250 streams on a connection. A stream beyond that is
/// not refused: it waits until another ends. A watch is a stream that does not end; so 250 of them would stop every call,
/// the one that ends a watch too.
///
/// Clones share them: the client library makes one for each call.
#[derive(Clone)]
pub(super) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    /// Scheme and authority of the member's address.
    origin: Parts,
    /// The first is the one for calls.
    all: Mutex<Vec<Connection>>,
    calls: Http2,
    open: Box<dyn Fn() -> Http2 + Send + Sync>,
}

struct Connection {
    http2: Http2,
    /// Each watch holds a clone.
    watches: Arc<()>,
}

/// How many watches share a connection: the least number of streams that a server should allow.
const MOST_WATCHES: usize = 100;

/// What servers see of us.
const NAME: &str = concat!("kv-etcd/", env!("CARGO_PKG_VERSION"));

impl Connections {
    /// To the member at this address.
    pub(super) fn new(address: Uri, open: impl Fn() -> Http2 + Send + Sync + 'static) -> Self {
        let calls = open();
        let shared = Shared {
            origin: address.into_parts(),
            all: Mutex::new(vec![Connection::new(calls.clone())]),
            calls,
            open: Box::new(open),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A connection with room for one more watch, and what has to be kept while that runs.
    fn for_watch(&self) -> (Http2, Arc<()>) {
        let Shared { all, open, .. } = &*self.shared;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let position = all.iter().position(|connection| connection.count() < MOST_WATCHES);
        let position = position.unwrap_or_else(|| {
            all.push(Connection::new(open()));
            all.len() - 1
        });
        let taken = (all[position].http2.clone(), Arc::clone(&all[position].watches));
        // Those behind it that are not needed any more.
        let mut number = 0;
        all.retain(|connection| {
            number += 1;
            number <= position + 1 || connection.count() > 0
        });
        taken
    }
}

impl Shared {
    /// A request as it is sent to the member: the client library says only what it calls.
    fn addressed(&self, request: &mut Request<Body>) {
        let mut uri = mem::take(request.uri_mut()).into_parts();
        uri.scheme.clone_from(&self.origin.scheme);
        uri.authority.clone_from(&self.origin.authority);
        *request.uri_mut() = Uri::from_parts(uri).expect("scheme, authority and path make an address");
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(NAME));
    }
}

impl Connection {
    fn new(http2: Http2) -> Self {
        Self { http2, watches: Arc::new(()) }
    }

    fn count(&self) -> usize {
        Arc::strong_count(&self.watches) - 1
    }
}

impl Service<Request<Body>> for Connections {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    /// Whether a connection is ready is awaited with the call, when it is known which one it is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let is_watch = request.uri().path() == "/etcdserverpb.Watch/Watch";
        self.shared.addressed(&mut request);
        if !is_watch {
            let shared = Arc::clone(&self.shared);
            return Box::pin(async move { shared.calls.call(request).await });
        }
        let (http2, watch) = self.for_watch();
        Box::pin(async move {
            let answer = http2.call(request).await?;
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    // Moved in here, it lives as long as the body.
                    let _ = &watch;
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use std::time::Duration;

    use super::super::dialer::Dialer;
    use super::super::http2::KeepAlive;
    use super::*;

    #[tokio::test]
    async fn there_are_as_many_connections_as_the_watches_need() {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let address = Uri::from_static("http://127.0.0.1:1");
        let dialer = Dialer::new(address.clone(), None, Duration::from_secs(1), Arc::default());
        let keep_alive = KeepAlive { interval: Duration::from_secs(1), timeout: Duration::from_secs(1) };
        let connections = Connections::new(address, move || {
            count.fetch_add(1, Ordering::Relaxed);
            Http2::new(dialer.clone(), keep_alive)
        });
        let kept = || connections.shared.all.lock().unwrap().len();
        let mut watches: Vec<_> = (0..MOST_WATCHES).map(|_| connections.for_watch()).collect();
        assert_eq!((opened.load(Ordering::Relaxed), kept()), (1, 1), "one for calls and watches");
        watches.extend((0..2 * MOST_WATCHES).map(|_| connections.for_watch()));
        assert_eq!((opened.load(Ordering::Relaxed), kept()), (3, 3));
        // The places of those that ended are taken again, and what is not needed is closed.
        watches.drain(..1);
        watches.push(connections.for_watch());
        assert_eq!((opened.load(Ordering::Relaxed), kept()), (3, 3));
        watches.clear();
        watches.push(connections.for_watch());
        assert_eq!((opened.load(Ordering::Relaxed), kept()), (3, 1));
    }
}
