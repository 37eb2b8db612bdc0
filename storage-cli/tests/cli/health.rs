//! `kvfs health` tells how the store is, whatever has become of it, and in time.

use std::path::Path;
use std::time::{Duration, Instant};

use etcd_process::{EtcdBinary, EtcdCluster, EtcdProcess, EtcdTls, TestAuthority, TestCertificate};
use serde_json::{Value, json};

use crate::support::{self, Kvfs, Run, dead_url, objects, on_each_etcd, url};

/// The dial timeout of a store URL.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "another process is timed, in real time")]
fn in_time(kvfs: &Kvfs, arguments: &[&str]) -> Run {
    let begin = Instant::now();
    let run = kvfs.run(arguments);
    let took = begin.elapsed();
    println!("{arguments:?} took {took:?}");
    assert!(took < DIAL_TIMEOUT + Duration::from_millis(250), "{took:?}");
    run
}

/// A configuration of this server with more in it.
fn configured(folder: &Path, etcd: &EtcdProcess, more: &Value) -> Run {
    let mut config = json!({"endpoints": [etcd.endpoint()]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let file = folder.join("c.json");
    std::fs::write(&file, config.to_string()).unwrap();
    support::run(support::command().args(["--json", "health", "--config"]).arg(file))
}

fn states(endpoints: &[Value]) -> Vec<&str> {
    endpoints.iter().filter_map(|endpoint| endpoint["state"].as_str()).collect()
}

#[test]
fn a_member_that_is_well() {
    on_each_etcd("health", |kvfs, etcd| {
        let lines = kvfs.ok(&["health"]);
        let row = lines.lines().nth(1).unwrap();
        assert!(row.starts_with(&format!("{}\tok\t", etcd.endpoint())) && row.contains("ms"), "{lines}");
        for expected in ["/caddy serves", "alarms\tnone", "10s of 10s granted", "the store says 9s left"] {
            assert!(lines.contains(expected), "{expected} in {lines}");
        }
        let told = objects(&kvfs.ok(&["--json", "health"]));
        assert_eq!(states(&told), ["ok"]);
        let id = told[0]["member_id"].as_str().unwrap();
        assert!(etcd.etcdctl(&["member", "list"]).unwrap().starts_with(id), "{id}");
        assert_eq!((&told[0]["leader_known"], &told[0]["behind"]), (&json!(true), &json!(0)));
        assert_eq!(told[0]["revision"], told[1]["revision"]);
        assert_eq!((&told[1]["serving"], &told[1]["alarms"]), (&json!(true), &json!("known")));
        assert_eq!(told[1]["session"]["granted_seconds"], 10);
        // Nothing is left of the session.
        assert_eq!(etcd.etcdctl(&["lease", "list"]).unwrap().lines().count(), 1);
    });
}

#[test]
fn a_store_within_the_process() {
    let kvfs = Kvfs::on_memory();
    assert!(kvfs.ok(&["health"]).contains("it is within this process"));
    let told = objects(&kvfs.ok(&["--json", "health"]));
    assert_eq!((told.len(), &told[0]["serving"]), (1, &json!(true)));
}

#[cfg(unix)]
#[test]
fn members_that_are_lost_are_warned_of_while_the_others_serve() {
    let Some(binary) = EtcdBinary::find_all_for_test("health of a cluster").pop() else { return };
    let mut cluster = EtcdCluster::start(&binary).unwrap();
    let endpoints = cluster.endpoints();
    let hosts: Vec<_> = endpoints.iter().map(|url| url.strip_prefix("http://").unwrap()).collect();
    let kvfs = Kvfs::on(format!("etcd://{}", hosts.join(",")));
    assert_eq!(states(&objects(&kvfs.ok(&["--json", "health"]))), ["ok"; 3]);
    // Of one endpoint the cluster's others are found.
    let told = objects(&Kvfs::on(format!("etcd://{}", hosts[1])).ok(&["--json", "health"]));
    assert_eq!(states(&told), ["ok"; 3]);
    assert_eq!(told[0]["endpoint"], endpoints[1]);

    cluster.member_mut(0).kill().unwrap();
    cluster.wait_for_leader(Duration::from_secs(20)).unwrap();
    let run = in_time(&kvfs, &["health"]);
    let run = run.said(&["kvfs: warning: ", &endpoints[0], "refused"]);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{run:?}");
    cluster.member_mut(0).restart().unwrap();

    let leader = cluster.wait_for_leader(Duration::from_secs(20)).unwrap();
    let paused = (leader + 1) % 3;
    cluster.member(paused).pause().unwrap();
    let run = in_time(&kvfs, &["--json", "health"]).said(&[&endpoints[paused], "no answer in time"]);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{run:?}");
    let mut expected = ["ok"; 3];
    expected[paused] = "failed";
    assert_eq!(states(&run.objects()), expected);

    // The one that is left has no leader.
    let killed = (leader + 2) % 3;
    cluster.member_mut(killed).kill().unwrap();
    let lost = || cluster.member(leader).metric("etcd_server_has_leader").unwrap() == Some(0.0);
    support::started::until("the leader should step down", || lost().then_some(()));
    let run = in_time(&kvfs, &["--json", "health"]).said(&["no leader", "does not serve", "check --store"]);
    assert_eq!(run.code, 3, "{run:?}");
    let mut expected = ["failed"; 3];
    expected[leader] = "no_leader";
    let told = run.objects();
    assert_eq!(states(&told), expected);
    assert_eq!((&told[leader]["leader_known"], &told[3]["serving"]), (&json!(false), &json!(false)));
}

#[test]
fn a_dead_store_is_told_of_endpoint_by_endpoint() {
    let (a, b) = (dead_url(), dead_url());
    let kvfs = Kvfs::on(format!("{a},{}", b.strip_prefix("etcd://").unwrap()));
    let run = in_time(&kvfs, &["health"]);
    for dead in [a, b] {
        let endpoint = dead.replace("etcd://", "http://");
        let row = run.text().lines().find(|line| line.starts_with(&endpoint)).unwrap();
        assert!(row.contains("failed") && row.contains("refused"), "{run:?}");
        assert!(run.stderr.contains(&format!("warning: {endpoint}")), "{run:?}");
    }
    assert_eq!(run.code, 3);
    run.said(&["does not serve", "is the server at etcd://", "check --store"]);
}

#[test]
fn a_server_that_says_nothing_is_told_of_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let run = in_time(&Kvfs::on(format!("etcd://{}", listener.local_addr().unwrap())), &["health"]);
    assert_eq!(run.code, 3);
    run.said(&["no answer in time", "does not serve"]);
}

#[test]
fn a_store_that_is_full_serves_and_is_warned_of() {
    for binary in EtcdBinary::find_all_for_test("health of a full store") {
        let etcd = EtcdProcess::builder(&binary).with_flag("--quota-backend-bytes=400000").start().unwrap();
        let kvfs = Kvfs::on(url(&etcd));
        let content = vec![7; 100_000];
        let full = (0..20).any(|n| kvfs.run_with_input(&["put", &n.to_string()], &content).code == 3);
        assert!(full, "etcd {} has no quota", binary.version);
        let run = kvfs.run(&["health"]).said(&["warning: alarm: no space at member"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.text().contains("alarms\tno space at member"), "{run:?}");
        assert!(run.text().contains("session\tnot checked: store is full"), "{run:?}");
        let told = kvfs.run(&["--json", "health"]).said(&[r#"{"warning":{"kind":"alarm""#]).objects();
        assert_eq!(told[1]["raised"][0]["alarm"], "no_space");
        assert_eq!(told[1]["session_error"]["kind"], "no_space");
    }
}

#[test]
fn certificates_that_end_soon_are_warned_of() {
    for binary in EtcdBinary::find_all_for_test("health of certificates") {
        let authority = TestAuthority::new().unwrap();
        let run = |server: TestCertificate, client: TestCertificate| {
            let (server, client) = (authority.issue(server).unwrap(), authority.issue(client).unwrap());
            let tls = EtcdTls::new(&server).with_client_authority(authority.ca());
            let etcd = EtcdProcess::builder(&binary).with_tls(tls).start().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let tls = json!({"ca": authority.ca(), "cert": client.cert, "key": client.key});
            configured(folder.path(), &etcd, &json!({"tls": tls}))
        };
        let (server, client) = (TestCertificate::server, || TestCertificate::client("nobody"));
        let told = run(server(), client()).succeeded().objects();
        assert_eq!(told[0]["certificate_until"], "2999-12-31T00:00:00Z");
        assert_eq!(told[1]["client_certificate_until"], "2999-12-31T00:00:00Z");

        let soon = run(server().valid_for(10), client().valid_for(20));
        assert_eq!((soon.code, soon.stderr.lines().count()), (0, 2), "{soon:?}");
        let soon = soon.said(&[
            "the certificate of https://",
            "ends in 9 days",
            "our certificate",
            "ends in 19 days",
        ]);
        soon.said(&[r#"{"warning":{"kind":"certificate""#]);

        let over = run(server().expired(), client());
        assert_eq!(over.code, 3, "{over:?}");
        over.said(&["expired at 2020-12-31"]);
    }
}

#[test]
fn a_user_without_the_rights_of_root_is_told_what_it_may_know() {
    for binary in EtcdBinary::find_all_for_test("health as a user") {
        let mut etcd = EtcdProcess::start(&binary).unwrap();
        etcd.enable_auth("root-password").unwrap();
        etcd.add_user("caddy", "hunter2", "/caddy/").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let as_user = |user: &str, password: &str| {
            configured(folder.path(), &etcd, &json!({"auth": {"username": user, "password": password}}))
        };
        let told = as_user("caddy", "hunter2").succeeded().objects();
        // Whether such a user may ask depends on the version of etcd.
        let may_ask = etcd.etcdctl(&["--user=caddy:hunter2", "alarm", "list"]).is_ok();
        println!("etcd {}: may ask for alarms: {may_ask}", binary.version);
        let alarms = if may_ask { "known" } else { "not_permitted" };
        assert_eq!((states(&told), &told[1]["alarms"]), (vec!["ok"], &json!(alarms)));
        assert_eq!(told[1]["session"]["granted_seconds"], 10);
        let told = as_user("root", "root-password").succeeded().objects();
        assert_eq!(told[1]["alarms"], "known");
        let refused = as_user("caddy", "wrong-hunter2");
        assert_eq!(refused.code, 3);
        assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
        refused.said(&["check auth.username and auth.password"]);
    }
}
