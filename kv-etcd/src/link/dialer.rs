use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use storage_core::kv::BackendErrorKind;
use tower::{BoxError, Service, ServiceExt};

use super::memory::Memory;
use super::refusal::Refusal;
use super::stream::Stream;
use super::tls::Tls;
use super::validity;

/// Makes the connections to a member: TCP, and TLS on it.
#[derive(Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector,
    tls: Option<Tls>,
    limit: Duration,
    memory: Arc<Memory>,
}

impl Dialer {
    pub(super) fn new(tls: Option<Tls>, limit: Duration, memory: Arc<Memory>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared by the addresses of a host, so that a dead one leaves time for the others.
        tcp.set_connect_timeout(Some(limit));
        Self { tcp, tls, limit, memory }
    }

    async fn dial(self, uri: Uri) -> Result<Stream, BoxError> {
        self.memory.clear();
        let host = uri.host().unwrap_or_default().to_owned();
        let tcp = self.tcp.oneshot(uri).await?.into_inner();
        let Some(tls) = self.tls else {
            return Ok(Stream::plain(tcp, self.memory));
        };
        let name = tls.server_name(&host).ok_or_else(|| {
            let text = "the host of the endpoint cannot be in a certificate: set tls.server_name";
            Refusal::certain(BackendErrorKind::InvalidRequest, text)
        })?;
        let encrypted = tls.connector().connect(name, tcp).await;
        let encrypted = encrypted.map_err(|error| tls.diagnosis.handshake(&error))?;
        let certificates = encrypted.get_ref().1.peer_certificates();
        self.memory.certificate_ends(certificates.and_then(<[_]>::first).and_then(validity::end_of));
        Ok(Stream::encrypted(encrypted, tls.diagnosis, self.memory))
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (dialer, limit) = (self.clone(), self.limit);
        Box::pin(async move {
            let stream = tokio::time::timeout(limit, dialer.dial(uri)).await.map_err(|_| {
                Refusal::certain(BackendErrorKind::Timeout, format!("no connection within {limit:?}"))
            })?;
            Ok(TokioIo::new(stream?))
        })
    }
}
