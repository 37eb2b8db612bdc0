//! Connections to members of a cluster: encrypted and as a user, if the settings say so.
//!
//! A [`Connector`] knows the settings, a [`Link`] is the connection to one member. It is made when it is first used, and
//! made again after it broke. [`Link::call`] sees to it that a call carries a token that the member accepts, and that an
//! error says what to check.
//!
//! The client library gets a channel and no password: so none of its types can show one, and it is decided here when to
//! authenticate. Tokens are put on requests below it, marked so that no layer further down shows them.

mod advice;
mod connections;
mod diagnosis;
mod dialer;
mod http2;
mod login;
mod memory;
mod pem;
mod refusal;
mod skip_verify;
mod stream;
mod tls;
mod token;
mod validity;

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use etcd_client::{
    Client, ClusterClient, ConnectOptions, KvClient, LeaseClient, MaintenanceClient, WatchClient,
};
use futures::FutureExt;
use http::Uri;
use storage_core::kv::{BackendError, BackendErrorKind};

use crate::config::is_encrypted;
use crate::{EtcdConfig, ServerVerification};
use advice::Advice;
use connections::Connections;
use dialer::Dialer;
use http2::{Http2, KeepAlive};
use login::Login;
use memory::Memory;
use tls::Tls;
use token::TokenSlot;

/// The largest reply that is accepted. The library's own limit is 4 MiB; a watch on a directory of a hundred thousand
/// files that is deleted gets 7 MB in one message, and would fail on it again and again.
const MAX_REPLY_BYTES: usize = 256 * 1024 * 1024;

/// How often a call that was refused for its token is made again with a new one. More than once, because each change of
/// a user or role makes all tokens old.
const MOST_REFRESHES: u32 = 2;

/// Makes links.
pub(crate) struct Connector {
    config: EtcdConfig,
    tls: Option<Tls>,
}

impl Connector {
    /// Reads the files that the settings name. Warns if they say that servers are not to be checked.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a file is of no use, with the setting and the file and nothing of its content; or when
    /// there are settings for TLS, and no endpoint has it.
    pub(crate) fn new(config: &EtcdConfig) -> Result<Self, BackendError> {
        if config.tls().verification() == ServerVerification::Skipped {
            tracing::warn!(
                setting = "tls.skip_verify",
                endpoints = ?config.endpoints(),
                "the certificates of servers are not checked: whoever is in between can read and change everything",
            );
        }
        let tls = if config.endpoints().iter().any(|endpoint| is_encrypted(endpoint)) {
            Some(Tls::new(config.tls()).map_err(invalid)?)
        } else if config.tls().is_set() {
            return Err(invalid("there are tls settings, but no endpoint begins with https://"));
        } else {
            None
        };
        Ok(Self { config: config.clone(), tls })
    }

    /// A connection to this member, to be made when it is used. Called within a runtime.
    pub(crate) fn link(&self, endpoint: &str) -> Link {
        let memory = Arc::new(Memory::default());
        let advice = Advice::new(endpoint, &self.config, Arc::clone(&memory));
        let token = Arc::new(TokenSlot::default());
        let client = self.client(endpoint, &memory, &token);
        let login = client.as_ref().ok().and_then(|(client, _)| {
            let (user, password) = (self.config.username()?, self.config.password()?);
            let limit = self.config.dial_timeout();
            Some(Login::new(client.auth_client(), user, password.clone(), limit, token, advice.clone()))
        });
        let handles = client.map(|(client, alone)| {
            let handles = Handles {
                kv: client.kv_client().max_decoding_message_size(MAX_REPLY_BYTES),
                lease: client.lease_client(),
                watch: client.watch_client().max_decoding_message_size(MAX_REPLY_BYTES),
                cluster: client.cluster_client(),
            };
            (Arc::new(handles), alone)
        });
        let endpoint = endpoint.to_owned();
        Link { inner: Arc::new(Inner { endpoint, handles, login, advice, memory }) }
    }

    /// Until when our own certificate is valid, if we have one.
    pub(crate) fn client_certificate_end(&self) -> Option<SystemTime> {
        self.tls.as_ref().and_then(|tls| tls.client_certificate_end)
    }

