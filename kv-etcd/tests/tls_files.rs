//! Files of the TLS settings that are of no use are refused when connecting, with the setting and the file, and nothing
//! of what is in it.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use etcd_process::{TestAuthority, TestCertificate};
use kv_etcd::{EtcdBackend, EtcdConfig, EtcdConfigBuilder};
use storage_core::kv::BackendErrorKind;

/// What connecting with these files says; the endpoint is never asked.
async fn of_files(change: impl Fn(EtcdConfigBuilder) -> EtcdConfigBuilder) -> String {
    let config = change(EtcdConfig::builder(["https://127.0.0.1:1"])).build().unwrap();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidRequest, "{error:?}");
    assert!(!error.is_retryable() && !error.is_maybe_applied());
    error.message().to_owned()
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named_with_their_setting() {
    let authority = TestAuthority::new().unwrap();
    let server = authority.issue(TestCertificate::server()).unwrap();
    let client = authority.issue(TestCertificate::client("client")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let key = std::fs::read_to_string(&client.key).unwrap();
    let missing = folder.path().join("missing.pem");
    let empty = file("empty.pem", "");
    let broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\nsentinel\n");
    let no_certificate = file("noise.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let encrypted = file("encrypted.pem", &key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                         -----END RSA PRIVATE KEY-----\n";
    let old_encrypted = file("old.pem", old_encrypted);
    let strange_key = file("strange.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");

    let ca = |ca: &Path| {
        of_files({
            let ca = ca.to_owned();
            move |config| config.with_tls_ca(&ca)
        })
    };
    let pair = |cert: &Path, key: &Path| {
        let (ca, cert, key) = (authority.ca().to_owned(), cert.to_owned(), key.to_owned());
        of_files(move |config| config.with_tls_ca(&ca).with_tls_cert(&cert).with_tls_key(&key))
    };
    let (cert, key, other_key) = (&client.cert, &client.key, &server.key);
    for (said, setting, file, what) in [
        (ca(&missing).await, "tls.ca", &missing, "No such file"),
        (ca(&empty).await, "tls.ca", &empty, "no certificate"),
        (ca(&broken).await, "tls.ca", &broken, "no valid PEM"),
        (ca(&no_certificate).await, "tls.ca", &no_certificate, "not valid"),
        (ca(key).await, "tls.ca", key, "no certificate"),
        (pair(&missing, key).await, "tls.cert", &missing, "No such file"),
        (pair(&empty, key).await, "tls.cert", &empty, "no certificate"),
        (pair(cert, &missing).await, "tls.key", &missing, "No such file"),
        (pair(cert, cert).await, "tls.key", cert, "no private key"),
        (pair(cert, &encrypted).await, "tls.key", &encrypted, "encrypted"),
        (pair(cert, &old_encrypted).await, "tls.key", &old_encrypted, "encrypted"),
        (pair(cert, &strange_key).await, "tls.key", &strange_key, "no kind"),
        (pair(cert, other_key).await, "tls.key", other_key, "does not belong"),
    ] {
        let file = file.display().to_string();
        assert!(said.starts_with(setting) && said.contains(&file) && said.contains(what), "{what}: {said}");
        assert!(!said.contains("sentinel") && !said.contains("AAAA"), "{said}");
    }
}

#[tokio::test]
async fn settings_for_tls_without_an_endpoint_that_has_it_are_refused_and_not_ignored() {
    let authority = TestAuthority::new().unwrap();
    let config = EtcdConfig::builder(["http://127.0.0.1:1"]).with_tls_ca(authority.ca()).build().unwrap();
    let error = EtcdBackend::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::InvalidRequest);
    assert!(error.message().contains("https://"), "{error}");
}
