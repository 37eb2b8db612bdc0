//! What went wrong with TLS, and what to check.
//!
//! A server that is not who it should be counts as unavailable: there is none to talk to. One that does not take us for
//! who we are says that we are not authenticated.

use std::io;

use storage_core::kv::BackendErrorKind::{Unauthenticated, Unavailable};
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error};

use super::refusal::Refusal;

/// What of the settings matters to the advice.
#[derive(Clone, Copy)]
pub(super) struct Diagnosis {
    pub(super) has_cert: bool,
    pub(super) has_ca: bool,
}

/// What TLS says on a connection, if it is that which failed.
pub(super) fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

impl Diagnosis {
    /// Of a handshake that did not succeed.
    pub(super) fn handshake(self, error: &io::Error) -> Refusal {
        match of_tls(error) {
            Some(error) => self.tls(error),
            None => Refusal::likely(format!(
                "the tls handshake failed ({error}): if the endpoint has no tls use http://"
            )),
        }
    }

    /// Of a connection that ended after the handshake and before the server said anything.
    pub(super) fn first_words(self, error: Option<&io::Error>) -> Refusal {
        match error.and_then(of_tls) {
            Some(error) => self.tls(error),
            None => Refusal::likely(format!(
                "the server closed the connection after the tls handshake: {}",
                self.about_our_certificate()
            )),
        }
    }

    fn tls(self, error: &Error) -> Refusal {
        match error {
            Error::InvalidCertificate(error) => Refusal::certain(Unavailable, self.certificate(error)),
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::InvalidMessage(_) => {
                Refusal::certain(Unavailable, "the endpoint does not speak tls: use http:// if it has none")
            }
            Error::PeerIncompatible(_) => Refusal::certain(
                Unavailable,
                format!("the server offers no tls that we accept, which is 1.2 and 1.3: {error}"),
            ),
            Error::NoApplicationProtocol => Refusal::certain(Unavailable, NO_HTTP2),
            _ => Refusal::likely(format!("the tls handshake failed: {error}")),
        }
    }

    fn certificate(self, error: &CertificateError) -> String {
        let what = "the server's certificate";
        let check_ca = if self.has_ca { "check tls.ca" } else { "set tls.ca to the file with its authority" };
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("{what} is not of an authority that we know: {check_ca}")
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names: Vec<_> = presented.iter().take(5).map(|name| bare(name)).collect();
                let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
                let expected = expected.to_str();
                format!(
                    "{what} is not for {expected}, but for {names}: check the endpoint and tls.server_name"
                )
            }
            CertificateError::NotValidForName => {
                format!("{what} is not for this name: check the endpoint and tls.server_name")
            }
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("{what} expired at {}: check its validity and the clock here", time(*not_after))
            }
            CertificateError::Expired => format!("{what} has expired: check its validity and the clock here"),
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("{what} is valid from {}: check its validity and the clock here", time(*not_before))
            }
            CertificateError::NotValidYet => {
                format!("{what} is not valid yet: check its validity and the clock here")
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                format!("{what} is not for servers: check its extended key usage")
            }
            other => format!("{what} is not accepted ({other}): check it and tls.ca"),
        }
    }

    fn alert(self, alert: Alert) -> Refusal {
        match alert {
            Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError => Refusal::certain(
                Unauthenticated,
                format!("the server refuses us (tls alert {alert:?}): {}", self.about_our_certificate()),
            ),
            Alert::UnrecognisedName => {
                Refusal::certain(Unavailable, "the server does not have that name: check tls.server_name")
            }
            Alert::NoApplicationProtocol => Refusal::certain(Unavailable, NO_HTTP2),
            Alert::ProtocolVersion | Alert::InsufficientSecurity => Refusal::certain(
                Unavailable,
                format!(
                    "the server accepts no tls that we offer, which is 1.2 and 1.3 (tls alert {alert:?})"
                ),
            ),
            Alert::HandshakeFailure => Refusal::likely(format!(
                "the server refuses the tls handshake: {}, and which tls versions it has",
                self.about_our_certificate()
            )),
            other => Refusal::likely(format!("the server ends the tls handshake (tls alert {other:?})")),
        }
    }

    fn about_our_certificate(self) -> &'static str {
        if self.has_cert {
            "check tls.cert, its authority, its validity and that it is for clients"
        } else {
            "if it wants a certificate of clients set tls.cert and tls.key"
        }
    }
}

/// A name without its kind, which stands around it: `DnsName("host")`.
fn bare(name: &str) -> String {
    let name = name.split_once('(').and_then(|(_, name)| name.strip_suffix(')')).unwrap_or(name);
    name.trim_matches('"').escape_debug().to_string()
}

const NO_HTTP2: &str = "the endpoint does not speak http/2: check that it is an etcd client port";

