use std::io;
use std::sync::Arc;

use super::*;

/// A status as a server sends it.
fn sent(code: Code, message: &str) -> BackendError {
    from_client(ClientError::GRpcStatus(Status::new(code, message)))
}

/// A status as the transport makes it on this side.
fn made_here(code: Code, message: &str, cause: impl StdError + Send + Sync + 'static) -> BackendError {
    let mut status = Status::new(code, message);
    status.set_source(Arc::new(cause));
    from_client(ClientError::GRpcStatus(status))
}

/// The kind, and then: may it have been applied, and is another attempt worthwhile?
fn answers(error: &BackendError) -> (Kind, Applied, Retry) {
    let applied = if error.is_maybe_applied() { Applied::Unknown } else { Applied::No };
    let retry = if error.is_retryable() { Retry::Worthwhile } else { Retry::Useless };
    (error.kind(), applied, retry)
}

#[test]
fn what_servers_say_is_told_apart_by_code_and_text() {
    use Applied::{No, Unknown};
    use Code::{
        Cancelled, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument, NotFound, OutOfRange,
        PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable,
    };
    use Retry::{Useless, Worthwhile};
    let table = [
        (InvalidArgument, "etcdserver: too many operations in txn request", Kind::TooLarge, No, Useless),
        (InvalidArgument, "etcdserver: request is too large", Kind::TooLarge, No, Useless),
        (
            InvalidArgument,
            "etcdserver: duplicate key given in txn request",
            Kind::InvalidRequest,
            No,
            Useless,
        ),
        (InvalidArgument, "etcdserver: key is not provided", Kind::InvalidRequest, No, Useless),
        (InvalidArgument, "etcdserver: revision of auth store is old", Kind::Unauthenticated, No, Worthwhile),
        (Code::Unknown, "auth: revision in header is old", Kind::Unauthenticated, No, Worthwhile),
        (Unauthenticated, "etcdserver: invalid auth token", Kind::Unauthenticated, No, Worthwhile),
        (InvalidArgument, "etcdserver: user name is empty", Kind::Unauthenticated, No, Useless),
        (
            InvalidArgument,
            "etcdserver: authentication failed, invalid user ID or password",
            Kind::Unauthenticated,
            No,
            Useless,
        ),
        (FailedPrecondition, "etcdserver: authentication is not enabled", Kind::Unauthenticated, No, Useless),
        (PermissionDenied, "etcdserver: permission denied", Kind::PermissionDenied, No, Useless),
        (PermissionDenied, "something else", Kind::PermissionDenied, No, Useless),
        (FailedPrecondition, "etcdserver: not leader", Kind::Unavailable, No, Worthwhile),
        (ResourceExhausted, "etcdserver: too many requests", Kind::Unavailable, No, Worthwhile),
        (
            ResourceExhausted,
            "grpc: received message larger than max (2097201 vs. 2097152)",
            Kind::TooLarge,
            No,
            Useless,
        ),
        (ResourceExhausted, "etcdserver: mvcc: database space exceeded", Kind::NoSpace, Unknown, Useless),
        (Unavailable, "etcdserver: no leader", Kind::Unavailable, No, Worthwhile),
        (Unavailable, "etcdserver: request timed out", Kind::Unavailable, Unknown, Worthwhile),
        (
            Unavailable,
            "etcdserver: request timed out, possibly due to previous leader failure",
            Kind::Unavailable,
            Unknown,
            Worthwhile,
        ),
        (
            Unavailable,
            "etcdserver: request timed out, possibly due to connection lost",
            Kind::Unavailable,
            Unknown,
            Worthwhile,
        ),
        (Unavailable, "etcdserver: server stopped", Kind::Unavailable, Unknown, Worthwhile),
        (Code::Unknown, "raft: stopped", Kind::Unavailable, Unknown, Worthwhile),
        (Code::Unknown, "raft proposal dropped", Kind::Unavailable, Unknown, Worthwhile),
        (Unavailable, "etcdserver: leader changed", Kind::Unavailable, Unknown, Worthwhile),
        (Unavailable, "http2 error", Kind::Unavailable, Unknown, Worthwhile),
        (Code::Unknown, "transport error", Kind::Unavailable, Unknown, Worthwhile),
        (Code::Unknown, "h2 protocol error: error reading a body", Kind::Unavailable, Unknown, Worthwhile),
        (Internal, "h2 protocol error: stream reset", Kind::Unavailable, Unknown, Worthwhile),
        (Cancelled, "Timeout expired", Kind::Timeout, Unknown, Worthwhile),
        (Cancelled, "context canceled", Kind::Unavailable, Unknown, Worthwhile),
        (DeadlineExceeded, "context deadline exceeded", Kind::Timeout, Unknown, Worthwhile),
        (OutOfRange, "etcdserver: mvcc: required revision has been compacted", Kind::Compacted, No, Useless),
        (
            OutOfRange,
            "etcdserver: mvcc: required revision is a future revision",
            Kind::FutureRevision,
            No,
            Useless,
        ),
        (
            OutOfRange,
            "Error, decoded message length too large: found 9 bytes, the limit is: 4 bytes",
            Kind::ReplyTooLarge,
            Unknown,
            Useless,
        ),
        (NotFound, "etcdserver: requested lease not found", Kind::LeaseNotFound, No, Useless),
        (OutOfRange, "etcdserver: too large lease TTL", Kind::TooLarge, No, Useless),
    ];
    for (code, message, kind, applied, retry) in table {
        let error = sent(code, message);
        assert_eq!(answers(&error), (kind, applied, retry), "{code:?} {message:?}");
        assert_eq!(error.message(), message);
    }
}

