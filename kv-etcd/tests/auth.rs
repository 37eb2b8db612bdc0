//! A user's calls go on through every change of tokens; when the user may not do something any more, errors say so.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

#[path = "etcd/support/mod.rs"]
mod support;

use std::time::Duration;

use etcd_process::{EtcdBinary, EtcdProcess};
use futures::StreamExt;
use futures::future::join_all;
use kv_etcd::{EtcdBackend, EtcdConfigBuilder};
use storage_core::kv::{
    BackendError, BackendErrorKind, Event, Key, KeyRange, KvBackend, KvBackendExt, Revision,
};
use tokio::time::Instant;

const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A server with web tokens, which become old with every change of users and roles.
fn start_with_web_tokens(binary: &EtcdBinary) -> EtcdProcess {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&key, "a key for tests only").unwrap();
    start(binary, &[&support::web_tokens(key.path(), "5m")])
}

/// A server with the user `caddy`, who may do everything below `/test/`.
fn start(binary: &EtcdBinary, flags: &[&str]) -> EtcdProcess {
    println!("etcd {}", binary.version);
    let etcd = flags.iter().fold(EtcdProcess::builder(binary), |etcd, flag| etcd.with_flag(*flag));
    let mut etcd = etcd.start().unwrap();
    etcd.enable_auth("root-password").unwrap();
    etcd.add_user("caddy", "password", "/test/").unwrap();
    etcd
}

fn config(etcd: &EtcdProcess) -> EtcdConfigBuilder {
    let config = support::config(etcd).with_dial_timeout(DIAL_TIMEOUT);
    config.with_username("caddy").with_password("password")
}

fn key() -> Key {
    Key::new("/test/k")
}

fn assert_refused(error: &BackendError, kind: BackendErrorKind, etcd: &EtcdProcess, says: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.is_retryable() && !error.is_maybe_applied(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&etcd.endpoint()) && text.contains(says) && !text.contains('\n'), "{text}");
}

/// How often the server was asked for a token and answered with this code.
fn authentications(etcd: &EtcdProcess, code: &str) -> u32 {
    let name = format!(
        "grpc_server_handled_total{{grpc_code=\"{code}\",grpc_method=\"Authenticate\",\
         grpc_service=\"etcdserverpb.Auth\",grpc_type=\"unary\"}}"
    );
    let count = etcd.metric(&name).unwrap().unwrap_or_default();
    format!("{count:.0}").parse().unwrap()
}

/// Makes all tokens old.
fn change_users(etcd: &EtcdProcess, name: &str) {
    etcd.add_user(name, "password", "/elsewhere/").unwrap();
}

#[tokio::test]
async fn everything_goes_on_while_tokens_last_two_seconds() {
    // It mostly waits.
    let binaries = EtcdBinary::find_all_for_test("short tokens");
    join_all(binaries.iter().map(goes_on_with_short_tokens)).await;
}

async fn goes_on_with_short_tokens(binary: &EtcdBinary) {
    let etcd = start(binary, &["--auth-token-ttl=2"]);
    let backend = support::connect_with(config(&etcd)).await;
    let lease = backend.grant(Duration::from_secs(60)).await.unwrap().id;
    let mut watch = backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap();
    let mut puts = vec![backend.put(key(), "v".into()).await.unwrap()];
    // Each kind of call in turn is the first with a token that has expired.
    for call in ["get", "keep alive", "time to live", "watch"] {
        let before = authentications(&etcd, "OK");
        // The server looks every second for tokens that nobody has used for two.
        tokio::time::sleep(Duration::from_millis(3300)).await;
        match call {
            "get" => drop(backend.get(key()).await.unwrap()),
            "keep alive" => drop(backend.keep_alive(lease).await.unwrap()),
            "time to live" => drop(backend.time_to_live(lease).await.unwrap()),
            _ => {
                let again = backend.watch(KeyRange::single(key()), Revision::ZERO).await.unwrap();
                let first = again.map(Result::unwrap).next().await.unwrap();
                assert_eq!(first.events.len(), 1);
                assert_eq!(authentications(&etcd, "OK") - before, 1, "the watch got a token");
            }
        }
        puts.push(backend.put(key(), "v".into()).await.unwrap());
        assert_eq!(authentications(&etcd, "OK") - before, 1, "{call}");
    }
    backend.revoke(lease).await.unwrap();
    // The watch that was opened with the first token has seen everything.
    for revision in puts {
        let batch = loop {
            let batch = watch.next().await.unwrap().unwrap();
            if !batch.events.is_empty() {
                break batch;
            }
        };
        assert_eq!(batch.revision, revision);
        assert!(matches!(&batch.events[..], [Event::Put(entry)] if entry.key == key()));
    }
}

#[tokio::test]
async fn users_and_roles_that_are_added_meanwhile_disturb_nobody() {
    for binary in EtcdBinary::find_all_for_test("auth revision") {
        let etcd = start_with_web_tokens(&binary);
        let backend = support::connect_with(config(&etcd)).await;
        let lease = backend.grant(Duration::from_secs(60)).await.unwrap().id;
        let before = authentications(&etcd, "OK");
        change_users(&etcd, "a");
        backend.put(key(), "v".into()).await.unwrap();
        change_users(&etcd, "b");
        drop(backend.watch(KeyRange::prefix("/test/"), Revision::ZERO).await.unwrap());
        change_users(&etcd, "c");
        backend.keep_alive(lease).await.unwrap();
        change_users(&etcd, "d");
        backend.get(key()).await.unwrap();
        change_users(&etcd, "e");
        backend.revoke(lease).await.unwrap();
        // Each change but the last one made the token old under a call that cares.
        let more = authentications(&etcd, "OK") - before;
        assert!(more >= 3, "{more} new tokens");
    }
}

