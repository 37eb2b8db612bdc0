//! Connections, and whether anybody is at the other end.

use std::error::Error as StdError;
use std::iter;

use etcd_client::{Client, ConnectOptions, KvClient, LeaseClient, WatchClient};
use futures::stream::{FuturesUnordered, StreamExt};
use storage_core::kv::{BackendError, BackendErrorKind};

use crate::EtcdConfig;
use crate::deadline::within;
use crate::error::from_client;

/// The handles of a connection. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) kv: KvClient,
    pub(crate) lease: LeaseClient,
    pub(crate) watch: WatchClient,
}

/// The largest reply that is accepted. The library's own limit is 4 MiB; a watch on a directory of a hundred thousand
/// files that is deleted gets 7 MB in one message, and would fail on it again and again.
const MAX_REPLY_BYTES: usize = 256 * 1024 * 1024;

/// Connects to the cluster, once any of its members has answered.
pub(crate) async fn connect(config: &EtcdConfig) -> Result<Channel, BackendError> {
    check_supported(config)?;
    probe(config).await?;
    Channel::open(config, config.endpoints()).await
}

/// Refuses settings that cannot be honoured: a connection without encryption, or as nobody, is not what was asked for.
fn check_supported(config: &EtcdConfig) -> Result<(), BackendError> {
    let unsupported = config.unsupported();
    if unsupported.is_empty() {
        return Ok(());
    }
    let message = format!("settings that are not supported yet: {}", unsupported.join(", "));
    Err(BackendError::new(BackendErrorKind::InvalidRequest, message).not_applied().not_retryable())
}

impl Channel {
    /// Makes the handles; the connection itself is made by the first call.
    async fn open(config: &EtcdConfig, endpoints: &[String]) -> Result<Self, BackendError> {
        // These options must never be printed: they will hold the password one day.
        let options = ConnectOptions::new()
            .with_connect_timeout(config.dial_timeout())
            .with_keep_alive(config.keepalive_time(), config.keepalive_timeout())
            // etcd hangs up on clients that ask while no call is under way.
            .with_keep_alive_while_idle(false)
            // A member without a leader says so at once, and ends its watches, instead of keeping us waiting.
            .with_require_leader(true);
        let client = Client::connect(endpoints, Some(options)).await.map_err(from_client)?;
        Ok(Self {
            kv: client.kv_client().max_decoding_message_size(MAX_REPLY_BYTES),
            lease: client.lease_client(),
            watch: client.watch_client().max_decoding_message_size(MAX_REPLY_BYTES),
        })
    }

    /// Reads a key that need not be there: an answer proves that the member serves reads and knows us.
    async fn probe(&mut self, config: &EtcdConfig) -> Result<(), BackendError> {
        let only_key = etcd_client::GetOptions::new().with_keys_only();
        let key = config.probe_key().into_bytes();
        self.kv.get(key, Some(only_key)).await.map(drop).map_err(from_client)
    }
}

/// Asks all endpoints at once, until the first answers.
async fn probe(config: &EtcdConfig) -> Result<(), BackendError> {
    let ask = |endpoint: &String| {
        let endpoint = endpoint.clone();
        async move {
            let answer = within(config.dial_timeout(), "connecting", async {
                Channel::open(config, std::slice::from_ref(&endpoint)).await?.probe(config).await
            });
            answer.await.map_err(|error| (endpoint, error))
        }
    };
    let mut answers: FuturesUnordered<_> = config.endpoints().iter().map(ask).collect();
    let mut failures = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(()) => return Ok(()),
            Err(failure) => failures.push(failure),
        }
    }
    Err(unreachable(&failures))
}

/// One error for all endpoints, with what each has said. A member that did answer, and refused, determines the kind.
fn unreachable(failures: &[(String, BackendError)]) -> BackendError {
    let is_silence = |kind| matches!(kind, BackendErrorKind::Unavailable | BackendErrorKind::Timeout);
    let kinds = || failures.iter().map(|(_, error)| error.kind());
    let kind = kinds().find(|kind| !is_silence(*kind)).or_else(|| kinds().next());
    let said: Vec<_> =
        failures.iter().map(|(endpoint, error)| format!("{endpoint}: {}", text(error))).collect();
    BackendError::new(kind.unwrap_or(BackendErrorKind::Unavailable), said.join("; ")).not_applied()
}

/// An error and its innermost cause.
fn text(error: &BackendError) -> String {
    let causes = iter::successors(error.source(), |&error| error.source());
    causes.last().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(endpoint: &str, kind: BackendErrorKind) -> (String, BackendError) {
        (endpoint.to_owned(), BackendError::new(kind, "why").with_source("cause"))
    }

    #[test]
    fn the_error_names_every_endpoint_and_what_was_wrong_with_it() {
        let error = unreachable(&[
            failure("http://a:1", BackendErrorKind::Unavailable),
            failure("http://b:2", BackendErrorKind::Timeout),
        ]);
        assert_eq!(error.kind(), BackendErrorKind::Unavailable);
        let said = "http://a:1: store unavailable: why: cause; http://b:2: no answer in time: why: cause";
        assert_eq!(error.message(), said);
        assert!(error.is_retryable() && !error.is_maybe_applied());
    }

    #[test]
    fn a_member_that_answers_and_refuses_determines_the_kind() {
        let error = unreachable(&[
            failure("http://a:1", BackendErrorKind::Unavailable),
            failure("http://b:2", BackendErrorKind::PermissionDenied),
        ]);
        assert_eq!(error.kind(), BackendErrorKind::PermissionDenied);
        assert!(!error.is_retryable());
    }

    #[tokio::test]
    async fn settings_that_cannot_be_honoured_are_refused_and_not_ignored() {
        let plain = || EtcdConfig::builder(["http://localhost:1"]);
        for (config, named) in [
            (EtcdConfig::builder(["http://localhost:1", "https://localhost:1"]), "https endpoints"),
            (plain().with_tls_ca("/ca.pem"), "tls"),
            (plain().with_tls_verification(crate::ServerVerification::Skipped), "tls"),
            (plain().with_username("root").with_password("hunter2"), "auth"),
        ] {
            let error = connect(&config.build().unwrap()).await.err().unwrap();
            assert_eq!(error.kind(), BackendErrorKind::InvalidRequest);
            assert_eq!(error.message(), format!("settings that are not supported yet: {named}"));
            assert!(!error.is_retryable() && !error.is_maybe_applied());
        }
    }
}
