//! The one place where what etcd and its client say becomes a [`BackendError`].
//!
//! etcd's errors are a gRPC code and a text. Neither is enough alone: one code stands for "the value is too large" and
//! for "your token has expired". So they are told apart by both, exactly; a test provokes what can be provoked on real
//! servers. What is not known here may have been applied.

use std::error::Error as StdError;
use std::fmt;

use etcd_client::Error as ClientError;
use storage_core::kv::{BackendError, BackendErrorKind as Kind};
use tonic::{Code, ConnectError, Status};

/// Translates an error of the client library.
pub(crate) fn from_client(error: ClientError) -> BackendError {
    match error {
        ClientError::GRpcStatus(status) => from_status(status),
        // The library's own word for a renewal that was answered with a TTL of zero.
        ClientError::LeaseKeepAliveError(message) if message == "lease not found" => {
            BackendError::new(Kind::LeaseNotFound, message)
        }
        ClientError::IoError(error) => BackendError::new(Kind::Unavailable, "i/o error").with_source(error),
        ClientError::TransportError(error) => {
            BackendError::new(Kind::Unavailable, "transport error").with_source(error)
        }
        // The library's other errors are texts of its own, about streams that ended.
        ClientError::WatchError(message) | ClientError::LeaseKeepAliveError(message) => {
            BackendError::new(Kind::Unavailable, message)
        }
        other => BackendError::new(Kind::Internal, other.to_string()),
    }
}

/// Whether a grant failed because a lease of this id exists.
pub(crate) fn is_lease_exists(error: &ClientError) -> bool {
    matches!(error, ClientError::GRpcStatus(status)
        if status.code() == Code::FailedPrecondition && status.message() == "etcdserver: lease already exists")
}

/// Whether a member has answered that there is no leader at the moment, or that there was another a moment ago.
pub(crate) fn is_between_leaders(error: &BackendError) -> bool {
    [NO_LEADER, LEADER_CHANGED].contains(&error.message())
}

/// Translates the text with which a server ends a watch. It carries no code of its own; some servers put the code into
/// the text.
pub(crate) fn from_cancel_reason(reason: &str) -> BackendError {
    let message = reason.rsplit_once(" desc = ").map_or(reason, |(_, message)| message);
    let known = KNOWN.iter().find(|known| {
        let without_origin = known.message.strip_prefix("etcdserver: ").unwrap_or(known.message);
        message == known.message || message == without_origin
    });
    match known {
        Some(known) => {
            let error = known.verdict.error(known.message);
            // Servers without etcd#14322 say this of a token that has expired, too. Whoever asks again finds out.
            if error.kind() == Kind::PermissionDenied { error.retryable() } else { error }
        }
        None if reason.is_empty() => BackendError::new(Kind::Unavailable, "the server canceled the watch"),
        None => BackendError::new(Kind::Internal, reason),
    }
}

fn from_status(status: Status) -> BackendError {
    let error = verdict(&status).error(status.message());
    if status.source().is_some() { error.with_source(TransportFailure(status)) } else { error }
}

/// What an error means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    kind: Kind,
    applied: Applied,
    retry: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    No,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    Useless,
    Worthwhile,
}

impl Verdict {
    /// Nothing was done, and nothing would be done next time.
    const fn refused(kind: Kind) -> Self {
        Self { kind, applied: Applied::No, retry: Retry::Useless }
    }

    /// Nothing was done, but it may be next time.
    const fn not_now(kind: Kind) -> Self {
        Self { kind, applied: Applied::No, retry: Retry::Worthwhile }
    }

    /// It may have been done; if not, it may be next time.
    const fn lost(kind: Kind) -> Self {
        Self { kind, applied: Applied::Unknown, retry: Retry::Worthwhile }
    }

    /// It may have been done; if not, it would not be next time.
    const fn unclear(kind: Kind) -> Self {
        Self { kind, applied: Applied::Unknown, retry: Retry::Useless }
    }

    fn error(self, message: &str) -> BackendError {
        let error = BackendError::new(self.kind, message);
        let error = match self.applied {
            Applied::No => error.not_applied(),
            Applied::Unknown => error.maybe_applied(),
        };
        match self.retry {
            Retry::Useless => error.not_retryable(),
            Retry::Worthwhile => error.retryable(),
        }
    }
}

struct Known {
    code: Code,
    message: &'static str,
    verdict: Verdict,
}

const fn known(code: Code, message: &'static str, verdict: Verdict) -> Known {
    Known { code, message, verdict }
}

