//! The loss of one member of three does not reach the caller, whichever it is and however it is lost. Only of a write
//! that was under way it may be unknown whether it was applied.

use std::time::Duration;

use etcd_process::EtcdCluster;
use kv_etcd::EtcdBackend;

use crate::support::load::{Load, Outcome};
use crate::support::{Versions, config_of, connect_to_one, connect_with, on_a_cluster, preferred, until};

const CLIENTS: usize = 8;
/// An election takes between one and two of the time-outs of 1 s.
const ELECTION: Duration = Duration::from_secs(2);

/// A client that prefers this kind of member, and two that prefer any.
async fn clients(cluster: &EtcdCluster, is_wanted: impl Fn(usize) -> bool) -> Vec<EtcdBackend> {
    let config = || config_of(cluster);
    let mut clients = vec![connect_to_one(cluster, config, is_wanted).await];
    for _ in 0..2 {
        clients.push(connect_with(config()).await);
    }
    clients
}

fn assert_unharmed(outcome: &Outcome) {
    assert_eq!(outcome.failed.len(), 0, "{:?}", outcome.failed);
    assert!(outcome.succeeded >= 3000, "{outcome:?}");
    // One write of each client at most, at the moment of the fault.
    assert!(outcome.ambiguous <= CLIENTS, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_dies() {
    on_a_cluster("follower killed", Versions::Newest, |mut cluster| async move {
        let leader = cluster.leader().unwrap();
        let clients = clients(&cluster, |member| member != leader).await;
        let victim = preferred(&clients[0], &cluster).await;
        let load = Load::start(&clients, CLIENTS);
        load.more(1000).await;
        cluster.member_mut(victim).kill().unwrap();
        load.more(1500).await;
        tokio::task::block_in_place(|| cluster.member_mut(victim).restart().unwrap());
        load.more(500).await;
        let outcome = load.stop().await;
        assert_unharmed(&outcome);
        assert!(outcome.longest < Duration::from_secs(1), "{outcome:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_stopped() {
    on_a_cluster("follower paused", Versions::Newest, |cluster| async move {
        let leader = cluster.leader().unwrap();
        let clients = clients(&cluster, |member| member != leader).await;
        let victim = preferred(&clients[0], &cluster).await;
        let load = Load::start(&clients, CLIENTS);
        load.more(1000).await;
        cluster.member(victim).pause().unwrap();
        load.more(1500).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        cluster.member(victim).resume().unwrap();
        load.more(500).await;
        let outcome = load.stop().await;
        assert_unharmed(&outcome);
        // A write waits for 1.5 s, a read for 1 s; but only those that were under way.
        assert!(outcome.slow <= CLIENTS, "{outcome:?}");
        assert!(outcome.longest < Duration::from_secs(2), "{outcome:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_dies() {
    on_a_cluster("leader killed", Versions::Each, |mut cluster| async move {
        let leader = cluster.leader().unwrap();
        let clients = clients(&cluster, |member| member == leader).await;
        let load = Load::start(&clients, CLIENTS);
        load.more(1000).await;
        cluster.member_mut(leader).kill().unwrap();
        load.more(2000).await;
        let outcome = load.stop().await;
        assert_unharmed(&outcome);
        assert!(outcome.gap < ELECTION + Duration::from_secs(3), "{outcome:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_stopped_for_a_while() {
    on_a_cluster("leader paused", Versions::Each, |cluster| async move {
        let leader = cluster.leader().unwrap();
        let clients = clients(&cluster, |member| member == leader).await;
        let load = Load::start(&clients, CLIENTS);
        load.more(1000).await;
        cluster.member(leader).pause().unwrap();
        load.more(1500).await;
        cluster.member(leader).resume().unwrap();
        load.more(500).await;
        let outcome = load.stop().await;
        assert_unharmed(&outcome);
        assert!(outcome.gap < ELECTION + Duration::from_secs(3), "{outcome:?}");
        until("one leader", || cluster.leader().is_some()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_in_its_turn() {
    on_a_cluster("rolling restart", Versions::Newest, |mut cluster| async move {
        let clients = clients(&cluster, |_| true).await;
        let load = Load::start(&clients, CLIENTS);
        load.more(1000).await;
        for index in 0..3 {
            tokio::task::block_in_place(|| cluster.member_mut(index).restart().unwrap());
            load.more(700).await;
        }
        let outcome = load.stop().await;
        assert_eq!(outcome.failed.len(), 0, "{:?}", outcome.failed);
        assert!(outcome.ambiguous <= 3 * CLIENTS, "{outcome:?}");
        assert!(outcome.gap < ELECTION + Duration::from_secs(3), "{outcome:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_when_the_leader_dies_waits_for_the_next_one() {
    on_a_cluster("connecting without a leader", Versions::Newest, |mut cluster| async move {
        let victim = cluster.leader().unwrap();
        // Slow machines take longer for an election than for a dial timeout of 5 s.
        let config = || config_of(&cluster).with_dial_timeout(Duration::from_secs(20)).build().unwrap();
        let configs: Vec<_> = (0..20).map(|_| config()).collect();
        cluster.member_mut(victim).kill().unwrap();
        // Some before the others have noticed, some while they vote, some after.
        let clients = configs.into_iter().enumerate().map(|(number, config)| async move {
            tokio::time::sleep(Duration::from_millis(100) * u32::try_from(number).unwrap()).await;
            EtcdBackend::connect(&config).await
        });
        for client in futures::future::join_all(clients).await {
            assert!(client.is_ok(), "{:?}", client.err());
        }
    })
    .await;
}
