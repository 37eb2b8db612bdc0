use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

/// A request's body that looks ahead by a frame, so that it knows which is the last.
///
/// That of the client library knows that it has ended only when it is asked for more. HTTP/2 then sends the end in a frame
/// of its own behind the data, which is a system call and a packet more for every call.
pub(super) struct LookAhead {
    body: Body,
    next: Option<Result<Frame<Bytes>, Status>>,
    has_ended: bool,
}

impl LookAhead {
    pub(super) fn new(body: Body) -> Self {
        Self { body, next: None, has_ended: false }
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let read = Pin::new(&mut self.body).poll_frame(context);
        self.has_ended = matches!(read, Poll::Ready(None));
        read
    }
}

impl HttpBody for LookAhead {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match self.next.take() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => self.read(context),
        };
        if let Poll::Ready(Some(_)) = frame
            && let Poll::Ready(next) = self.read(context)
        {
            self.next = next;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended && self.next.is_none()
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;
    use futures::{FutureExt, StreamExt};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// A body that reads what is sent to it.
    fn body() -> (mpsc::UnboundedSender<&'static str>, LookAhead) {
        let (sender, sent) = mpsc::unbounded();
        let frames = sent.map(|text: &str| Ok::<_, Status>(Frame::data(Bytes::from_static(text.as_bytes()))));
        (sender, LookAhead::new(Body::new(StreamBody::new(frames))))
    }

    /// The next frame if it is there, and whether it is known to be the last.
    fn next(body: &mut LookAhead) -> (Poll<Option<Bytes>>, bool) {
        let frame = body.frame().now_or_never().map_or(Poll::Pending, Poll::Ready);
        (frame.map(|frame| frame.map(|frame| frame.unwrap().into_data().unwrap())), body.is_end_stream())
    }

    fn some(text: &'static str) -> Poll<Option<Bytes>> {
        Poll::Ready(Some(text.into()))
    }

    #[test]
    fn the_end_is_known_with_the_last_frame() {
        let (sender, mut body) = body();
        for text in ["one", "two"] {
            sender.unbounded_send(text).unwrap();
        }
        drop(sender);
        assert!(!body.is_end_stream());
        assert_eq!(next(&mut body), (some("one"), false));
        assert_eq!(next(&mut body), (some("two"), true));
        assert_eq!(next(&mut body), (Poll::Ready(None), true));
    }

    #[test]
    fn what_is_there_does_not_wait_for_what_comes_next() {
        let (sender, mut body) = body();
        assert_eq!(next(&mut body), (Poll::Pending, false));
        sender.unbounded_send("one").unwrap();
        assert_eq!(next(&mut body), (some("one"), false));
        assert_eq!(next(&mut body), (Poll::Pending, false));
        drop(sender);
        assert_eq!(next(&mut body), (Poll::Ready(None), true));
    }

    #[test]
    fn an_error_is_passed_on() {
        let failing = futures::stream::iter([Err::<Frame<Bytes>, _>(Status::cancelled("why"))]);
        let mut body = LookAhead::new(Body::new(StreamBody::new(failing)));
        let frame = body.frame().now_or_never().unwrap().unwrap();
        assert_eq!(frame.unwrap_err().message(), "why");
    }
}
