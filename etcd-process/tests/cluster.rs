//! A cluster elects a leader, gets over the loss of members, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "it waits for real processes, in real time, without a runtime"
)]

mod support;

use std::time::Instant;

use etcd_process::{EtcdBinary, EtcdCluster, EtcdProcess};
use support::{
    DEADLINE, connect, data_folder, die_while, is_to_die, leaves_nothing_when_killed, members, on_all_etcds,
    until,
};

#[test]
fn a_cluster_serves_writes_through_each_member() {
    on_all_etcds("etcd-process: cluster", |binary| {
        let begun = Instant::now();
        let cluster = EtcdCluster::start(binary).unwrap();
        println!("etcd {}: a cluster of three started in {:?}", binary.version, begun.elapsed());
        assert_eq!(cluster.len(), 3);
        assert!(cluster.leader().is_some());
        let endpoints: Vec<_> = members(&cluster).map(EtcdProcess::endpoint).collect();
        assert_eq!(cluster.endpoints(), endpoints);
        for (member, endpoint) in members(&cluster).zip(endpoints) {
            member.etcdctl(&["put", &endpoint, "written"]).unwrap();
            assert_eq!(cluster.etcdctl(&["get", &endpoint, "--print-value-only"]).unwrap(), "written\n");
        }
    });
}

#[test]
fn a_cluster_may_have_another_odd_number_of_members_and_other_settings() {
    on_all_etcds("etcd-process: sizes", |binary| {
        let one = EtcdCluster::builder(binary).with_members(1).with_flag("--max-request-bytes=10").start();
        let one = one.unwrap();
        assert_eq!((one.len(), one.leader()), (1, Some(0)));
        assert!(one.etcdctl(&["put", "key", "a value that is too long"]).is_err());
        for even in [0, 2] {
            let error = EtcdCluster::builder(binary).with_members(even).start().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn a_killed_leader_is_replaced_and_comes_back_with_the_data() {
    on_all_etcds("etcd-process: killed leader", |binary| {
        let mut cluster = EtcdCluster::start(binary).unwrap();
        cluster.etcdctl(&["put", "before", "1"]).unwrap();
        let old = cluster.leader().unwrap();
        cluster.member_mut(old).kill().unwrap();
        let begun = Instant::now();
        assert!(!cluster.member_mut(old).is_running().unwrap());
        let new = cluster.wait_for_leader(DEADLINE).unwrap();
        println!("etcd {}: a new leader after {:?}", binary.version, begun.elapsed());
        assert_ne!(new, old);
        cluster.member(new).etcdctl(&["put", "meanwhile", "2"]).unwrap();

        cluster.member_mut(old).restart().unwrap();
        assert!(cluster.member_mut(old).is_running().unwrap());
        for (key, value) in [("before", "1\n"), ("meanwhile", "2\n")] {
            let found = cluster.member(old).etcdctl(&["get", key, "--print-value-only"]).unwrap();
            assert_eq!(found, value);
        }
    });
}

#[test]
fn a_paused_member_answers_nothing_until_it_resumes() {
    on_all_etcds("etcd-process: paused", |binary| {
        let mut cluster = EtcdCluster::start(binary).unwrap();
        let old = cluster.leader().unwrap();
        cluster.member(old).pause().unwrap();
        assert!(cluster.member_mut(old).is_running().unwrap());
        let new = cluster.wait_for_leader(DEADLINE).unwrap();
        assert_ne!(new, old);
        cluster.member(new).etcdctl(&["put", "meanwhile", "1"]).unwrap();
        let get = ["get", "meanwhile", "--print-value-only"];
        let hasty = [&get[..], &["--command-timeout=300ms", "--dial-timeout=300ms"]].concat();
        assert!(cluster.member(old).etcdctl(&hasty).is_err());

        cluster.member(old).resume().unwrap();
        assert_eq!(cluster.member(old).etcdctl(&get).unwrap(), "1\n");
        until("that the old leader follows", || cluster.leader().is_some_and(|leader| leader != old));
    });
}

#[test]
fn without_a_majority_nobody_leads_until_it_is_back() {
    on_all_etcds("etcd-process: no majority", |binary| {
        let mut cluster = EtcdCluster::start(binary).unwrap();
        cluster.etcdctl(&["put", "before", "1"]).unwrap();
        let leader = cluster.leader().unwrap();
        let killed = [(leader + 1) % 3, (leader + 2) % 3];
        for index in killed {
            cluster.member_mut(index).kill().unwrap();
        }
        until("that the leader alone steps down", || cluster.leader().is_none());
        let put = ["put", "meanwhile", "2", "--command-timeout=300ms"];
        assert!(cluster.member(leader).etcdctl(&put).is_err());

        let begun = Instant::now();
        for index in killed {
            cluster.member_mut(index).launch().unwrap();
        }
        cluster.wait_for_leader(DEADLINE).unwrap();
        println!("etcd {}: a leader {:?} after the majority is back", binary.version, begun.elapsed());
        for index in killed {
            cluster.member_mut(index).wait_until_healthy().unwrap();
            let found = cluster.member(index).etcdctl(&["get", "before", "--print-value-only"]).unwrap();
            assert_eq!(found, "1\n");
        }
    });
}

#[test]
fn members_come_and_go() {
    on_all_etcds("etcd-process: membership", |binary| {
        let mut cluster = EtcdCluster::builder(binary).with_proxies().start().unwrap();
        cluster.etcdctl(&["put", "before", "1"]).unwrap();
        let added = cluster.add_member().unwrap();
        assert_eq!((added, cluster.len(), cluster.endpoints().len()), (3, 4, 4));
        let found = cluster.member(added).etcdctl(&["get", "before", "--print-value-only"]).unwrap();
        assert_eq!(found, "1\n");
        let gone = cluster.member(0).endpoint();
        cluster.remove_member(0).unwrap();
        assert_eq!((cluster.len(), cluster.endpoints().len()), (3, 3));
        assert!(members(&cluster).all(|member| member.endpoint() != gone));
        assert_eq!(cluster.etcdctl(&["member", "list"]).unwrap().lines().count(), 3);
        cluster.wait_for_leader(DEADLINE).unwrap();
        cluster.etcdctl(&["put", "after", "2"]).unwrap();
    });
}

#[test]
fn dropping_a_cluster_ends_all_processes_and_removes_their_files() {
    on_all_etcds("etcd-process: cluster dropped", |binary| {
        let cluster = EtcdCluster::builder(binary).with_proxies().start().unwrap();
        cluster.member(0).pause().unwrap();
        let mut endpoints = cluster.endpoints();
        endpoints.extend(members(&cluster).map(EtcdProcess::endpoint));
        let folders: Vec<_> = members(&cluster).map(data_folder).collect();
        assert!(folders.iter().all(|folder| folder.is_dir()));
        drop(cluster);
        for endpoint in endpoints {
            assert!(connect(&endpoint).is_err(), "something still listens at {endpoint}");
        }
        assert!(folders.iter().all(|folder| !folder.exists()), "one of {folders:?} is still there");
    });
}

#[test]
fn a_cluster_does_not_outlive_a_killed_parent() {
    for binary in EtcdBinary::find_all_for_test("etcd-process: killed parent of a cluster") {
        if is_to_die() {
            die_while(members(&EtcdCluster::start(&binary).unwrap()));
        }
        leaves_nothing_when_killed("a_cluster_does_not_outlive_a_killed_parent", &binary);
    }
}