    /// The library's clients on a channel of ours: one that wants a leader and one that does not.
    fn client(
        &self,
        endpoint: &str,
        memory: &Arc<Memory>,
        token: &Arc<TokenSlot>,
    ) -> Result<(Client, Client), &'static str> {
        let uri: Uri = endpoint.parse().map_err(|_| "the endpoint is no URL")?;
        let tls = match (&self.tls, is_encrypted(endpoint)) {
            (_, false) => None,
            (Some(tls), true) => Some(tls.clone()),
            (None, true) => return Err("the endpoint has TLS, and no endpoint of the settings has"),
        };
        let dialer = Dialer::new(uri.clone(), tls, self.config.dial_timeout(), Arc::clone(memory));
        let keep_alive =
            KeepAlive { interval: self.config.keepalive_time(), timeout: self.config.keepalive_timeout() };
        let connections = Connections::new(uri, move || Http2::new(dialer.clone(), keep_alive));
        // A member without a leader says so at once, and ends its watches, instead of keeping us waiting.
        let options = ConnectOptions::new().with_require_leader(true);
        let channel = token::attach(connections, Arc::clone(token));
        let client = |options| {
            let client = Client::from_channel(channel.clone(), Some(options)).now_or_never();
            let client = client.expect("without a user there is nothing to wait for");
            client.expect("without a user there is nothing that can fail")
        };
        Ok((client(options), client(ConnectOptions::new())))
    }
}

/// A connection to one member. Clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: String,
    /// Or why there can be none.
    handles: Result<(Arc<Handles>, Client), &'static str>,
    login: Option<Login>,
    advice: Advice,
    memory: Arc<Memory>,
}

/// What calls are made with: a call clones the one that it needs.
pub(crate) struct Handles {
    pub(crate) kv: KvClient,
    pub(crate) lease: LeaseClient,
    pub(crate) watch: WatchClient,
    pub(crate) cluster: ClusterClient,
}

/// What a member is asked with about itself. It answers without a leader too.
pub(crate) struct Inquiry {
    pub(crate) kv: KvClient,
    pub(crate) cluster: ClusterClient,
    pub(crate) maintenance: MaintenanceClient,
}

impl Link {
    /// Runs a call on this member. If there is a user it authenticates first, and again when the member does not accept
    /// the token any more; the call is then made once or twice more.
    ///
    /// Errors that somebody can do something about say what, and name the endpoint. Dropping the future is safe.
    pub(crate) async fn call<T, F>(&self, call: impl Fn(Arc<Handles>) -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let (handles, _) = self.handles()?;
        self.as_user(|| call(Arc::clone(handles))).await
    }

    /// Runs a call that asks this member about itself, in the same way.
    pub(crate) async fn inquire<T, F>(&self, call: impl Fn(Inquiry) -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let (_, alone) = self.handles()?;
        let inquiry = || Inquiry {
            kv: alone.kv_client(),
            cluster: alone.cluster_client(),
            maintenance: alone.maintenance_client(),
        };
        self.as_user(|| call(inquiry())).await
    }

    /// Until when the certificate is valid that the member has shown, if it has.
    pub(crate) fn certificate_end(&self) -> Option<SystemTime> {
        self.inner.memory.certificate_end()
    }

    fn handles(&self) -> Result<&(Arc<Handles>, Client), BackendError> {
        let Inner { endpoint, handles, .. } = &*self.inner;
        handles.as_ref().map_err(|problem| invalid(format!("{endpoint}: {problem}")))
    }

    async fn as_user<T, F>(&self, call: impl Fn() -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let inner = &self.inner;
        let result = match &inner.login {
            None => call().await,
            Some(login) => as_user(login, call).await?,
        };
        result.map_err(|error| inner.advice.add(error))
    }
}

/// Runs a call with a token, and again with another if that is refused. The outer error is that there is none.
async fn as_user<T, F>(login: &Login, call: impl Fn() -> F) -> Result<Result<T, BackendError>, BackendError>
where
    F: Future<Output = Result<T, BackendError>>,
{
    let mut used = login.token().await?;
    let mut refreshes = 0;
    loop {
        match call().await {
            Err(error) if is_cured_by_token(&error, refreshes) => {
                used = login.newer_than(used).await?;
                refreshes += 1;
            }
            result => return Ok(result),
        }
    }
}

/// Whether a new token may help, after so many.
fn is_cured_by_token(error: &BackendError, refreshes: u32) -> bool {
    match error.kind() {
        BackendErrorKind::Unauthenticated => refreshes < MOST_REFRESHES && advice::is_about_token(error),
        // Some servers refuse a watch in these words whatever is wrong with its token: see `from_cancel_reason`.
        BackendErrorKind::PermissionDenied => refreshes == 0 && error.is_retryable(),
        _ => false,
    }
}

fn invalid(problem: impl Into<String>) -> BackendError {
    BackendError::new(BackendErrorKind::InvalidRequest, problem)
}