#[test]
fn what_is_in_no_table_may_have_been_applied() {
    let codes = (1..=16).map(Code::from_i32).filter(|code| *code != Code::PermissionDenied);
    for code in codes {
        assert!(sent(code, "news of the future").is_maybe_applied(), "{code:?}");
    }
    // A text that is known means nothing with another code.
    for known in KNOWN {
        assert!(sent(Code::Aborted, known.message).is_maybe_applied(), "{}", known.message);
    }
}

#[test]
fn a_failure_to_connect_was_never_sent() {
    let refused = ConnectError(io::Error::from(io::ErrorKind::ConnectionRefused).into());
    let error = made_here(Code::Unavailable, "tcp connect error", refused);
    assert_eq!(answers(&error), (Kind::Unavailable, Applied::No, Retry::Worthwhile));
    assert!(error.source().is_some_and(|source| source.to_string().contains("refused")), "{error:?}");
    // The text alone proves nothing.
    assert!(sent(Code::Unavailable, "tcp connect error").is_maybe_applied());
}

#[test]
fn a_broken_connection_may_have_carried_the_request() {
    for code in [Code::Unavailable, Code::Unknown, Code::Internal] {
        let error = made_here(code, "connection closed", io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(answers(&error), (Kind::Unavailable, Applied::Unknown, Retry::Worthwhile), "{code:?}");
        assert!(error.source().is_some());
    }
}

#[test]
fn the_reason_a_watch_was_canceled_for_is_recognised_with_and_without_its_code() {
    for (reason, kind) in [
        ("etcdserver: permission denied", Kind::PermissionDenied),
        ("rpc error: code = PermissionDenied desc = etcdserver: permission denied", Kind::PermissionDenied),
        ("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", Kind::Unauthenticated),
        ("etcdserver: mvcc: required revision has been compacted", Kind::Compacted),
        ("mvcc: required revision has been compacted", Kind::Compacted),
        ("etcdserver: no leader", Kind::Unavailable),
        ("", Kind::Unavailable),
        ("mvcc: something new", Kind::Internal),
    ] {
        assert_eq!(from_cancel_reason(reason).kind(), kind, "{reason:?}");
    }
}

#[test]
fn the_librarys_own_errors_have_kinds_too() {
    let gone = from_client(ClientError::LeaseKeepAliveError("lease not found".to_owned()));
    assert_eq!(answers(&gone), (Kind::LeaseNotFound, Applied::No, Retry::Useless));
    let ended = from_client(ClientError::WatchError("failed to create lease keeper".to_owned()));
    assert_eq!(answers(&ended), (Kind::Unavailable, Applied::Unknown, Retry::Worthwhile));
    let other = from_client(ClientError::InvalidArgs("empty endpoints".to_owned()));
    assert_eq!(answers(&other), (Kind::Internal, Applied::Unknown, Retry::Useless));
}