/// etcd's own errors, word for word.
const KNOWN: &[Known] = &[
    known(Code::InvalidArgument, "etcdserver: key is not provided", Verdict::refused(Kind::InvalidRequest)),
    known(
        Code::InvalidArgument,
        "etcdserver: duplicate key given in txn request",
        Verdict::refused(Kind::InvalidRequest),
    ),
    known(
        Code::InvalidArgument,
        "etcdserver: too many operations in txn request",
        Verdict::refused(Kind::TooLarge),
    ),
    known(Code::InvalidArgument, "etcdserver: request is too large", Verdict::refused(Kind::TooLarge)),
    known(Code::OutOfRange, "etcdserver: too large lease TTL", Verdict::refused(Kind::TooLarge)),
    known(
        Code::OutOfRange,
        "etcdserver: mvcc: required revision has been compacted",
        Verdict::refused(Kind::Compacted),
    ),
    known(
        Code::OutOfRange,
        "etcdserver: mvcc: required revision is a future revision",
        Verdict::refused(Kind::FutureRevision),
    ),
    known(Code::NotFound, "etcdserver: requested lease not found", Verdict::refused(Kind::LeaseNotFound)),
    // Set after the request was executed.
    known(
        Code::ResourceExhausted,
        "etcdserver: mvcc: database space exceeded",
        Verdict::unclear(Kind::NoSpace),
    ),
    known(Code::ResourceExhausted, "etcdserver: too many requests", Verdict::not_now(Kind::Unavailable)),
    known(Code::Unavailable, NO_LEADER, Verdict::not_now(Kind::Unavailable)),
    known(Code::FailedPrecondition, "etcdserver: not leader", Verdict::not_now(Kind::Unavailable)),
    known(Code::Unavailable, LEADER_CHANGED, Verdict::lost(Kind::Unavailable)),
    known(Code::Unavailable, "etcdserver: server stopped", Verdict::lost(Kind::Unavailable)),
    // Of a member that is being removed or ends: what it has proposed may be applied by the others.
    known(Code::Unknown, "raft: stopped", Verdict::lost(Kind::Unavailable)),
    known(Code::Unknown, "raft proposal dropped", Verdict::lost(Kind::Unavailable)),
    known(Code::Unavailable, "etcdserver: request timed out", Verdict::lost(Kind::Unavailable)),
    known(
        Code::Unavailable,
        "etcdserver: request timed out, possibly due to previous leader failure",
        Verdict::lost(Kind::Unavailable),
    ),
    known(
        Code::Unavailable,
        "etcdserver: request timed out, possibly due to connection lost",
        Verdict::lost(Kind::Unavailable),
    ),
    known(Code::PermissionDenied, "etcdserver: permission denied", Verdict::refused(Kind::PermissionDenied)),
    // These three are cured by a new token.
    known(Code::Unauthenticated, INVALID_TOKEN, Verdict::not_now(Kind::Unauthenticated)),
    known(Code::InvalidArgument, OLD_AUTH_REVISION, Verdict::not_now(Kind::Unauthenticated)),
    known(Code::Unknown, OLD_AUTH_REVISION_INTERNAL, Verdict::not_now(Kind::Unauthenticated)),
    // So is this one, for those who have a user.
    known(Code::InvalidArgument, USER_NAME_IS_EMPTY, Verdict::refused(Kind::Unauthenticated)),
    known(Code::InvalidArgument, WRONG_USER_OR_PASSWORD, Verdict::refused(Kind::Unauthenticated)),
    known(Code::FailedPrecondition, AUTH_IS_OFF, Verdict::refused(Kind::Unauthenticated)),
];

const NO_LEADER: &str = "etcdserver: no leader";
const LEADER_CHANGED: &str = "etcdserver: leader changed";
pub(crate) const INVALID_TOKEN: &str = "etcdserver: invalid auth token";
pub(crate) const OLD_AUTH_REVISION: &str = "etcdserver: revision of auth store is old";
/// The same in the words that 3.5.1 forgets to translate.
pub(crate) const OLD_AUTH_REVISION_INTERNAL: &str = "auth: revision in header is old";
pub(crate) const USER_NAME_IS_EMPTY: &str = "etcdserver: user name is empty";
pub(crate) const WRONG_USER_OR_PASSWORD: &str =
    "etcdserver: authentication failed, invalid user ID or password";
pub(crate) const AUTH_IS_OFF: &str = "etcdserver: authentication is not enabled";

fn verdict(status: &Status) -> Verdict {
    let (code, message) = (status.code(), status.message());
    if let Some(known) = KNOWN.iter().find(|known| known.code == code && known.message == message) {
        return known.verdict;
    }
    match code {
        Code::Unavailable if is_connect_failure(status) => Verdict::not_now(Kind::Unavailable),
        // `Cancelled` with this text is the transport's own time limit.
        Code::Cancelled if message == "Timeout expired" => Verdict::lost(Kind::Timeout),
        Code::DeadlineExceeded => Verdict::lost(Kind::Timeout),
        Code::PermissionDenied => Verdict::refused(Kind::PermissionDenied),
        Code::Unauthenticated => Verdict::unclear(Kind::Unauthenticated),
        // Sizes follow these texts. The first is the server's, about the request, the others are about the reply.
        Code::ResourceExhausted if message.contains("received message larger than max") => {
            Verdict::refused(Kind::TooLarge)
        }
        Code::ResourceExhausted if message.contains("trying to send message larger than max") => {
            Verdict::unclear(Kind::ReplyTooLarge)
        }
        Code::OutOfRange if message.contains("decoded message length too large") => {
            Verdict::unclear(Kind::ReplyTooLarge)
        }
        Code::Unavailable | Code::Cancelled | Code::ResourceExhausted => Verdict::lost(Kind::Unavailable),
        // The transport uses these codes for broken connections and reset streams; then there is a cause, or h2 is named.
        Code::Unknown | Code::Internal if is_transport_failure(status) => Verdict::lost(Kind::Unavailable),
        _ => Verdict::unclear(Kind::Internal),
    }
}

fn is_transport_failure(status: &Status) -> bool {
    let of_transport = ["transport error", "h2 protocol error", "http2 error"];
    status.source().is_some() || of_transport.iter().any(|text| status.message().contains(text))
}

/// Whether there was no connection yet, so that nothing can have been sent.
fn is_connect_failure(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The cause of a status that was made on this side. The status itself would only repeat the message.
///
/// Its texts are those of sockets and HTTP/2; no setting of the connection is among them.
struct TransportFailure(Status);

impl TransportFailure {
    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        StdError::source(&self.0)
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl fmt::Debug for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransportFailure").field(&self.cause()).finish()
    }
}

impl StdError for TransportFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause()?.source()
    }
}

#[cfg(test)]
mod tests;
