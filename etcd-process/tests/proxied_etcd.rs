//! Clients of a real etcd feel what the proxy before it does.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, in real time, without a runtime"
)]

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use etcd_process::{Direction, EtcdCluster, Mode};
use support::{connect, members, on_all_etcds, until};

const GET: [&str; 3] = ["get", "key", "--print-value-only"];
const HASTY: [&str; 2] = ["--command-timeout=500ms", "--dial-timeout=500ms"];

/// Runs a test against one etcd of each version, behind a proxy.
fn on_proxied_etcd(test: &str, body: impl Fn(&EtcdCluster) + Sync) {
    on_all_etcds(test, |binary| {
        let cluster = EtcdCluster::builder(binary).with_members(1).with_proxies().start().unwrap();
        cluster.etcdctl(&["put", "key", "value"]).unwrap();
        body(&cluster);
    });
}

fn hasty<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &HASTY].concat()
}

#[test]
fn a_proxied_cluster_tells_clients_of_its_proxies_only() {
    on_all_etcds("etcd-process: advertised", |binary| {
        let cluster = EtcdCluster::builder(binary).with_proxies().start().unwrap();
        let list = cluster.etcdctl(&["member", "list"]).unwrap();
        for (index, member) in members(&cluster).enumerate() {
            assert_eq!(cluster.endpoints()[index], cluster.proxy(index).endpoint());
            assert!(list.contains(&cluster.proxy(index).endpoint()), "{list}");
            assert!(!list.contains(&member.endpoint()), "{list}");
        }
        cluster.proxy(0).set(Mode::Drop);
        assert_eq!(cluster.member(0).etcdctl(&["put", "key", "directly"]).unwrap(), "OK\n");
        assert_eq!(cluster.etcdctl(&GET).unwrap(), "directly\n");
    });
}

#[test]
fn a_client_gives_up_while_bytes_are_dropped_or_connections_reset() {
    on_proxied_etcd("etcd-process: drop and reset", |cluster| {
        for mode in [Mode::Drop, Mode::BlackHole, Mode::Reset, Mode::CloseAfter(0)] {
            cluster.proxy(0).set(mode);
            assert!(cluster.etcdctl(&hasty(&GET)).is_err(), "{mode:?}");
            cluster.proxy(0).set(Mode::Pass);
            assert_eq!(cluster.etcdctl(&GET).unwrap(), "value\n", "after {mode:?}");
        }
    });
}

#[test]
fn a_write_whose_reply_is_swallowed_is_applied() {
    // `etcdctl` waits for a greeting of the server before it sends anything. The JSON interface does not.
    const BODY: &str = r#"{"key":"a2V5","value":"bmV3"}"#;
    on_proxied_etcd("etcd-process: one way", |cluster| {
        let proxy = cluster.proxy(0);
        proxy.set(Mode::OneWay { swallowed: Direction::ToClient });
        assert!(cluster.etcdctl(&hasty(&GET)).is_err());
        let before = proxy.swallowed(Direction::ToClient);
        let mut client = connect(&proxy.endpoint()).unwrap();
        let head = format!("POST /v3/kv/put HTTP/1.0\r\nContent-Length: {}\r\n\r\n", BODY.len());
        client.write_all((head + BODY).as_bytes()).unwrap();
        until("that the key is written", || cluster.member(0).etcdctl(&GET).unwrap() == "new\n");
        until("that the reply is lost", || proxy.swallowed(Direction::ToClient) > before);
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(client.read(&mut [0]).is_err(), "something came");
    });
}

#[test]
fn a_delay_makes_a_client_wait_and_lets_it_succeed() {
    on_proxied_etcd("etcd-process: delay", |cluster| {
        cluster
            .proxy(0)
            .set(Mode::Delay { by: Duration::from_millis(200), jitter: Duration::from_millis(50) });
        let begun = Instant::now();
        assert_eq!(cluster.etcdctl(&GET).unwrap(), "value\n");
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
        assert!(cluster.etcdctl(&[&GET[..], &["--command-timeout=200ms"]].concat()).is_err());
    });
}