/// Of a connection without TLS on which these are the first bytes that the server sent. HTTP/2 begins with the length
/// of a frame that is short, so with a zero.
pub(super) fn of_first_bytes(bytes: &[u8]) -> Option<Refusal> {
    const TLS_ALERT: u8 = 21;
    match bytes {
        [] | [0, ..] => None,
        [TLS_ALERT, ..] => Some(Refusal::certain(Unavailable, USE_HTTPS)),
        _ if String::from_utf8_lossy(bytes).contains("HTTPS") => {
            Some(Refusal::certain(Unavailable, USE_HTTPS))
        }
        _ => Some(Refusal::certain(Unavailable, NO_HTTP2)),
    }
}

const USE_HTTPS: &str = "the endpoint answers like one with tls: use https://";

/// Of a connection without TLS that ended before the server said anything.
pub(super) fn of_silence() -> Refusal {
    Refusal::likely("the server closed the connection at once: if it has tls use https://")
}

fn time(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds} s"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::{InvalidMessage, PeerIncompatible};

    use super::*;

    const NOTHING_SET: Diagnosis = Diagnosis { has_cert: false, has_ca: false };
    const ALL_SET: Diagnosis = Diagnosis { has_cert: true, has_ca: true };

    #[test]
    fn what_tls_says_becomes_a_kind_and_what_to_check() {
        let certificate = Error::InvalidCertificate;
        for (error, with, kind, says) in [
            (certificate(CertificateError::UnknownIssuer), ALL_SET, Some(Unavailable), "check tls.ca"),
            (certificate(CertificateError::UnknownIssuer), NOTHING_SET, Some(Unavailable), "set tls.ca"),
            (certificate(CertificateError::NotValidForName), ALL_SET, Some(Unavailable), "tls.server_name"),
            (certificate(CertificateError::Expired), ALL_SET, Some(Unavailable), "check its validity"),
            (certificate(CertificateError::NotValidYet), ALL_SET, Some(Unavailable), "check its validity"),
            (certificate(CertificateError::InvalidPurpose), ALL_SET, Some(Unavailable), "extended key usage"),
            (certificate(CertificateError::Revoked), ALL_SET, Some(Unavailable), "tls.ca"),
            (
                Error::AlertReceived(Alert::CertificateRequired),
                NOTHING_SET,
                Some(Unauthenticated),
                "set tls.cert and tls.key",
            ),
            (Error::AlertReceived(Alert::BadCertificate), ALL_SET, Some(Unauthenticated), "check tls.cert"),
            (Error::AlertReceived(Alert::UnknownCA), ALL_SET, Some(Unauthenticated), "check tls.cert"),
            (Error::AlertReceived(Alert::UnrecognisedName), ALL_SET, Some(Unavailable), "tls.server_name"),
            (Error::AlertReceived(Alert::ProtocolVersion), ALL_SET, Some(Unavailable), "1.2 and 1.3"),
            (Error::AlertReceived(Alert::NoApplicationProtocol), ALL_SET, Some(Unavailable), "http/2"),
            (Error::AlertReceived(Alert::HandshakeFailure), NOTHING_SET, None, "set tls.cert and tls.key"),
            (Error::AlertReceived(Alert::InternalError), ALL_SET, None, "InternalError"),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                ALL_SET,
                Some(Unavailable),
                "http://",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                ALL_SET,
                Some(Unavailable),
                "1.2 and 1.3",
            ),
            (Error::General("news".to_owned()), ALL_SET, None, "news"),
        ] {
            let refusal = with.handshake(&io::Error::new(io::ErrorKind::InvalidData, error.clone()));
            assert_eq!(refusal.kind, kind, "{error}");
            assert!(refusal.text.contains(says), "{error}: {refusal}");
            assert_eq!(refusal.text.chars().next().map(char::is_lowercase), Some(true), "{refusal}");
            // After the handshake it means the same.
            assert_eq!(with.first_words(Some(&io::Error::other(error))), refusal);
        }
    }

    #[test]
    fn the_first_bytes_of_a_plain_connection_tell_what_is_at_the_other_end() {
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        let http = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        assert_eq!(of_first_bytes(SETTINGS), None);
        for (bytes, says) in [
            (&[21, 3, 1, 0, 2, 2, 70][..], "use https://"),
            (&http[..], "use https://"),
            (b"HTTP/1.1 404 Not Found\r\n", "does not speak http/2"),
            (b"SSH-2.0-OpenSSH", "does not speak http/2"),
        ] {
            let refusal = of_first_bytes(bytes).unwrap();
            assert!(refusal.kind == Some(Unavailable) && refusal.text.contains(says), "{refusal}");
        }
    }

    #[test]
    fn names_and_times_of_a_certificate_are_shown_on_one_line() {
        assert_eq!(bare(r#"DnsName("etcd.example")"#), "etcd.example");
        assert_eq!(bare("IpAddress(10.0.0.1)"), "10.0.0.1");
        assert_eq!(bare("a\nb"), "a\\nb");
        let day = std::time::Duration::from_secs(86_400);
        assert_eq!(time(UnixTime::since_unix_epoch(day)), "1970-01-02T00:00:00Z");
    }
}
