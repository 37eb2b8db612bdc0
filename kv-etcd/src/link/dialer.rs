use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use storage_core::kv::BackendErrorKind;
use tower::{BoxError, ServiceExt};

use super::memory::Memory;
use super::refusal::Refusal;
use super::stream::Stream;
use super::tls::Tls;
use super::validity;

/// Makes the connections to a member: TCP, and TLS on it.
#[derive(Clone)]
pub(super) struct Dialer {
    address: Uri,
    tcp: HttpConnector,
    tls: Option<Tls>,
    limit: Duration,
    memory: Arc<Memory>,
}

impl Dialer {
    pub(super) fn new(address: Uri, tls: Option<Tls>, limit: Duration, memory: Arc<Memory>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared by the addresses of a host, so that a dead one leaves time for the others.
        tcp.set_connect_timeout(Some(limit));
        Self { address, tcp, tls, limit, memory }
    }

    /// Makes a connection within the time limit.
    pub(super) async fn dial(&self) -> Result<Stream, BoxError> {
        let limit = self.limit;
        tokio::time::timeout(limit, self.connect()).await.unwrap_or_else(|_| {
            let text = format!("no connection within {limit:?}");
            Err(Refusal::certain(BackendErrorKind::Timeout, text).into())
        })
    }

    async fn connect(&self) -> Result<Stream, BoxError> {
        self.memory.clear();
        let host = self.address.host().unwrap_or_default();
        let tcp = self.tcp.clone().oneshot(self.address.clone()).await?.into_inner();
        let memory = Arc::clone(&self.memory);
        let Some(tls) = &self.tls else {
            return Ok(Stream::plain(tcp, memory));
        };
        let name = tls.server_name(host).ok_or_else(|| {
            let text = "the host of the endpoint cannot be in a certificate: set tls.server_name";
            Refusal::certain(BackendErrorKind::InvalidRequest, text)
        })?;
        let encrypted = tls.connector().connect(name, tcp).await;
        let encrypted = encrypted.map_err(|error| tls.diagnosis.handshake(&error))?;
        let certificates = encrypted.get_ref().1.peer_certificates();
        self.memory.certificate_ends(certificates.and_then(<[_]>::first).and_then(validity::end_of));
        Ok(Stream::encrypted(encrypted, tls.diagnosis, memory))
    }
}
