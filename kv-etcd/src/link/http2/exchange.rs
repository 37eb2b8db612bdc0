//! One call on a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::FutureExt;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use tonic::ConnectError;
use tonic::body::Body;
use tower::BoxError;

use super::UnderWay;
use super::look_ahead::LookAhead;

/// Sends a request, and waits for the head of its answer.
pub(super) async fn run(
    mut requests: SendRequest<Bytes>,
    under_way: UnderWay,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let begun = requests.send_request(Request::from_parts(head, ()), false);
    let (answer, stream) = begun.map_err(|error| ConnectError(error.into()))?;
    let mut sending = Box::pin(send(LookAhead::new(body), stream));
    // A request is there as a whole, but for that of a stream: it goes into one packet with its head.
    if sending.as_mut().now_or_never().is_none() {
        tokio::spawn(sending);
    }
    let answer = answer.await?;
    Ok(answer.map(|stream| Body::new(Received { stream, has_content: true, _under_way: under_way })))
}

/// Sends a body. What fails is told by the answer.
///
/// It does not wait until the member has room for it: whatever is sent is in memory already, and the connection keeps it.
async fn send(mut body: LookAhead, mut stream: SendStream<Bytes>) {
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            _ = poll_fn(|context| stream.poll_reset(context)) => return,
        };
        match frame {
            Some(Ok(frame)) => {
                let is_last = body.is_end_stream();
                // There are no others in requests.
                let Ok(data) = frame.into_data() else { continue };
                if stream.send_data(data, is_last).is_err() || is_last {
                    return;
                }
            }
            Some(Err(_)) => {
                stream.send_reset(h2::Reason::CANCEL);
                return;
            }
            None => {
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
        }
    }
}

/// The body of an answer.
struct Received {
    stream: RecvStream,
    /// Whether trailers are not awaited yet.
    has_content: bool,
    _under_way: UnderWay,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.has_content {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // Now the member may send more. It fails only for more than was received.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.has_content = false,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
