//! Encrypted connections are made as the settings say; one that cannot be made fails within the dial timeout, with an
//! error that names the endpoint and what to check.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use std::time::Duration;

use etcd_process::{CertificateFiles, EtcdBinary, EtcdProcess, EtcdTls, TestAuthority, TestCertificate};
use futures::StreamExt;
use kv_etcd::{EtcdBackend, EtcdConfig, EtcdConfigBuilder, ServerVerification};
use storage_core::kv::{BackendError, BackendErrorKind, Key, KeyRange, KvBackend, KvBackendExt, Revision};
use tokio::time::Instant;

use crate::support::Captured;

const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// An authority, and what it has issued to a server and to a client.
struct Pki {
    authority: TestAuthority,
    server: CertificateFiles,
    client: CertificateFiles,
}

impl Pki {
    fn new() -> Self {
        Self::with_server(TestCertificate::server())
    }

    fn with_server(server: TestCertificate) -> Self {
        let authority = TestAuthority::new().unwrap();
        let server = authority.issue(server).unwrap();
        let client = authority.issue(TestCertificate::client("client")).unwrap();
        Self { authority, server, client }
    }

    /// A server for anybody.
    fn open(&self, binary: &EtcdBinary) -> EtcdProcess {
        EtcdProcess::builder(binary).with_tls(EtcdTls::new(&self.server)).start().unwrap()
    }

    /// A server for those with a certificate of this authority.
    fn closed(&self, binary: &EtcdBinary) -> EtcdProcess {
        let tls = EtcdTls::new(&self.server).with_client_authority(self.authority.ca());
        EtcdProcess::builder(binary).with_tls(tls).start().unwrap()
    }

    fn config(&self, etcd: &EtcdProcess) -> EtcdConfigBuilder {
        config(etcd).with_tls_ca(self.authority.ca())
    }
}

fn config(etcd: &EtcdProcess) -> EtcdConfigBuilder {
    support::config(etcd).with_dial_timeout(DIAL_TIMEOUT)
}

fn with_cert(config: EtcdConfigBuilder, files: &CertificateFiles) -> EtcdConfigBuilder {
    config.with_tls_cert(&files.cert).with_tls_key(&files.key)
}

async fn assert_works(config: EtcdConfigBuilder) {
    let backend = support::connect_with(config).await;
    backend.put(Key::new("/test/k"), "v".into()).await.unwrap();
    assert_eq!(backend.get(Key::new("/test/k")).await.unwrap().unwrap().value, "v");
}

/// Checks that connecting is refused in time, and that the error says all this.
async fn refused(config: EtcdConfigBuilder, kind: BackendErrorKind, says: &[&str]) -> BackendError {
    let config = config.build().unwrap();
    let begin = Instant::now();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    let took = begin.elapsed();
    assert!(took < DIAL_TIMEOUT, "{took:?}: {error}");
    println!("{took:?} {error}");
    assert_eq!(error.kind(), kind, "{error:?}");
    for text in says.iter().chain([&config.endpoints()[0].as_str()]) {
        assert!(error.to_string().contains(text), "{text:?} is not in {error}");
    }
    assert!(!error.is_maybe_applied() && !error.to_string().contains('\n'), "{error:?}");
    error
}

fn on_each(test: &str) -> impl Iterator<Item = EtcdBinary> {
    EtcdBinary::find_all_for_test(test).into_iter().inspect(|binary| println!("etcd {}", binary.version))
}

