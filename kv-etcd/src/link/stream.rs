use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::diagnosis::{self, Diagnosis};
use super::memory::Memory;

/// A connection that notes what went wrong if it ends before the server has said anything.
pub(super) struct Stream {
    inner: Inner,
    memory: Arc<Memory>,
    /// Whether nothing has come from the server yet.
    is_fresh: bool,
}

enum Inner {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>, Diagnosis),
}

/// Runs a method on whatever the connection is.
macro_rules! on {
    ($inner:expr, $method:ident($($argument:expr),*)) => {
        match $inner {
            Inner::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Inner::Encrypted(stream, _) => Pin::new(&mut **stream).$method($($argument),*),
        }
    };
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream, memory: Arc<Memory>) -> Self {
        Self { inner: Inner::Plain(tcp), memory, is_fresh: true }
    }

    pub(super) fn encrypted(tls: TlsStream<TcpStream>, diagnosis: Diagnosis, memory: Arc<Memory>) -> Self {
        Self { inner: Inner::Encrypted(Box::new(tls), diagnosis), memory, is_fresh: true }
    }

    /// The first thing that a read came to.
    fn first_read(&mut self, result: Result<&[u8], &io::Error>) {
        self.is_fresh = false;
        let refusal = match (&self.inner, result) {
            (Inner::Plain(_), Ok([]) | Err(_)) => Some(diagnosis::of_silence()),
            (Inner::Plain(_), Ok(bytes)) => diagnosis::of_first_bytes(bytes),
            (Inner::Encrypted(_, diagnosis), Ok([])) => Some(diagnosis.first_words(None)),
            (Inner::Encrypted(_, diagnosis), Err(error)) => Some(diagnosis.first_words(Some(error))),
            (Inner::Encrypted(..), Ok(_)) => None,
        };
        match refusal {
            Some(refusal) => self.memory.note(refusal),
            None => self.memory.clear(),
        }
    }

    /// What becomes of a write. A server that refuses us closes the connection, so that a write may fail before anybody
    /// has read why. That can be read still; if the runtime has not noticed yet that it is there, the failure waits for
    /// it: whatever made the write fail makes the connection readable.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.is_fresh && matches!(result, Poll::Ready(Err(_))) {
            let mut bytes = [0; 1024];
            let mut bytes = ReadBuf::new(&mut bytes);
            match ready!(on!(&mut self.inner, poll_read(cx, &mut bytes))) {
                Ok(()) => self.first_read(Ok(bytes.filled())),
                Err(error) => self.first_read(Err(&error)),
            }
        }
        result
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let result = ready!(on!(&mut self.inner, poll_read(cx, buffer)));
        if self.is_fresh && has_room {
            self.first_read(result.as_ref().map(|()| &buffer.filled()[before..]));
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = on!(&mut self.inner, poll_write(cx, bytes));
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = on!(&mut self.inner, poll_write_vectored(cx, slices));
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(stream) => stream.is_write_vectored(),
            Inner::Encrypted(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = on!(&mut self.inner, poll_flush(cx));
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(&mut self.inner, poll_shutdown(cx))
    }
}
