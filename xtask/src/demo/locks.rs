//! Locks between two nodes.

use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::node::Node;
use super::now;

/// Node A holds the lock for a while, node B waits its turn.
pub(super) fn take_turns(node_a: &Node<'_>, node_b: &Node<'_>) -> Result<()> {
    let mut a = node_a.start(&["lock", "renew", "--label", "node A", "--", "sleep", "1"])?;
    until_places(node_b, 1)?;
    let told =
        ["lock", "renew", "--label", "node B", "--", "sh", "-c", "echo node B: token $KVFS_LOCK_TOKEN"];
    let mut b = node_b.start(&told)?;
    until_places(node_b, 2)?;
    node_b.show(&["locks"])?;
    ended("node A", &mut a)?;
    ended("node B", &mut b)?;
    ensure!(places(node_b)? == 0, "the lock should be free");
    Ok(())
}

/// Node A is killed with the lock in its hands, node B gets it.
pub(super) fn outlive(node_a: &Node<'_>, node_b: &Node<'_>) -> Result<()> {
    // The command outlives its `kvfs`, but not this demonstration.
    let mut a = node_a.start(&["lock", "renew", "--ttl", "2s", "--label", "node A", "--", "sleep", "3"])?;
    until_places(node_b, 1)?;
    a.kill().context("cannot kill node A")?;
    a.wait().context("cannot wait for node A")?;
    let killed = now();
    println!("node A is killed (SIGKILL)");
    node_b.show(&[
        "lock",
        "renew",
        "--label",
        "node B",
        "--",
        "sh",
        "-c",
        "echo node B: token $KVFS_LOCK_TOKEN",
    ])?;
    println!("node B had the lock {:.1} s after that", killed.elapsed().as_secs_f64());
    Ok(())
}

/// How many hold the lock or wait for it.
fn places(node: &Node<'_>) -> Result<usize> {
    Ok(node.capture(&["--json", "locks"])?.lines().count())
}

pub(super) fn until_places(node: &Node<'_>, expected: usize) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let began = now();
    while places(node)? != expected {
        ensure!(began.elapsed() < PATIENCE, "{expected} should hold the lock or wait for it");
    }
    Ok(())
}

pub(super) fn ended(what: &str, child: &mut Child) -> Result<()> {
    let status = child.wait().with_context(|| format!("cannot wait for {what}"))?;
    if !status.success() {
        bail!("{what} ended with {status}");
    }
    Ok(())
}