#[tokio::test]
async fn a_server_whose_authority_we_know_serves_us() {
    for binary in on_each("TLS") {
        let pki = Pki::new();
        let etcd = pki.open(&binary);
        assert_works(pki.config(&etcd)).await;
        let by_name = etcd.endpoint().replace("127.0.0.1", "localhost");
        assert_works(EtcdConfig::builder([by_name]).with_prefix("/test").with_tls_ca(pki.authority.ca()))
            .await;
        // A certificate that nobody asks for does no harm.
        assert_works(with_cert(pki.config(&etcd), &pki.client)).await;
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_serves_us_with_ours() {
    for binary in on_each("client certificates") {
        let pki = Pki::new();
        let etcd = pki.closed(&binary);
        assert_works(with_cert(pki.config(&etcd), &pki.client)).await;
    }
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    for binary in on_each("wrong authority") {
        let pki = Pki::new();
        let etcd = pki.open(&binary);
        let other = TestAuthority::new().unwrap();
        let says = ["not of an authority that we know", "check tls.ca"];
        let wrong = config(&etcd).with_tls_ca(other.ca());
        let error = refused(wrong, BackendErrorKind::Unavailable, &says).await;
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn the_authorities_of_the_system_count_by_default() {
    for binary in on_each("authorities of the system") {
        let etcd = Pki::new().open(&binary);
        match EtcdBackend::connect(&config(&etcd).build().unwrap()).await.unwrap_err() {
            // A machine without any.
            error if error.kind() == BackendErrorKind::InvalidRequest => {
                assert!(error.to_string().contains("tls.ca: it is not set"), "{error}");
            }
            error => assert!(error.to_string().contains("set tls.ca"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_unless_that_name_is_expected() {
    for binary in on_each("wrong name") {
        let pki = Pki::with_server(TestCertificate::server().with_hosts(["etcd.example", "10.0.0.1"]));
        let etcd = pki.open(&binary);
        let says = ["not for 127.0.0.1", "etcd.example", "tls.server_name"];
        let error = refused(pki.config(&etcd), BackendErrorKind::Unavailable, &says).await;
        assert!(!error.is_retryable());
        assert_works(pki.config(&etcd).with_tls_server_name("etcd.example")).await;
        assert_works(pki.config(&etcd).with_tls_server_name("10.0.0.1")).await;
        let other = pki.config(&etcd).with_tls_server_name("other.example");
        refused(other, BackendErrorKind::Unavailable, &["not for other.example"]).await;
    }
}

#[tokio::test]
async fn a_server_whose_certificate_has_expired_is_refused() {
    for binary in on_each("expired certificate") {
        let pki = Pki::with_server(TestCertificate::server().expired());
        let etcd = pki.open(&binary);
        let says = ["expired at 2020-12-31", "check its validity"];
        let error = refused(pki.config(&etcd), BackendErrorKind::Unavailable, &says).await;
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_refuses_us_without_or_with_a_wrong_one() {
    for binary in on_each("no client certificate") {
        let pki = Pki::new();
        let etcd = pki.closed(&binary);
        let kind = BackendErrorKind::Unauthenticated;
        // The refusal comes after the handshake, and races with our first words. It is understood every time.
        for _ in 0..20 {
            let error = refused(pki.config(&etcd), kind, &["tls.cert and tls.key"]).await;
            assert!(!error.is_retryable());
        }
        let other = TestAuthority::new().unwrap().issue(TestCertificate::client("client")).unwrap();
        refused(with_cert(pki.config(&etcd), &other), kind, &["check tls.cert"]).await;
        let expired = pki.authority.issue(TestCertificate::client("client").expired()).unwrap();
        refused(with_cert(pki.config(&etcd), &expired), kind, &["check tls.cert"]).await;
    }
}

#[tokio::test]
async fn plain_text_to_a_server_with_tls_is_refused() {
    for binary in on_each("plain text to TLS") {
        let etcd = Pki::new().open(&binary);
        let plain = EtcdConfig::builder([etcd.endpoint().replace("https", "http")]);
        let plain = plain.with_dial_timeout(DIAL_TIMEOUT);
        refused(plain, BackendErrorKind::Unavailable, &["tls", "use https://"]).await;
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_refused() {
    for binary in on_each("TLS to plain text") {
        let etcd = EtcdProcess::start(&binary).unwrap();
        let pki = Pki::new();
        let encrypted = EtcdConfig::builder([etcd.endpoint().replace("http", "https")]);
        let encrypted = encrypted.with_dial_timeout(DIAL_TIMEOUT).with_tls_ca(pki.authority.ca());
        refused(encrypted, BackendErrorKind::Unavailable, &["tls", "use http://"]).await;
    }
}

#[tokio::test]
async fn no_certificate_is_checked_if_that_is_asked_for() {
    for binary in on_each("skipped verification") {
        let pki = Pki::with_server(TestCertificate::server().with_hosts(["other.example"]).expired());
        let etcd = pki.closed(&binary);
        let skipping = || config(&etcd).with_tls_verification(ServerVerification::Skipped);
        assert_works(with_cert(skipping(), &pki.client)).await;
        // Ours is still asked for.
        refused(skipping(), BackendErrorKind::Unauthenticated, &["tls.cert and tls.key"]).await;
    }
}

#[tokio::test]
async fn whoever_checks_no_certificate_is_warned_at_every_start() {
    let endpoint = "https://127.0.0.1:1";
    let config = || EtcdConfig::builder([endpoint]).with_dial_timeout(Duration::from_secs(1));
    let warnings = async |config: EtcdConfigBuilder| {
        let log = Captured::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        let _listening = tracing::subscriber::set_default(subscriber);
        for _ in 0..2 {
            EtcdBackend::connect(&config.clone().build().unwrap()).await.unwrap_err();
        }
        // That the endpoint fails is told of too.
        let log = log.text();
        log.lines()
            .filter(|line| !line.contains("a member has failed"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let pki = Pki::new();
    assert_eq!(warnings(config().with_tls_ca(pki.authority.ca())).await, [""; 0]);
    let lines = warnings(config().with_tls_verification(ServerVerification::Skipped)).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        let says = [" WARN kv_etcd", "certificates of servers are not checked", "tls.skip_verify", endpoint];
        assert!(says.iter().all(|text| line.contains(text)), "{line}");
    }
}

/// Some servers allow 250 streams on a connection with TLS, and let what comes then wait.
#[tokio::test]
async fn hundreds_of_watches_do_not_hold_up_anything() {
    for binary in on_each("hundreds of watches") {
        let pki = Pki::new();
        let etcd = pki.open(&binary);
        let backend = support::connect_with(pki.config(&etcd).with_request_timeout(DIAL_TIMEOUT)).await;
        let range = KeyRange::prefix("/test/");
        for _ in 0..2 {
            let mut watches = Vec::new();
            for _ in 0..600 {
                watches.push(backend.watch(range.clone(), Revision::ZERO).await.unwrap());
            }
            let revision = backend.put(Key::new("/test/k"), "v".into()).await.unwrap();
            for watch in &mut watches {
                while watch.next().await.unwrap().unwrap().revision < revision {}
            }
        }
        backend.get(Key::new("/test/k")).await.unwrap();
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_at_the_dial_timeout() {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let limit = Duration::from_secs(1);
    let pki = Pki::new();
    let config = EtcdConfig::builder([&endpoint]).with_dial_timeout(limit).with_tls_ca(pki.authority.ca());
    let begin = Instant::now();
    let error = EtcdBackend::connect(&config.build().unwrap()).await.unwrap_err();
    assert!(begin.elapsed() < limit + Duration::from_millis(500), "{:?}", begin.elapsed());
    assert_eq!(error.kind(), BackendErrorKind::Timeout, "{error:?}");
    assert!(error.to_string().contains(&endpoint) && error.is_retryable(), "{error:?}");
}
