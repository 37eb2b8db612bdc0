use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use etcd_process::{EtcdBinary, EtcdCluster, EtcdProcess, FaultProxy, Mode};

use super::*;
use crate::EtcdConfig;
use crate::cluster::Cluster;

#[test]
fn encryption_is_never_given_up() {
    let strings = |endpoints: &[&str]| endpoints.iter().map(ToString::to_string).collect::<Vec<_>>();
    let encrypted = strings(&["https://a:1", "https://b:1"]);
    assert!(is_allowed("https://c:1", &encrypted));
    assert!(!is_allowed("http://c:1", &encrypted));
    for configured in [strings(&["http://a:1"]), strings(&["http://a:1", "https://b:1"])] {
        assert!(is_allowed("http://c:1", &configured) && is_allowed("https://c:1", &configured));
        assert!(!is_allowed("unix://c:1", &configured));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_taken_in_if_it_is_reached_and_not_there_already() {
    let Some(binary) = EtcdBinary::find_all_for_test("newcomers").pop() else { return };
    let etcd = EtcdProcess::start(&binary).unwrap();
    let config = EtcdConfig::builder([etcd.endpoint()]).with_dial_timeout(Duration::from_secs(1));
    let shared = Arc::new(Shared::new(&config.build().unwrap()).unwrap());
    let _work = shared.connect().await.unwrap();
    let proxy = FaultProxy::start(etcd.client_address()).unwrap();
    let other_name = proxy.endpoint();

    assert!(shared.newcomer(&etcd.endpoint()).await.is_none(), "it is known");
    assert!(shared.newcomer(&other_name).await.is_none(), "its member is known by another name");
    // While that name does not work the other one is welcome.
    let known = &shared.members.all()[0];
    known.silent(&known.connection(), Duration::from_secs(1));
    assert!(shared.newcomer(&other_name).await.is_some());
    proxy.set(Mode::BlackHole);
    assert!(shared.newcomer(&other_name).await.is_none(), "it is not reached");
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    assert!(shared.newcomer(&format!("http://{nobody}")).await.is_none(), "nobody is there");
    let elsewhere = EtcdProcess::start(&binary).unwrap();
    assert!(shared.newcomer(&elsewhere.endpoint()).await.is_none(), "it is of another cluster");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_taken_in_and_let_go_as_the_cluster_says() {
    let Some(binary) = EtcdBinary::find_all_for_test("sync").pop() else { return };
    let cluster = EtcdCluster::builder(&binary).with_flag("--strict-reconfig-check=false");
    let mut cluster = cluster.start().unwrap();
    let config = EtcdConfig::builder([cluster.endpoints()[0].clone()]).build().unwrap();
    let shared = Arc::new(Shared::new(&config).unwrap());
    let _work = shared.connect().await.unwrap();
    shared.sync().await;
    let endpoints = || {
        let mut endpoints: Vec<_> =
            shared.members.all().iter().map(|member| member.endpoint().to_owned()).collect();
        endpoints.sort();
        endpoints
    };
    let sorted = |mut endpoints: Vec<String>| {
        endpoints.sort();
        endpoints
    };
    assert_eq!(endpoints(), sorted(cluster.endpoints()));

    let gone = cluster.endpoints()[2].clone();
    let removed = shared.members.all().into_iter().find(|member| member.endpoint() == gone).unwrap();
    shared.members.prefer(&removed);
    cluster.remove_member(2).unwrap();
    // The members learn of it one after the other.
    for _ in 0..100 {
        shared.sync().await;
        if endpoints().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(endpoints(), sorted(cluster.endpoints()));
    assert!(removed.connection().ended.is_cancelled());
    assert!(!Arc::ptr_eq(&shared.members.pick(&[]).unwrap(), &removed));

    // What is in the settings stays whatever the cluster says.
    assert!(shared.members.all().iter().any(|member| !is_gone(member, &[])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_the_background_ends_with_the_last_clone() {
    let Some(binary) = EtcdBinary::find_all_for_test("background").pop() else { return };
    let etcd = EtcdProcess::start(&binary).unwrap();
    let config = EtcdConfig::builder([etcd.endpoint(), "http://127.0.0.1:1".to_owned()]).build().unwrap();
    let cluster = Cluster::connect(&config).await.unwrap();
    let shared = Arc::downgrade(&cluster.shared);
    let clone = cluster.clone();
    drop(cluster);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(shared.strong_count() > 1, "the background goes on");
    drop(clone);
    for _ in 0..100 {
        if shared.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it goes on without anybody");
}
