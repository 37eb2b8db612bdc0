//! The password, the tokens and the private key appear in nothing that is logged, at TRACE and by every crate below us,
//! and in nothing that our own types show.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use std::time::Duration;

use etcd_process::{EtcdBinary, EtcdProcess, EtcdTls, TestAuthority, TestCertificate};
use kv_etcd::{EtcdBackend, EtcdConfigBuilder};
use storage_core::kv::{BackendError, Key, KeyRange, KvBackend, KvBackendExt, Revision};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Captured;

const PASSWORD: &str = "sentinel-password";
const WRONG_PASSWORD: &str = "sentinel-that-is-wrong";

/// Passes connections on to a server, and keeps what that answers. Its address.
async fn record(server: std::net::SocketAddr, answers: Captured) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                    answers.add(&bytes[..count]);
                    to_client.write_all(&bytes[..count]).await.unwrap();
                }
            });
        }
    });
    endpoint
}

/// The tokens in what a server has answered, which are JSON web tokens.
fn tokens(answers: &str) -> Vec<String> {
    let words = answers.split(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
    words
        .filter(|word| word.starts_with("eyJ") && word.matches('.').count() == 2)
        .map(str::to_owned)
        .collect()
}

/// Makes calls of every kind, good ones and bad ones, and collects what they and our types show.
async fn exercise(config: impl Fn() -> EtcdConfigBuilder, etcd: &EtcdProcess, shown: &Captured) {
    let show = |error: &BackendError| shown.add(format!("{error} {error:?} {error:#?}\n").as_bytes());
    let good = config().build().unwrap();
    shown.add(format!("{good:?} {good:#?} {}\n", good.to_redacted_json()).as_bytes());
    let backend = EtcdBackend::connect(&good).await.unwrap();
    shown.add(format!("{backend:?} {backend:#?}\n").as_bytes());
    let key = || Key::new("/test/k");
    backend.put(key(), "v".into()).await.unwrap();
    let lease = backend.grant(Duration::from_secs(60)).await.unwrap().id;
    backend.keep_alive(lease).await.unwrap();
    drop(backend.watch(KeyRange::single(key()), Revision::ZERO).await.unwrap());
    etcd.add_user(&format!("user-{}", etcd.pid().unwrap()), "other", "/other/").unwrap();
    backend.get(key()).await.unwrap();
    show(&backend.get(Key::new("/outside")).await.unwrap_err());
    show(&backend.watch(KeyRange::single(Key::new("/outside")), Revision::ZERO).await.err().unwrap());
    for wrong in [config().with_password(WRONG_PASSWORD), config().with_prefix("/outside")] {
        show(&EtcdBackend::connect(&wrong.build().unwrap()).await.unwrap_err());
    }
}

#[tokio::test]
async fn no_secret_is_shown_or_logged() {
    let logged = Captured::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(logged.clone())
        .init();
    for binary in EtcdBinary::find_all_for_test("secrets") {
        println!("etcd {}", binary.version);
        let (shown, answers) = (Captured::default(), Captured::default());
        let authority = TestAuthority::new().unwrap();
        let server = authority.issue(TestCertificate::server()).unwrap();
        let client = authority.issue(TestCertificate::client("nobody")).unwrap();
        let tls = EtcdTls::new(&server).with_client_authority(authority.ca());
        let etcd = EtcdProcess::builder(&binary).with_tls(tls);
        // Of such a token a server knows from which state of its users it is, and refuses it after each change.
        let mut etcd = etcd.with_flag(support::web_tokens(&server.key, "5m")).start().unwrap();
        etcd.enable_auth("root-password").unwrap();
        etcd.add_user("caddy", PASSWORD, "/test/").unwrap();
        let as_user = |config: EtcdConfigBuilder| config.with_username("caddy").with_password(PASSWORD);
        let encrypted = || {
            let config = support::config(&etcd).with_tls_ca(authority.ca());
            as_user(config.with_tls_cert(&client.cert).with_tls_key(&client.key))
        };
        exercise(encrypted, &etcd, &shown).await;
        let error = EtcdBackend::connect(&encrypted().with_tls_ca(&server.cert).build().unwrap()).await;
        shown.add(format!("{:?}", error.unwrap_err()).as_bytes());
        let error = EtcdBackend::connect(&encrypted().with_tls_key(&server.key).build().unwrap()).await;
        shown.add(format!("{:?}", error.unwrap_err()).as_bytes());

        // The same in plain text, so that the tokens can be known here.
        let plain = etcd.plain_endpoint().strip_prefix("http://").unwrap().parse().unwrap();
        let recorded = record(plain, answers.clone()).await;
        let unencrypted = || as_user(kv_etcd::EtcdConfig::builder([&recorded]).with_prefix("/test"));
        let backend = support::connect_with(unencrypted()).await;
        for name in ["one", "another"] {
            backend.put(Key::new("/test/k"), "v".into()).await.unwrap();
            etcd.add_user(name, "other", "/other/").unwrap();
        }
        backend.get(Key::new("/test/k")).await.unwrap();

        let answers = answers.text();
        let tokens = tokens(&answers);
        assert!(tokens.len() >= 3, "{tokens:?} in {answers:?}");
        let private_key = std::fs::read_to_string(&client.key).unwrap();
        let private_key = private_key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
        let passwords = [PASSWORD, WRONG_PASSWORD, "root-password"].map(str::to_owned);
        for (what, text) in [("logged", logged.text()), ("shown", shown.text())] {
            assert!(text.len() > 1000, "nothing was {what}");
            for secret in passwords.iter().cloned().chain(tokens.iter().cloned()).chain(private_key.clone()) {
                let found = text.lines().find(|line| line.contains(&secret));
                assert_eq!(found, None, "{secret} was {what}");
            }
        }
    }
    // Those who handle the secrets were listened to: HTTP/2 with its frames, TLS over `log`, and we.
    let logged = logged.text();
    let login = "kv_etcd::observe: the login has failed endpoint=\"https://";
    let token = "kv_etcd::observe: asking for a new token endpoint=\"https://";
    for expected in
        [login, token, "TRACE", "h2::", "Headers {", "hyper_util::", "rustls::", "Attempting client auth"]
    {
        assert!(logged.contains(expected), "{expected} is not in the log");
    }
}