#[tokio::test]
async fn many_calls_whose_token_is_old_get_one_new_token() {
    for binary in EtcdBinary::find_all_for_test("one new token") {
        let etcd = start_with_web_tokens(&binary);
        let backend = support::connect_with(config(&etcd)).await;
        change_users(&etcd, "a");
        let before = authentications(&etcd, "OK");
        let results = join_all((0..50).map(|_| backend.put(key(), "v".into()))).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(authentications(&etcd, "OK") - before, 1);
    }
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_not_tried_again_and_again() {
    for binary in EtcdBinary::find_all_for_test("wrong password") {
        let etcd = start(&binary, &[]);
        let (kind, says) = (BackendErrorKind::Unauthenticated, "check auth.username and auth.password");
        for wrong in [config(&etcd).with_password("wrong"), config(&etcd).with_username("nobody")] {
            let begin = Instant::now();
            let error = EtcdBackend::connect(&wrong.build().unwrap()).await.unwrap_err();
            assert!(begin.elapsed() < DIAL_TIMEOUT, "{:?}", begin.elapsed());
            assert_refused(&error, kind, &etcd, says);
        }

        let backend = support::connect_with(config(&etcd)).await;
        etcd.etcdctl(&["user", "delete", "caddy"]).unwrap();
        let before = authentications(&etcd, "InvalidArgument");
        for _ in 0..3 {
            for result in join_all((0..20).map(|_| backend.put(key(), "v".into()))).await {
                assert_refused(&result.unwrap_err(), kind, &etcd, says);
            }
        }
        let attempts = authentications(&etcd, "InvalidArgument") - before;
        assert_eq!(attempts, 1, "for 60 calls");

        // It is not refused for ever.
        etcd.etcdctl(&["user", "add", "caddy:password"]).unwrap();
        etcd.etcdctl(&["user", "grant-role", "caddy", "caddy"]).unwrap();
        works_again(&backend).await;
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_wrong_from_then_on() {
    for binary in EtcdBinary::find_all_for_test("changed password") {
        let etcd = start(&binary, &[]);
        let backend = support::connect_with(config(&etcd)).await;
        etcd.change_password("caddy", "new").unwrap();
        let error = backend.put(key(), "v".into()).await.unwrap_err();
        let says = "check auth.username and auth.password";
        assert_refused(&error, BackendErrorKind::Unauthenticated, &etcd, says);
        support::connect_with(config(&etcd).with_password("new")).await;
    }
}

#[tokio::test]
async fn what_a_user_may_not_do_is_denied_with_what_to_check() {
    for binary in EtcdBinary::find_all_for_test("missing permission") {
        let etcd = start(&binary, &[]);
        let (kind, says) = (BackendErrorKind::PermissionDenied, "check that a role of user \"caddy\"");
        let begin = Instant::now();
        let error =
            EtcdBackend::connect(&config(&etcd).with_prefix("/other").build().unwrap()).await.unwrap_err();
        assert!(begin.elapsed() < DIAL_TIMEOUT, "{:?}", begin.elapsed());
        assert_refused(&error, kind, &etcd, says);
        assert!(error.to_string().contains("/other"), "{error}");

        let backend = support::connect_with(config(&etcd)).await;
        let outside = || Key::new("/outside");
        assert_refused(&backend.put(outside(), "v".into()).await.unwrap_err(), kind, &etcd, says);
        assert_refused(&backend.get(outside()).await.unwrap_err(), kind, &etcd, says);
        let watch = backend.watch(KeyRange::single(outside()), Revision::ZERO).await;
        assert_refused(&watch.err().unwrap(), kind, &etcd, says);

        etcd.etcdctl(&["user", "revoke-role", "caddy", "caddy"]).unwrap();
        assert_refused(&backend.put(key(), "v".into()).await.unwrap_err(), kind, &etcd, says);
        let watch = backend.watch(KeyRange::single(key()), Revision::ZERO).await;
        assert_refused(&watch.err().unwrap(), kind, &etcd, says);
        etcd.etcdctl(&["user", "grant-role", "caddy", "caddy"]).unwrap();
        backend.put(key(), "v".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_user_where_there_are_none_and_nobody_where_there_are() {
    for binary in EtcdBinary::find_all_for_test("auth on and off") {
        let kind = BackendErrorKind::Unauthenticated;
        let etcd = EtcdProcess::start(&binary).unwrap();
        let error = EtcdBackend::connect(&config(&etcd).build().unwrap()).await.unwrap_err();
        assert_refused(&error, kind, &etcd, "remove auth.username and auth.password");
        let etcd = start(&binary, &[]);
        let nobody = support::config(&etcd).with_dial_timeout(DIAL_TIMEOUT);
        let error = EtcdBackend::connect(&nobody.build().unwrap()).await.unwrap_err();
        assert_refused(&error, kind, &etcd, "set auth.username and auth.password");
    }
}

#[tokio::test]
async fn a_server_that_gives_up_its_users_is_noticed_and_one_that_has_them_again_too() {
    for binary in EtcdBinary::find_all_for_test("auth switched") {
        let etcd = start(&binary, &[]);
        let backend = support::connect_with(config(&etcd)).await;
        etcd.etcdctl(&["auth", "disable"]).unwrap();
        let error = backend.put(key(), "v".into()).await.unwrap_err();
        let says = "remove auth.username and auth.password";
        assert_refused(&error, BackendErrorKind::Unauthenticated, &etcd, says);
        etcd.etcdctl(&["auth", "enable"]).unwrap();
        works_again(&backend).await;
    }
}

async fn works_again(backend: &EtcdBackend) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while let Err(error) = backend.put(key(), "v".into()).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
