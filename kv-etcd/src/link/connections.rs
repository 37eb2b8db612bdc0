use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{BoxError, Service, ServiceExt};

/// The HTTP/2 connections to a member: one for calls and some watches, and more when there are many watches.
///
/// Over TLS, servers that have no `--max-concurrent-streams` allow 250 streams on a connection. A stream beyond that is
/// not refused: it waits until another ends. A watch is a stream that does not end; so 250 of them would stop every call,
/// the one that ends a watch too.
#[derive(Clone)]
pub(super) struct Connections {
    /// The first is the one for calls.
    all: Arc<Mutex<Vec<Connection>>>,
    calls: Channel,
    open: Arc<dyn Fn() -> Channel + Send + Sync>,
}

struct Connection {
    channel: Channel,
    /// Each watch holds a clone.
    watches: Arc<()>,
}

/// How many watches share a connection: the least number of streams that a server should allow.
const MOST_WATCHES: usize = 100;

impl Connections {
    pub(super) fn new(open: impl Fn() -> Channel + Send + Sync + 'static) -> Self {
        let calls = open();
        let first = Connection::new(calls.clone());
        Self { all: Arc::new(Mutex::new(vec![first])), calls, open: Arc::new(open) }
    }

    /// A connection with room for one more watch, and what has to be kept while that runs.
    fn for_watch(&self) -> (Channel, Arc<()>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let position = all.iter().position(|connection| connection.count() < MOST_WATCHES);
        let position = position.unwrap_or_else(|| {
            all.push(Connection::new((self.open)()));
            all.len() - 1
        });
        let taken = (all[position].channel.clone(), Arc::clone(&all[position].watches));
        // Those behind it that are not needed any more.
        let mut number = 0;
        all.retain(|connection| {
            number += 1;
            number <= position + 1 || connection.count() > 0
        });
        taken
    }
}

impl Connection {
    fn new(channel: Channel) -> Self {
        Self { channel, watches: Arc::new(()) }
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != "/etcdserverpb.Watch/Watch" {
            let answer = self.calls.clone().oneshot(request);
            return Box::pin(async move { Ok(answer.await?) });
        }
        let (channel, watch) = self.for_watch();
        Box::pin(async move {
            let answer = channel.oneshot(request).await?;
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

    use tonic::transport::Endpoint;

    use super::*;

    #[tokio::test]
    async fn there_are_as_many_connections_as_the_watches_need() {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let connections = Connections::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Endpoint::from_static("http://127.0.0.1:1").connect_lazy()
        });
        let kept = || connections.all.lock().unwrap().len();
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
