//! The second half: the same on a cluster of three etcds, which loses a member in the middle.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use etcd_process::{EtcdBinary, EtcdCluster};

use super::node::{Node, Store};
use super::{Demo, heading, locks, now, text};

pub(super) fn show(demo: &Demo<'_>) -> Result<()> {
    heading("The same on a private cluster of three etcds, on free ports");
    let binary = EtcdBinary::find_all().pop().context("there is no etcd, although the setup found one")?;
    let mut cluster = EtcdCluster::start(&binary).context("cannot start three etcds")?;
    let endpoints = cluster.endpoints();
    let hosts: Vec<_> = endpoints.iter().map(|endpoint| endpoint.trim_start_matches("http://")).collect();
    let store = format!("etcd://{}/caddy", hosts.join(","));
    println!("etcd {} at {}", binary.version, endpoints.join(", "));
    let node = || Node { kvfs: demo.kvfs, store: Store::Url(&store) };
    let (node_a, node_b) = (node(), node());

    heading("The tree moves from the file to the cluster");
    let home = demo.home();
    Node { kvfs: demo.kvfs, store: Store::Home(&home) }.show(&["sync", "store:", &store])?;

    heading("What an operator sees in etcd");
    let site = demo.site();
    for part in ["data", "meta"] {
        let key = format!("/caddy/{part}/{site}/{}.crt", demo.tree.example);
        let shown = cluster.etcdctl(&["get", "--prefix", &key]).context("cannot read with etcdctl")?;
        println!("$ etcdctl get --prefix {key}\n{}", shown.trim_end());
        let readable = if part == "data" { "-----BEGIN CERTIFICATE-----" } else { r#"{"version":1,"size":"# };
        ensure!(shown.contains(readable), "{key} should hold {readable}");
    }

    heading(
        "Node A holds the lock `renew`, node B waits, node A imports everything once more, and the leader is killed",
    );
    let mut holder = node_a.start(&["lock", "renew", "--label", "node A", "--", "sleep", "3"])?;
    locks::until_places(&node_b, 1)?;
    let told =
        ["lock", "renew", "--label", "node B", "--", "sh", "-c", "echo node B: token $KVFS_LOCK_TOKEN"];
    let mut waiter = node_b.start(&told)?;
    let mut import = node_a.start(&["import", text(demo.disk)?, "copy"])?;
    until_some_are_there(&node_b)?;
    let leader = cluster.wait_for_leader(Duration::from_secs(10)).context("no member leads")?;
    cluster.member_mut(leader).kill().context("cannot kill the leader")?;
    println!("{}, the leader, is killed (SIGKILL)", endpoints[leader]);
    locks::ended("the import of node A", &mut import)?;
    locks::ended("node A", &mut holder)?;
    locks::ended("node B", &mut waiter)?;

    heading("Nothing is lost");
    node_b.fail(0, &["diff", text(demo.disk)?, "store:copy"])?;
    node_b.show(&["rm", "-r", "copy"])?;
    demo.compare(&node_b, "node-b-from-etcd")?;
    node_b.show(&["health"])
}

/// Waits until an import that is under way has stored a part.
fn until_some_are_there(node: &Node<'_>) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let began = now();
    while node.capture(&["exists", "copy"]).is_err() {
        ensure!(began.elapsed() < PATIENCE, "the import should have begun");
    }
    Ok(())
}
